"""Queries over the catalogue: guarded, interrupted when they take too long, with as many rows and as much text as a page holds."""

import datetime as dt
import decimal
import math
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import duckdb

from fastflow.apps.churn.infra.engine.catalog import Catalog, bare
from fastflow.apps.churn.infra.engine.connection import literal, quoted
from fastflow.apps.churn.infra.engine.guard import Refused, check

LONGEST_CELL = 10_000
MOST_CHARACTERS = 8_000_000
"""Of all cells of an answer."""
MOST_DOWNLOADED = 1_000_000
_WRITTEN = {"csv": "(FORMAT csv, HEADER)", "parquet": "(FORMAT parquet, COMPRESSION zstd)"}
_PIECE = 256


def run_query(catalog: Catalog, query: str, limit: int, seconds: float) -> dict[str, Any]:
    """Rows of a query, as JSON has them.

    Raises:
        Refused: it may not run, or the engine does not understand it.
    """
    began, connection = monotonic(), catalog.connection
    with _refusals(query), _interrupted(connection, seconds):
        check(connection, query, catalog.names)
        found = connection.execute(query)
        columns = [{"name": str(one[0]), "type": str(one[1])} for one in found.description or ()]
        rows, truncated = _fetched(found, limit)
    return {
        "columns": columns,
        "rows": rows,
        "truncated": truncated,
        "elapsed_ms": round((monotonic() - began) * 1000, 1),
    }


def _fetched(found: duckdb.DuckDBPyConnection, limit: int) -> tuple[list[list[Any]], bool]:
    rows: list[list[Any]] = []
    characters = 0
    while piece := found.fetchmany(min(_PIECE, limit + 1 - len(rows))):
        for row in piece:
            cells = [_cell(value) for value in row]
            characters += sum(len(value) for value in cells if isinstance(value, str))
            if len(rows) == limit or (rows and characters > MOST_CHARACTERS):
                return rows, True
            rows.append(cells)
    return rows, False


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    text = value if isinstance(value, str) else value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]}… ({len(text)} characters)"


def write_query(catalog: Catalog, query: str, target: str, kind: str, seconds: float) -> dict[str, Any]:
    """Write the rows of a query into a file.

    Raises:
        Refused: it may not run, or the engine does not understand it.
    """
    connection = catalog.connection
    with _refusals(query), _interrupted(connection, seconds):
        check(connection, query, catalog.names)
        wrapped = f"SELECT * FROM (\n{bare(connection, query)}) LIMIT {MOST_DOWNLOADED}"
        check(connection, wrapped, catalog.names)
        done = connection.execute(f"COPY ({wrapped}) TO {literal(target)} {_WRITTEN[kind]}").fetchall()
    return {"rows": done[0][0]}


def check_view(catalog: Catalog, name: str, sql: str) -> dict[str, Any]:
    """Judge a view before it is saved: what it reads is there, nothing of it in a circle.

    Raises:
        Refused: it cannot be a view.
    """
    connection = catalog.connection
    names = [one for one in catalog.names if one.casefold() != name.casefold()]
    with _refusals(sql), _interrupted(connection, 10.0):
        reads = check(connection, sql, names)
        _check_circle(catalog, name, reads)
        connection.execute(f"CREATE TEMP VIEW {quoted(f'{name} is tried')} AS {bare(connection, sql)}")
        connection.execute(f"DROP VIEW temp.{quoted(f'{name} is tried')}")
    return {"reads": sorted(reads)}


def _check_circle(catalog: Catalog, name: str, reads: frozenset[str]) -> None:
    by_name = {one.casefold(): sql for one, sql in catalog.views.items()}
    waiting, seen = list(reads), set[str]()
    while waiting:
        one = waiting.pop()
        if one == name.casefold():
            raise Refused(f"The view {name} would read itself.")
        if one in by_name and one not in seen:
            seen.add(one)
            waiting += check(catalog.connection, by_name[one], catalog.names)


def describe(catalog: Catalog) -> dict[str, Any]:
    """All tables and views with their columns."""
    views = dict(catalog.views)
    tables = []
    for name in catalog.names:
        columns = catalog.connection.execute(f"DESCRIBE {quoted(name)}").fetchall()
        shown = [{"name": row[0], "type": row[1]} for row in columns]
        tables.append({"name": name, "kind": "view" if name in views else "table", "columns": shown})
    return {"tables": tables, "broken": dict(catalog.broken)}


@contextmanager
def _interrupted(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, connection.interrupt)
    timer.start()
    try:
        yield
    except duckdb.InterruptException as error:
        raise Refused(f"The query took longer than {seconds:g} seconds and was stopped.") from error
    finally:
        timer.cancel()


@contextmanager
def _refusals(query: str) -> Iterator[None]:
    """What the engine says of a query, with the place in it."""
    try:
        yield
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        raise Refused("The query needs more memory than the SQL engine is given; ask for less.") from error
    except duckdb.Error as error:
        raise Refused(*told(str(error), query)) from error


def told(message: str, query: str) -> tuple[str, int | None, int | None]:
    """A message of the engine without its drawing, and the line and column that this shows."""
    words, _, drawing = message.replace("\t", "    ").partition("\n\nLINE ")
    shown = re.match(r"(\d+): (.*)\n( *)\^", drawing)
    if shown is None:
        return words[:2000], None, None
    number, text = int(shown[1]), shown[2]
    column = len(shown[3]) - len(f"LINE {number}: ")
    lines = query.split("\n")
    if text.startswith("...") and number <= len(lines):
        piece = text[3:].removesuffix("...")
        start = lines[number - 1].find(piece)
        column = column - 3 + start if start >= 0 else column
    return words[:2000], number, column + 1
