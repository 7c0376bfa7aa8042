"""From a pipeline's files to the pipeline: settings, dependencies, imports, and everything that is wrong."""

import ast
from collections.abc import Callable, Collection, Sequence
from dataclasses import fields

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from fastflow.kernel.pipelines.domain.code import MAX_SOURCE_BYTES, decode_source, find_imports, parse_source
from fastflow.kernel.pipelines.domain.dependencies import find_dependencies
from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.domain.header import Header, read_header
from fastflow.kernel.pipelines.domain.misplaced import take_out_misplaced
from fastflow.kernel.pipelines.domain.pipeline import Pipeline, PipelineSettings
from fastflow.kernel.pipelines.domain.settings import read_settings
from fastflow.kernel.pipelines.domain.source import Source
from fastflow.kernel.pipelines.domain.toml_text import TomlText
from fastflow.kernel.pipelines.domain.unread import find_unread_after

SETTINGS_FILE = "pipeline.toml"
_CHECKED_MODULES = 500
"""Modules beside the script that are parsed; a pipeline with more ships a library."""


Judge = Callable[[TomlText, FaultList, PipelineSettings], None]
"""Notes what is wrong with settings that rooms above this one understand; gets the table they were read from."""


def read_pipeline(
    source: Source, *, server_python: str, known_executors: Collection[str] | None = None, judges: Sequence[Judge] = ()
) -> Pipeline:
    """The pipeline, with whatever is wrong in its faults; never raises because of a file's content.

    Args:
        source: its files.
        server_python: version of the Python that parses the code, such as `3.11.7`: code for a newer one may be right.
        known_executors: names a pipeline may choose from; None: any.
        judges: look at the settings as well.
    """
    text = _script_text(source)
    header = read_header(text, source.script, source.faults) if text is not None else None
    settings = _settings(source, header, known_executors, judges)
    dependencies = find_dependencies(source, header)
    python = settings.python or dependencies.python
    modules = _modules(source, text, is_ours=_admits(python, server_python)) if text is not None else ()
    taken = {field.name: getattr(settings, field.name) for field in fields(PipelineSettings)} | {"python": python}
    if settings.after is None and source.faults.has_errors:
        unread = find_unread_after(source, SETTINGS_FILE)
        taken["unread_after"] = None if unread is None else tuple(unread)
    return Pipeline(
        name=source.name,
        kind=source.kind,
        script=source.script,
        dependencies=dependencies.kind,
        environment_files=dependencies.files,
        environment_needs_code=dependencies.needs_code,
        modules=modules,
        faults=tuple(sorted(source.faults.found, key=lambda fault: (fault.severity, fault.file, fault.line or 0))),
        notes=dependencies.notes,
        **taken,
    )


def _script_text(source: Source) -> str | None:
    data = source.read(source.script)
    if data is None:
        return None
    if len(data) > MAX_SOURCE_BYTES:
        source.faults.error(
            source.script, f"The script has {len(data):,} bytes.", f"At most {MAX_SOURCE_BYTES:,} are read as source."
        )
        return None
    return decode_source(data, source.script, source.faults)


def _settings(
    source: Source, header: Header | None, known_executors: Collection[str] | None, judges: Sequence[Judge]
) -> PipelineSettings:
    """The settings of the first place that has any: pipeline.toml, the header, pyproject.toml."""
    places: list[tuple[str, TomlText]] = []
    if source.kind == "folder" and source.has(SETTINGS_FILE):
        own = source.toml(SETTINGS_FILE)
        if own is not None:
            places.append((SETTINGS_FILE, take_out_misplaced(own, source.faults, owner="file")))
    if header is not None:
        places += _fastflow_table("the PEP 723 header", header.toml, source, owner="header")
    pyproject = source.toml("pyproject.toml") if source.kind == "folder" else None
    if pyproject is not None:
        places += _fastflow_table("pyproject.toml", pyproject, source, owner="project")
    if not places:
        return PipelineSettings()
    if len(places) > 1:
        toml = places[1][1]
        source.faults.warning(
            toml.file,
            f"Settings are written in {' and in '.join(name for name, _ in places)}; {places[0][0]} alone counts.",
            "Keep one of them.",
            line=toml.line(),
        )
    settings = read_settings(places[0][1], source.faults, known_executors)
    for judge in judges:
        judge(places[0][1], source.faults, settings)
    return settings


def _fastflow_table(place: str, toml: TomlText, source: Source, *, owner: str) -> list[tuple[str, TomlText]]:
    tool = toml.document.get("tool", {})
    if not isinstance(tool, dict) or "fastflow" not in tool:
        return []
    table = toml.below("tool", "fastflow")
    if not isinstance(tool["fastflow"], dict):
        source.faults.error(toml.file, "tool.fastflow is no table.", "Head it with [tool.fastflow].", line=table.line())
        return []
    return [(f"[tool.fastflow] of {place}", take_out_misplaced(table, source.faults, owner=owner))]


def _modules(source: Source, script_text: str, *, is_ours: bool) -> tuple[str, ...]:
    """Imports of the script and of what it imports from beside it; notes what cannot be parsed."""
    trees: dict[str, ast.Module | None] = {}
    # Our parser is the server's Python. A newer one knows more syntax; and a file beside the script may be a template.
    report = source.faults.error if is_ours else source.faults.warning
    trees[source.script] = parse_source(script_text, source.script, report)
    beside = [path for path in source.files.paths if path.endswith(".py") and path != source.script]
    for path in sorted(beside, key=lambda path: (path.count("/"), path))[:_CHECKED_MODULES]:
        trees[path] = _tree(source, path)
    return find_imports(source.script, source.files.paths, trees.get)


def _tree(source: Source, path: str) -> ast.Module | None:
    data = source.read(path)
    if data is None or len(data) > MAX_SOURCE_BYTES:
        return None
    before = len(source.faults.found)
    text = decode_source(data, path, source.faults)
    if text is not None:
        return parse_source(text, path, source.faults.warning)
    for index, fault in enumerate(source.faults.found[before:], start=before):
        source.faults.found[index] = type(fault)(**(vars(fault) | {"severity": "warning"}))
    return None


def _admits(python: str | None, server_python: str) -> bool:
    """Whether a pipeline that asks for `python` may run on the server's own version."""
    if python is None or server_python.startswith(python):
        return True
    try:
        return SpecifierSet(python).contains(server_python, prereleases=True)
    except InvalidSpecifier:
        return False
