"""Keys that stand below the wrong heading: TOML counts every key to the table whose heading comes before it, so that
dependencies written after `[tool.fastflow.params]` would silently not be installed."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.domain.toml_text import TomlText

_ELSEWHERE: Mapping[str, type] = {"dependencies": list, "requires-python": str}
"""Keys of a PEP 723 header or of [project], and what they hold: a parameter of the same name holds something else."""


def take_out_misplaced(toml: TomlText, faults: FaultList, *, owner: str) -> TomlText:
    """The document without keys that do not belong below a pipeline's settings; each of them is noted.

    Args:
        toml: the settings' table.
        faults: takes the notes.
        owner: where the keys belong: `header`, `project`, or `file` for a pipeline.toml, which has no place for them.
    """
    paths = list(_find(toml.table, ()))
    for path in paths:
        heading = ".".join((*toml.at, *path[:-1]))
        where = f"[{heading}]" if heading else toml.file
        faults.error(
            toml.file,
            f"{path[-1]} stands in {where} and is not read there: nothing would be installed.",
            _HINTS[owner],
            line=toml.line(*path),
        )
    if not paths:
        return toml
    document = toml.document
    for path in paths:
        document = _without(document, (*toml.at, *path))
    return replace(toml, document=document)


_HINTS = {
    "header": "Move the line up, above the first heading in [brackets]: a key below a heading belongs to that table.",
    "project": "Move the line below the heading [project].",
    "file": "Write dependencies into a requirements.txt beside main.py, or into a PEP 723 header of the script.",
}


def _find(table: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for key, value in table.items():
        if isinstance(value, _ELSEWHERE.get(key, ())):
            yield (*path, key)
        elif isinstance(value, Mapping):
            yield from _find(value, (*path, key))


def _without(table: Mapping[str, Any], path: tuple[str, ...]) -> Mapping[str, Any]:
    first, *rest = path
    if not rest:
        return {key: value for key, value in table.items() if key != first}
    return {key: _without(value, tuple(rest)) if key == first else value for key, value in table.items()}
