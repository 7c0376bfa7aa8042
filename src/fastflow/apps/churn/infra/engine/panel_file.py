"""A panel file becomes the workbench's Parquet: read, cast, written, then judged as a whole; nothing of it is kept if it has a
fault."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from fastflow.apps.churn.domain.dictionary import IGNORED, KEYS, Dictionary, PanelColumn, read_dictionary
from fastflow.apps.churn.infra.engine.checks import check_cells, check_lives
from fastflow.apps.churn.infra.engine.connection import literal, quoted
from fastflow.apps.churn.infra.engine.faults import Faults, refuse
from fastflow.apps.churn.infra.engine.kept import LINE, NARROW, WIDE, WRITTEN_AS, written_in_order
from fastflow.apps.churn.infra.engine.sources import Source, Wanted, first_line
from fastflow.apps.churn.infra.engine.words import check_words

PANEL_FILE = "panel.parquet"


def make_panel(
    connection: duckdb.DuckDBPyConnection, path: Path, folder: Path, dictionary: dict[str, Any]
) -> dict[str, Any]:
    """Write the file's panel into the folder; what there is to say of it.

    Raises:
        Faulty: the file has faults.
    """
    meant = read_dictionary(dictionary)
    source = Source(connection, path, meant.decimal)
    wanted = [Wanted(one.source, one.name, one.type in ("integer", "number")) for one in meant.taken()]
    _match_columns(source, meant, wanted)
    target = folder / PANEL_FILE
    rows = _write(connection, source, meant.taken(), wanted, target, folder)
    faults = Faults()
    if rows < 0 or source.shape is None:
        source.unreadable(wanted, faults)
    faults.stop()
    if not rows:
        raise refuse(None, None, "the file has a header but no row")
    notes = check_cells(connection, source, meant, target, faults)
    notes += check_words(connection, meant, target, faults)
    check_lives(connection, meant, target, faults)
    faults.stop()
    return {**describe_panel(connection, target), "notes": notes}


def _match_columns(source: Source, meant: Dictionary, wanted: Sequence[Wanted]) -> None:
    faults = Faults()
    source.missing(wanted, faults)
    known = {column.source for column in meant.columns}
    for name in source.names:
        if name not in known:
            faults.add(1, name, f"the dictionary does not know this column; give it a role, {IGNORED} to leave it out")
    faults.stop()


def _write(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    columns: Sequence[PanelColumn],
    wanted: Sequence[Wanted],
    target: Path,
    folder: Path,
) -> int:
    """How many rows were written; -1: the file has lines that cannot be read."""
    narrow = ", ".join(_as_kept(column, NARROW) for column in columns)
    picked = ", ".join(_as_kept(column) for column in columns)
    whole = source.select_whole(wanted)
    rows = _write_whole(connection, f"SELECT {narrow} FROM ({whole})", target, source.first_line)
    if rows is not None and (source.shape is None or rows + 1 == source.shape.lines):
        if _needs_wide(connection, columns, whole, target, rows):
            return _write_whole(connection, f"SELECT {picked} FROM ({whole})", target, source.first_line) or -1
        return rows
    query = source.select(wanted)

    def write(line: str, beside: str) -> int:
        rows = f"SELECT {picked}, {line} AS {LINE} FROM ({query}){beside}"
        done = run(connection, f"COPY ({rows}) TO {literal(target)} {WRITTEN_AS}", source)
        return int(done[0][0])

    if rows is None:
        rows = write(*source.line_of_row(-1 if source.shape is None else source.shape.lines - 1, folder))
        if source.shape is None or rows + 1 == source.shape.lines:
            return rows
        if run(connection, "FROM reject_errors LIMIT 1"):
            return -1
    return write(*source.line_of_row(rows, folder))


def _write_whole(connection: duckdb.DuckDBPyConnection, query: str, target: Path, first_line: int) -> int | None:
    """How many rows were written; None: something cannot be read, which another reading will name."""
    try:
        done = connection.execute(f"COPY ({query}) TO {literal(target)} {written_in_order(first_line)}").fetchall()
    except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.IOException):
        return None
    return int(done[0][0])


def _needs_wide(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[PanelColumn], whole: str, target: Path, rows: int
) -> bool:
    """Whether a column of whole numbers has one that its narrow type does not hold."""
    numbers = [quoted(column.name) for column in columns if column.type == "integer"]
    if not numbers:
        return False
    counted = f"SELECT {', '.join(f'count({name})' for name in numbers)} FROM read_parquet({literal(target)})"
    known = connection.execute(counted).fetchall()[0]
    lost = [name for name, count in zip(numbers, known, strict=True) if count < rows]
    if not lost:
        return False
    wide = ", ".join(f"bool_or(isfinite({name}) AND abs({name}) >= 2147483648)" for name in lost)
    return any(connection.execute(f"SELECT {wide} FROM ({whole})").fetchall()[0])


def run(connection: duckdb.DuckDBPyConnection, query: str, source: Source | None = None) -> list[Any]:
    """Rows of a query over the file.

    Raises:
        Faulty: the engine cannot read the file.
    """
    try:
        return connection.execute(query).fetchall()
    except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.IOException) as error:
        odd = None if source is None else source.odd_line_end()
        if odd is not None:
            told = "the line ends otherwise (LF or CRLF) than those before; write all lines with one kind of end"
            raise refuse(odd, None, told) from error
        raise refuse(None, None, f"the file cannot be read: {first_line(error)}") from error


def _as_kept(column: PanelColumn, whole_number: str = WIDE) -> str:
    name = quoted(column.name)
    if column.type == "state":
        other = f"CASE lower(trim({name})) WHEN '1' THEN 1 WHEN '1.0' THEN 1 WHEN 'true' THEN 1 "
        other += "WHEN '0' THEN 0 WHEN '0.0' THEN 0 WHEN 'false' THEN 0 END"
        return f"CAST(CASE {name} WHEN '1' THEN 1 WHEN '0' THEN 0 ELSE {other} END AS TINYINT) AS {name}"
    if column.type == "month":
        other = f"regexp_extract(trim({name}), '^([0-9]{{6}})([.]0)?$', 1)"
        month = f"TRY_CAST(CASE WHEN length({name}) = 6 THEN {name} ELSE {other} END AS INTEGER)"
        return f"CASE WHEN {month} // 100 BETWEEN 1900 AND 2199 AND {month} % 100 BETWEEN 1 AND 12 THEN {month} END AS {name}"
    if column.role in KEYS:
        return f"nullif(trim({name}), '') AS {name}"
    if column.type == "text":
        return name
    if column.type == "integer":  # neither NaN nor what is infinite is below a number
        kept = f"TRY_CAST({name} AS {whole_number})"
        return f"CASE WHEN {kept} = {name} AND abs({name}) < 9e15 THEN {kept} END AS {name}"
    return f"CASE WHEN isfinite({name}) THEN {name} END AS {name}"


def describe_panel(connection: duckdb.DuckDBPyConnection, target: Path) -> dict[str, Any]:
    """What there is to say of a written panel."""
    rows, customers, first, last = connection.execute(
        f"SELECT count(*), count(DISTINCT Kunde), min(I_TIMEBASE), max(I_TIMEBASE) FROM read_parquet({literal(target)})"
    ).fetchall()[0]
    return {"rows": rows, "customers": customers, "first_month": first, "last_month": last}
