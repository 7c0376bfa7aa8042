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
from fastflow.apps.churn.infra.engine.sources import Source, Wanted, first_line

PANEL_FILE = "panel.parquet"
WRITTEN_AS = "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"


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
    source.unreadable(wanted, faults)
    faults.stop()
    if not rows:
        raise refuse(None, None, "the file has a header but no row")
    notes = check_cells(connection, source, meant, target, faults)
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
    query, picked = source.select(wanted), ", ".join(_as_kept(column) for column in columns)

    def write(line: str, beside: str) -> int:
        done = run(
            connection,
            f"COPY (SELECT {picked}, {line} AS source_line FROM ({query}){beside}) TO {literal(target)} {WRITTEN_AS}",
        )
        return int(done[0][0])

    rows = write(*source.line_of_row(-1 if source.shape is None else source.shape.lines - 1, folder))
    has_rejects = source.shape is not None and bool(run(connection, "FROM reject_errors LIMIT 1"))
    if source.shape is not None and rows + 1 != source.shape.lines and not has_rejects:
        write(*source.line_of_row(rows, folder))
    return rows if not has_rejects else -1


def run(connection: duckdb.DuckDBPyConnection, query: str) -> list[Any]:
    """Rows of a query over the file.

    Raises:
        Faulty: the engine cannot read the file.
    """
    try:
        return connection.execute(query).fetchall()
    except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.IOException) as error:
        raise refuse(None, None, f"the file cannot be read: {first_line(error)}") from error


def _as_kept(column: PanelColumn) -> str:
    name = quoted(column.name)
    if column.type == "state":
        kept = f"CASE lower(trim({name})) WHEN '1' THEN 1 WHEN '1.0' THEN 1 WHEN 'true' THEN 1 "
        return f"CAST({kept} WHEN '0' THEN 0 WHEN '0.0' THEN 0 WHEN 'false' THEN 0 END AS TINYINT) AS {name}"
    if column.type == "month":
        month = f"TRY_CAST(regexp_extract(trim({name}), '^([0-9]{{6}})([.]0)?$', 1) AS INTEGER)"
        return f"CASE WHEN {month} // 100 BETWEEN 1900 AND 2199 AND {month} % 100 BETWEEN 1 AND 12 THEN {month} END AS {name}"
    if column.role in KEYS:
        return f"nullif(trim({name}), '') AS {name}"
    if column.type == "text":
        return name
    known = f"CASE WHEN isfinite({name}) THEN {name} END"
    if column.type == "integer":
        return f"CASE WHEN {known} = trunc({name}) AND abs({name}) < 9e15 THEN CAST({name} AS BIGINT) END AS {name}"
    return f"{known} AS {name}"


def describe_panel(connection: duckdb.DuckDBPyConnection, target: Path) -> dict[str, Any]:
    """What there is to say of a written panel."""
    rows, customers, first, last = connection.execute(
        f"SELECT count(*), count(DISTINCT Kunde), min(I_TIMEBASE), max(I_TIMEBASE) FROM read_parquet({literal(target)})"
    ).fetchall()[0]
    return {"rows": rows, "customers": customers, "first_month": first, "last_month": last}
