"""What has to hold in a panel: in each cell, in each column, and in each customer's life from month to month."""

from pathlib import Path

import duckdb

from fastflow.apps.churn.domain.dictionary import ALIVE, CUSTOMER, MONTH, Dictionary, PanelColumn
from fastflow.apps.churn.infra.engine.connection import literal, quoted
from fastflow.apps.churn.infra.engine.faults import MOST_TOLD, Faults, shown
from fastflow.apps.churn.infra.engine.sources import Source, Wanted

LONGEST_TEXT = 1000
LONGEST_CUSTOMER = 200
MUCH_UNKNOWN = 0.5
"""A share of unknown values from which a column is worth a note."""
_WANTED = {
    CUSTOMER: "the cell is empty; each row needs its customer",
    MONTH: "{value} is no month; write it as YYYYMM, such as 202401",
    ALIVE: "{value} is neither 1 (alive) nor 0 (dead)",
}


def check_cells(
    connection: duckdb.DuckDBPyConnection, source: Source, meant: Dictionary, target: Path, faults: Faults
) -> list[str]:
    """Tell cells that cannot be; notes on columns of which little is known."""
    columns = meant.taken()
    panel = f"read_parquet({literal(target)})"
    asked = ["count(*)"] + [f"count({quoted(column.name)}), {_length(column)}" for column in columns]
    found = connection.execute(f"SELECT {', '.join(asked)} FROM {panel}").fetchall()[0]
    rows, notes = found[0], []
    for position, column in enumerate(columns):
        known, longest = found[1 + 2 * position], found[2 + 2 * position] or 0
        if column.name in _WANTED and known < rows:
            _tell_keys(connection, source, column, target, faults)
        elif column.type == "integer" and known < rows and _tell_fractions(connection, source, column, target, faults):
            continue
        elif column.name not in _WANTED and not known:
            faults.add(None, column.source, "no row has a value that is known (a number, not NaN, not empty)")
        elif known < rows * (1 - MUCH_UNKNOWN):
            notes.append(f"{column.name} is unknown in {rows - known} of {rows} rows (empty, NaN or infinite).")
        if longest > (LONGEST_CUSTOMER if column.name == CUSTOMER else LONGEST_TEXT):
            _tell_long(connection, column, panel, faults)
    return notes


def _length(column: PanelColumn) -> str:
    return f"max(length({quoted(column.name)}))" if column.type == "text" else "0"


def _tell_keys(
    connection: duckdb.DuckDBPyConnection, source: Source, column: PanelColumn, target: Path, faults: Faults
) -> None:
    name = quoted(column.name)
    bare = source.select([Wanted(column.source, column.name, is_number=False)])
    found = connection.execute(
        f"SELECT p.source_line, s.{name}, count(*) OVER () FROM ({bare}) AS s POSITIONAL JOIN "
        f"(SELECT source_line, {name} FROM read_parquet({literal(target)})) AS p WHERE p.{name} IS NULL "
        f"ORDER BY 1 LIMIT {MOST_TOLD}"
    ).fetchall()
    for line, value, _count in found:
        faults.add(
            line, column.source, _WANTED[column.name].format(value="the empty cell" if value is None else shown(value))
        )
    faults.untold(found[0][2] - len(found) if found else 0)


def _tell_fractions(
    connection: duckdb.DuckDBPyConnection, source: Source, column: PanelColumn, target: Path, faults: Faults
) -> bool:
    """Numbers that a column of whole numbers lost."""
    name = quoted(column.name)
    bare = source.select([Wanted(column.source, column.name, is_number=True)])
    found = connection.execute(
        f"SELECT p.source_line, s.{name}, count(*) OVER () FROM ({bare}) AS s POSITIONAL JOIN "
        f"(SELECT source_line FROM read_parquet({literal(target)})) AS p WHERE isfinite(s.{name}) AND "
        f"(s.{name} <> trunc(s.{name}) OR abs(s.{name}) >= 9e15) ORDER BY 1 LIMIT {MOST_TOLD}"
    ).fetchall()
    for line, value, _count in found:
        faults.add(line, column.source, f"{value} is no whole number; the dictionary may call the column a number")
    faults.untold(found[0][2] - len(found) if found else 0)
    return bool(found)


def _tell_long(connection: duckdb.DuckDBPyConnection, column: PanelColumn, panel: str, faults: Faults) -> None:
    name, most = quoted(column.name), LONGEST_CUSTOMER if column.name == CUSTOMER else LONGEST_TEXT
    found = connection.execute(
        f"SELECT source_line, length({name}), count(*) OVER () FROM {panel} WHERE length({name}) > {most} "
        f"ORDER BY source_line LIMIT {MOST_TOLD}"
    ).fetchall()
    for line, length, _count in found:
        faults.add(line, column.source, f"the cell has {length} characters; at most {most} are taken")
    faults.untold(found[0][2] - len(found) if found else 0)


def check_lives(connection: duckdb.DuckDBPyConnection, meant: Dictionary, target: Path, faults: Faults) -> None:
    """Tell months that a customer has twice, months that are missing, and life after death."""
    ways = ["months = months_before"]
    if meant.gaps == "refuse":
        ways.append("months > months_before + 1")
    if meant.returns == "refuse":
        ways.append("alive_before = 0 AND I_Alive = 1")
    found = connection.execute(
        "SELECT source_line, Kunde, I_TIMEBASE, month_before, line_before, "
        "CASE WHEN months = months_before THEN 'twice' WHEN alive_before = 0 AND I_Alive = 1 THEN 'back' ELSE 'gap' END, "
        "count(*) OVER () FROM (SELECT *, I_TIMEBASE // 100 * 12 + I_TIMEBASE % 100 AS months, "
        "lag(I_TIMEBASE // 100 * 12 + I_TIMEBASE % 100) OVER w AS months_before, lag(I_TIMEBASE) OVER w AS month_before, "
        "lag(source_line) OVER w AS line_before, lag(I_Alive) OVER w AS alive_before "
        f"FROM (SELECT Kunde, I_TIMEBASE, I_Alive, source_line FROM read_parquet({literal(target)}) "
        "WHERE Kunde IS NOT NULL AND I_TIMEBASE IS NOT NULL) "
        "WINDOW w AS (PARTITION BY Kunde ORDER BY I_TIMEBASE, source_line)) "
        f"WHERE {' OR '.join(f'({way})' for way in ways)} ORDER BY source_line LIMIT {MOST_TOLD}"
    ).fetchall()
    names = {column.name: column.source for column in meant.columns}
    for line, customer, month, before, line_before, what, _count in found:
        whose = f"customer {shown(customer)}"
        if what == "twice":
            faults.add(line, names[MONTH], f"{whose} has a row for {month} on line {line_before} already")
        elif what == "gap":
            told = f"{whose} has no row between {before} (line {line_before}) and {month}"
            faults.add(line, names[MONTH], f'{told}; add them, or say "gaps": "allow" in the dictionary')
        else:
            told = f"{whose} is alive again in {month}, but dead in {before} (line {line_before})"
            faults.add(
                line, names[ALIVE], f'{told}; say "returns": "allow" in the dictionary if customers can come back'
            )
    faults.untold(found[0][6] - len(found) if found else 0)
