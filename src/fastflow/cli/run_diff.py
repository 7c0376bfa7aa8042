"""`fastflow runs diff`: what two runs differ in, down to files and packages; and what was compared."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer

from fastflow.cli.output import duration, local_time, print_table, printable, shown
from fastflow.kit.words import counted

_MOST_SHOWN = 50
_TOLD_BY_FILES = ("capsule.tree_hash", "capsule.environment.input_hash")
_TOLD_BY_PACKAGES = ("environment",)
_COLUMNS = (
    ("field", lambda each: str(each["field"]).removeprefix("capsule.")),
    ("a", lambda each: _value(each["left"])),
    ("b", lambda each: _value(each["right"])),
)


def print_diff(diff: Mapping[str, Any]) -> None:
    """The comparison on stdout; both runs on stderr."""
    for name, run in (("A", diff["left"]), ("B", diff["right"])):
        typer.echo(f"{name}  {_headline(run)}", err=True)
    if not diff["differences"]:
        typer.echo(f"Nothing differs. Compared: {', '.join(diff['compared'])}.")
        return
    rows = [each for each in diff["differences"] if each["field"] not in _hidden(diff)]
    for line in (*_code_lines(diff), *_package_lines(diff)):
        typer.echo(printable(line))
    if rows:
        print_table(rows, _COLUMNS, empty="")
    typer.echo(f"All else is the same. Compared: {', '.join(diff['compared'])}.", err=True)


def _headline(run: Mapping[str, Any]) -> str:
    took = f", took {duration(run['started_at'], run['finished_at'])}" if run["started_at"] else ""
    return f"{run['id']}  {run['pipeline_name']}  {run['status']}, submitted {local_time(run['queued_at'])}{took}"


def _hidden(diff: Mapping[str, Any]) -> Sequence[str]:
    """Fields that say in a hash what the files and packages say in words."""
    return (*(_TOLD_BY_FILES if diff["files"] else ()), *(_TOLD_BY_PACKAGES if diff["packages"] else ()))


def _differs(diff: Mapping[str, Any], field: str) -> bool:
    return any(each["field"] == field for each in diff["differences"])


def _code_lines(diff: Mapping[str, Any]) -> Iterator[str]:
    files = diff["files"]
    if files is None:
        yield "code: it differs, but a snapshot is gone, so the files cannot be compared"
    elif files:
        yield f"code: {counted(len(files), 'file')} differ" + ("s" if len(files) == 1 else "")
        yield from _first(files, _file_line)
        yield from changed_lines(files[:_MOST_SHOWN])


def _file_line(file: Mapping[str, Any]) -> str:
    added, removed = file["added_lines"], file["removed_lines"]
    if file["kind"] == "mode":
        return f"{file['path']}: executable in one of them alone"
    if added is None:
        return f"{file['path']}: {file['kind']}"
    if file["kind"] == "changed":
        return f"{file['path']}: +{added} -{removed} lines"
    return f"{file['path']}: {file['kind']}, {counted(added or removed, 'line')}"


def changed_lines(files: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The changed lines of these files, as far as the API shows them."""
    for file in files:
        if file.get("diff"):
            yield f"--- {file['path']}"
            yield from file["diff"].split("\n")
            if file["is_cut"]:
                yield "... (cut)"


def _package_lines(diff: Mapping[str, Any]) -> Iterator[str]:
    packages = diff["packages"]
    if packages is None and _differs(diff, "environment"):
        yield "environment: it differs, but one of them is not at hand, so the packages cannot be compared"
    elif packages:
        yield f"environment: {counted(len(packages), 'package')} differ" + ("s" if len(packages) == 1 else "")
        yield from _first(packages, _package_line)


def _package_line(package: Mapping[str, Any]) -> str:
    if package["left"] is None:
        return f"{package['name']}: added, {package['right']}"
    if package["right"] is None:
        return f"{package['name']}: removed, was {package['left']}"
    return f"{package['name']}: {package['left']} → {package['right']}"


def _first(items: Sequence[Mapping[str, Any]], line: Any) -> Iterator[str]:
    yield from (f"  {line(item)}" for item in items[:_MOST_SHOWN])
    if len(items) > _MOST_SHOWN:
        yield f"  and {len(items) - _MOST_SHOWN} more (--json shows all)"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)
