"""What has to hold in a panel: in each cell, in each column, and in each customer's life from month to month."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from fastflow.apps.churn.domain.dictionary import ALIVE, CUSTOMER, MONTH, Dictionary, PanelColumn
from fastflow.apps.churn.infra.engine.connection import quoted
from fastflow.apps.churn.infra.engine.faults import MOST_TOLD, Fault, Faults, shown
from fastflow.apps.churn.infra.engine.kept import rows_of
from fastflow.apps.churn.infra.engine.sources import Source, Wanted

LONGEST_TEXT = 1000
LONGEST_CUSTOMER = 200
_MOST_BITS = 120
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
    panel = f"({rows_of(connection, target)})"
    asked = ["count(*)"] + [f"count({quoted(column.name)}), {_length(column)}" for column in columns]
    found = connection.execute(f"SELECT {', '.join(asked)} FROM {panel}").fetchall()[0]
    rows, notes = found[0], []
    known_of = {column.name: found[1 + 2 * place] for place, column in enumerate(columns)}
    lost = [column for column in columns if column.type == "integer" and known_of[column.name] < rows]
    fractions = _fractions(connection, source, lost, panel)
    for position, column in enumerate(columns):
        known, longest = found[1 + 2 * position], found[2 + 2 * position] or 0
        if column.name in _WANTED and known < rows:
            _tell_keys(connection, source, column, panel, faults)
        elif column.name in fractions:
            _tell_fractions(column, fractions[column.name], faults)
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
    connection: duckdb.DuckDBPyConnection, source: Source, column: PanelColumn, panel: str, faults: Faults
) -> None:
    name = quoted(column.name)
    bare = source.select([Wanted(column.source, column.name, is_number=False)])
    found = connection.execute(
        f"SELECT p.source_line, s.{name}, count(*) OVER () FROM ({bare}) AS s POSITIONAL JOIN "
        f"(SELECT source_line, {name} FROM {panel}) AS p WHERE p.{name} IS NULL "
        f"ORDER BY 1 LIMIT {MOST_TOLD}"
    ).fetchall()
    told = _WANTED[column.name]

    def fault(line: int, value: str | None) -> Fault:
        return line, column.source, told.format(value="the empty cell" if value is None else shown(value))

    faults.tell(found, fault)


def _fractions(
    connection: duckdb.DuckDBPyConnection, source: Source, columns: Sequence[PanelColumn], panel: str
) -> Mapping[str, list[tuple[Any, ...]]]:
    """Numbers that columns of whole numbers lost, by column: line, value and how many the column lost. The file is read once
    to see which columns lost any, and once more for their lines."""
    lost = {column.name: f"isfinite({name}) AND ({name} <> trunc({name}) OR abs({name}) >= 9e15)"
            for column in columns for name in [quoted(column.name)]}  # fmt: skip
    if not lost:
        return {}
    wanted = [Wanted(column.source, column.name, is_number=True) for column in columns]
    asked = ", ".join(f"count(*) FILTER ({one})" for one in lost.values())
    counts = connection.execute(f"SELECT {asked} FROM ({source.select_whole(wanted)})").fetchall()[0]
    worst = [column for column, count in zip(wanted, counts, strict=True) if count]
    if not worst:
        return {}
    cells = ", ".join(
        f"{{'place': {place}, 'value': CASE WHEN {lost[one.name]} THEN {quoted(one.name)} END}}"
        for place, one in enumerate(worst)
    )
    found = connection.execute(
        f"SELECT cell.place, line, cell.value, count(*) OVER (PARTITION BY cell.place) FROM (SELECT line, unnest([{cells}]) "
        f"AS cell FROM ({source.select(worst)}) AS s POSITIONAL JOIN (SELECT source_line AS line FROM {panel}) AS p) "
        "WHERE cell.value IS NOT NULL "
        f"QUALIFY row_number() OVER (PARTITION BY cell.place ORDER BY line) <= {MOST_TOLD} ORDER BY 1, 2"
    ).fetchall()
    return {one.name: [row[1:] for row in found if row[0] == place] for place, one in enumerate(worst)}


def _tell_fractions(column: PanelColumn, found: Sequence[tuple[Any, ...]], faults: Faults) -> None:
    told = "is no whole number; the dictionary may call the column a number"
    faults.tell(found, lambda line, value: (line, column.source, f"{value} {told}"))


def _tell_long(connection: duckdb.DuckDBPyConnection, column: PanelColumn, panel: str, faults: Faults) -> None:
    name, most = quoted(column.name), LONGEST_CUSTOMER if column.name == CUSTOMER else LONGEST_TEXT
    found = connection.execute(
        f"SELECT source_line, length({name}), count(*) OVER () FROM {panel} WHERE length({name}) > {most} "
        f"ORDER BY source_line LIMIT {MOST_TOLD}"
    ).fetchall()
    told = f"characters; at most {most} are taken"
    faults.tell(found, lambda line, length: (line, column.source, f"the cell has {length} {told}"))


def check_lives(connection: duckdb.DuckDBPyConnection, meant: Dictionary, target: Path, faults: Faults) -> None:
    """Tell months that a customer has twice, months that are missing, and life after death."""
    panel = f"({rows_of(connection, target)})"
    if not _are_keys_known(connection, panel):  # a month that cannot be read would look like one that is missing
        return
    if _seem_right(connection, meant, panel):
        return
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
        f"FROM (SELECT Kunde, I_TIMEBASE, I_Alive, source_line FROM {panel} "
        "WHERE Kunde IS NOT NULL AND I_TIMEBASE IS NOT NULL) "
        "WINDOW w AS (PARTITION BY Kunde ORDER BY I_TIMEBASE, source_line)) "
        f"WHERE {' OR '.join(f'({way})' for way in ways)} ORDER BY source_line LIMIT {MOST_TOLD}"
    ).fetchall()
    names = {column.name: column.source for column in meant.columns}

    def fault(line: int, customer: str, month: int, before: int, line_before: int, what: str) -> Fault:
        whose = f"customer {shown(customer)}"
        if what == "twice":
            return line, names[MONTH], f"{whose} has a row for {month} on line {line_before} already"
        if what == "gap":
            told = f"{whose} has no row between {before} (line {line_before}) and {month}"
            return line, names[MONTH], f'{told}; add them, or say "gaps": "allow" in the dictionary'
        told = f"{whose} is alive again in {month}, but dead in {before} (line {line_before})"
        return line, names[ALIVE], f'{told}; say "returns": "allow" in the dictionary if customers can come back'

    faults.tell(found, fault)


def _are_keys_known(connection: duckdb.DuckDBPyConnection, panel: str) -> bool:
    known = f"count(*) = least(count({CUSTOMER}), count({MONTH}), count({ALIVE}))"
    return bool(connection.execute(f"SELECT {known} FROM {panel}").fetchall()[0][0])


def _seem_right(connection: duckdb.DuckDBPyConnection, meant: Dictionary, panel: str) -> bool:
    """Whether no customer's life can have a fault, by counting alone: rows need not be sorted for it.

    The months of a customer are bits of a number: as many bits as rows, so none is there twice; as many as there are months
    from the first to the last, so none is missing; the last month alive before the first one dead, so nobody came back. False
    where that does not say it.
    """
    months = "I_TIMEBASE // 100 * 12 + I_TIMEBASE % 100"
    first, last = connection.execute(f"SELECT min({months}), max({months}) FROM {panel}").fetchall()[0]
    if first is None or last - first > _MOST_BITS:
        return False
    wrong = ["rows <> known"]
    if meant.gaps == "refuse":
        wrong.append("known <> span")
    if meant.returns == "refuse":
        wrong.append("last_alive > first_dead")
    found = connection.execute(
        "SELECT count(*) FROM (SELECT count(*) AS rows, bit_count(bit_or(CAST(1 AS HUGEINT) << month)) AS known, "
        "max(month) - min(month) + 1 AS span, max(month) FILTER (I_Alive = 1) AS last_alive, "
        "min(month) FILTER (I_Alive = 0) AS first_dead FROM "
        f"(SELECT Kunde, I_Alive, CAST({months} - {first} AS HUGEINT) AS month FROM {panel} "
        "WHERE Kunde IS NOT NULL AND I_TIMEBASE IS NOT NULL) GROUP BY Kunde) "
        f"WHERE {' OR '.join(wrong)}"
    ).fetchall()
    return not found[0][0]
