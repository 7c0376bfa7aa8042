"""How answers are shown: JSON as the API gave it, tables (coloured on a terminal, plain columns elsewhere), times, sizes."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import typer

from fastflow.kit.quantities import seconds

Column = tuple[str, Callable[[Mapping[str, Any]], object]]
"""Heading, and what a row shows under it."""

STATUS_STYLES = {
    "SUCCESS": "green",
    "FAILED": "red",
    "RUNNING": "cyan",
    "PENDING": "yellow",
    "error": "red",
    "warning": "yellow",
}
"""Words that stand out on a terminal."""


def print_json(data: Any) -> None:
    """The data as indented JSON."""
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False))


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column], *, empty: str) -> None:
    """The rows as a table; `empty` on stderr when there is none, so that a pipe gets nothing."""
    if not rows:
        typer.echo(empty, err=True)
        return
    cells = [[printable(shown(cell(row))) for _, cell in columns] for row in rows]
    headings = [heading for heading, _ in columns]
    if sys.stdout.isatty():
        _print_rich(headings, cells)
        return
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    for line in [[heading.upper() for heading in headings], *cells]:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_fields(fields: Mapping[str, object]) -> None:
    """Names and values, one a line; what is None or empty is left out."""
    shown_fields = {name: value for name, value in fields.items() if value not in (None, "", [], {}, ())}
    width = max((len(name) for name in shown_fields), default=0)
    for name, value in shown_fields.items():
        typer.echo(f"{name.ljust(width)}  {printable(shown(value))}")


def _print_rich(headings: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich.console import Console  # only a terminal needs it
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell, style=STATUS_STYLES.get(cell, "")) for cell in row))
    Console().print(table)


def shown(value: object) -> str:
    """One value in words."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(shown(item) for item in value) or "-"
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def printable(text: str) -> str:
    """The text without control characters, which could do more to a terminal than show something."""
    return text if text.isprintable() else "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def local_time(text: str | None) -> str:
    """An instant of the API in the local time zone, to the second."""
    if not text:
        return "-"
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(started: str | None, finished: str | None) -> str:
    """Between two instants of the API; until now when the second is missing."""
    if not started:
        return "-"
    end = datetime.fromisoformat(finished) if finished else datetime.now(UTC)
    return seconds((end - datetime.fromisoformat(started)).total_seconds())
