"""Where a pipeline's dependencies are written, and whether what is written there can be right."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from fastflow.kernel.environments.domain.environment import Kind
from fastflow.kernel.pipelines.domain.header import Header
from fastflow.kernel.pipelines.domain.requirement_lines import (
    is_local_requirement,
    read_requirements,
    requirement_problem,
)
from fastflow.kernel.pipelines.domain.source import Source
from fastflow.kernel.pipelines.domain.toml_text import TomlText

_FILES_OF_UV = ("uv.toml",)
_TITLES = {
    "script": "the PEP 723 header",
    "locked": "pyproject.toml with uv.lock",
    "requirements": "requirements.txt",
    "project": "pyproject.toml",
}
"""In the order of precedence."""


@dataclass(frozen=True, kw_only=True)
class Dependencies:
    """What decides the environment.

    Attributes:
        kind: where the dependencies are written.
        files: path -> text; see `EnvironmentRequest.content`.
        needs_code: see `EnvironmentRequest.needs_code`.
        python: `requires-python` of the header or project; None when neither says one.
        notes: what is worth knowing.
    """

    kind: Kind = "none"
    files: Mapping[str, str] = field(default_factory=dict)
    needs_code: bool = False
    python: str | None = None
    notes: tuple[str, ...] = ()


def find_dependencies(source: Source, header: Header | None) -> Dependencies:
    """Read every place where dependencies may be written; the first in the order of precedence counts, and a warning
    tells of the others."""
    given: dict[str, Dependencies] = {}
    if header is not None:
        _note(given, "script", _of_script(source, header))
    if source.kind == "folder":
        project = _of_project(source)
        if project is not None:
            _note(given, "locked" if "uv.lock" in project.files else "project", project)
        _note(given, "requirements", _of_requirements(source))
    ranked = [name for name in _TITLES if name in given]
    if not ranked:
        return Dependencies(python=_python(header, source))
    chosen, *others = ranked
    if others:
        source.faults.warning(
            source.script if chosen == "script" else _file_of(others[0], source),
            f"Dependencies are written in {' and in '.join(_TITLES[name] for name in ranked)}; "
            f"{_TITLES[chosen]} counts.",
            "Keep one of them: a PEP 723 header comes before uv.lock, uv.lock before requirements.txt.",
        )
    result = given[chosen]
    is_empty = not result.files
    return Dependencies(
        kind="none" if is_empty else result.kind,
        files=result.files,
        needs_code=result.needs_code,
        python=_python(header, source),
        notes=result.notes,
    )


def _note(given: dict[str, Dependencies], name: str, found: Dependencies | None) -> None:
    if found is not None:
        given[name] = found


def _file_of(place: str, source: Source) -> str:
    files = {"script": source.script, "locked": "pyproject.toml", "project": "pyproject.toml"}
    return files.get(place, "requirements.txt")


def _python(header: Header | None, source: Source) -> str | None:
    """`requires-python` of the header, else of the project."""
    if header is not None and "requires-python" in header.toml.table:
        return _specifier(header.toml, source)
    pyproject = source.toml("pyproject.toml") if source.kind == "folder" else None
    if pyproject is not None and "requires-python" in pyproject.below("project").table:
        return _specifier(pyproject.below("project"), source)
    return None


def _specifier(toml: TomlText, source: Source) -> str | None:
    value = toml.table["requires-python"]
    if not isinstance(value, str) or not _is_specifier(value):
        source.faults.error(
            toml.file,
            f"requires-python = {value!r} is no version specifier.",
            'Write it as ">=3.11" or "==3.12.*".',
            line=toml.line("requires-python"),
        )
        return None
    return value.strip() or None


def _is_specifier(text: str) -> bool:
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return False
    return True


# --- PEP 723 ---------------------------------------------------------------------------------------------------------


def _of_script(source: Source, header: Header) -> Dependencies | None:
    table = header.toml.table
    if "dependencies" not in table:
        return None
    _check_list(header.toml, source, "dependencies")
    if not table["dependencies"]:
        return Dependencies()  # says that there are none
    files = {source.script: header.block} | _texts(source, f"{source.script}.lock", *_FILES_OF_UV)
    return Dependencies(kind="script", files=files, needs_code=_has_local_sources(table))


# --- pyproject.toml --------------------------------------------------------------------------------------------------


def _of_project(source: Source) -> Dependencies | None:
    pyproject = source.toml("pyproject.toml")
    if source.has("uv.lock") and not source.has("pyproject.toml"):
        hint = "Add the pyproject.toml that was locked, or remove uv.lock."
        source.faults.error("uv.lock", "There is a uv.lock but no pyproject.toml.", hint)
        return None
    if pyproject is None or not isinstance(pyproject.document.get("project"), Mapping):
        return None
    project = pyproject.below("project")
    _check_list(project, source, "dependencies")
    is_locked = source.has("uv.lock")
    is_dynamic = bool(project.table.get("dynamic"))
    if not is_locked and not is_dynamic and not project.table.get("dependencies"):
        return None
    if is_locked:
        source.toml("uv.lock")
    notes = () if is_locked else ("pyproject.toml has no uv.lock: its dependencies are resolved once, then kept.",)
    return Dependencies(
        kind="project",
        files=_texts(source, "pyproject.toml", "uv.lock", *_FILES_OF_UV),
        needs_code=is_dynamic or _has_local_sources(pyproject.document) or _has_local_sources(project.table),
        notes=notes,
    )


# --- requirements.txt ------------------------------------------------------------------------------------------------


def _of_requirements(source: Source) -> Dependencies | None:
    text = source.text("requirements.txt")
    if text is None:
        return None
    files = _texts(source, *_FILES_OF_UV)
    pending, needs_code, is_empty = ["requirements.txt"], False, True
    while pending:
        path = pending.pop()
        text = source.text(path)
        if text is None or path in files:
            continue
        files[path] = text
        found = read_requirements(text, path, source.faults)
        needs_code = needs_code or found.has_local_paths
        is_empty = is_empty and found.is_empty
        pending += [included for included, line in found.includes if _can_include(source, path, included, line)]
    if is_empty:
        return Dependencies()
    return Dependencies(kind="requirements", files=files, needs_code=needs_code)


def _can_include(source: Source, path: str, included: str, line: int) -> bool:
    if "://" in included or included.startswith(("http:", "https:")):
        return False  # uv fetches it
    if source.has(included):
        return True
    if included.startswith(("..", "/")):
        hint = "Copy it into the pipeline's folder: a run gets a copy of that folder alone."
        source.faults.error(path, f"The file {included!r} lies outside the pipeline's folder.", hint, line=line)
    else:
        hint = "Correct the path; it is relative to this file."
        source.faults.error(path, f"The file {included!r} is not there.", hint, line=line)
    return False


# --- shared ----------------------------------------------------------------------------------------------------------


def _texts(source: Source, *paths: str) -> dict[str, str]:
    texts = {path: source.text(path) for path in paths}
    return {posixpath.normpath(path): text for path, text in texts.items() if text is not None}


def _check_list(toml: TomlText, source: Source, key: str) -> None:
    value = toml.table.get(key, [])
    hint = 'Write a list of requirements, such as ["pandas>=2.2"].'
    if not isinstance(value, list):
        source.faults.error(toml.file, f"{key} is no list.", hint, line=toml.line(key))
        return
    for item in value:
        problem = "it is no text" if not isinstance(item, str) else requirement_problem(item)
        if problem is not None and not (isinstance(item, str) and is_local_requirement(item)):
            line = _line_of_item(toml, key, item)
            source.faults.error(toml.file, f"{str(item)[:80]!r} is no requirement: {problem}.", hint, line=line)


def _line_of_item(toml: TomlText, key: str, item: Any) -> int | None:
    start = toml.line(key)
    if start is None:
        return None
    lines = toml.text.splitlines()[start - toml.first_line :]
    return next((start + offset for offset, line in enumerate(lines) if str(item) in line), start)


def _has_local_sources(table: Mapping[str, Any]) -> bool:
    """Whether `[tool.uv.sources]` names a path or workspace, or a requirement is `name @ file:...`."""
    tool = table.get("tool")
    uv = tool.get("uv") if isinstance(tool, Mapping) else None
    sources = uv.get("sources") if isinstance(uv, Mapping) else None
    for entry in sources.values() if isinstance(sources, Mapping) else ():
        for item in entry if isinstance(entry, list) else [entry]:
            if isinstance(item, Mapping) and ("path" in item or "workspace" in item):
                return True
    requirements = table.get("dependencies")
    return isinstance(requirements, list) and any(isinstance(r, str) and is_local_requirement(r) for r in requirements)
