"""A list of transactions becomes a panel by a stated churn rule: one row per customer and month from the first transaction on."""

from pathlib import Path
from typing import Any

import duckdb

from fastflow.apps.churn.domain.files import AMOUNT, COUNT, QUANTITY, ChurnRule
from fastflow.apps.churn.domain.month import FIRST_YEAR, LAST_YEAR, Month
from fastflow.apps.churn.infra.engine.connection import literal
from fastflow.apps.churn.infra.engine.faults import MOST_TOLD, Fault, Faults, refuse, shown
from fastflow.apps.churn.infra.engine.kept import WRITTEN_AS
from fastflow.apps.churn.infra.engine.panel_file import PANEL_FILE, describe_panel, run
from fastflow.apps.churn.infra.engine.sources import Source, Wanted

MOST_ROWS = 200_000_000
_FORMATS = "['%Y-%m-%d', '%Y%m%d', '%Y-%m-%d %H:%M:%S', '%Y-%m-%dT%H:%M:%S', '%Y-%m-%dT%H:%M:%SZ', '%d.%m.%Y']"
_EARLY_DAY = 25


def make_panel_of_transactions(
    connection: duckdb.DuckDBPyConnection, path: Path, folder: Path, rule: dict[str, Any]
) -> dict[str, Any]:
    """Write the panel of the file's transactions into the folder; what there is to say of it.

    Raises:
        Faulty: the file has faults.
    """
    meant = ChurnRule(**rule)
    source = Source(connection, path)
    faults = Faults()
    wanted = [Wanted(meant.customer, "customer", is_number=False), Wanted(meant.date, "date", is_number=False)]
    for column, name in ((meant.amount, "amount"), (meant.quantity, "quantity")):
        if column is not None:
            wanted.append(Wanted(column, name, is_number=True))
    source.missing(wanted, faults)
    faults.stop()
    _load(connection, source, wanted, folder)
    source.unreadable(wanted, faults)
    faults.stop()
    _check(connection, meant, faults)
    faults.stop()
    last, notes = _last_month(connection, meant)
    _write(connection, meant, last, folder / PANEL_FILE)
    return {**describe_panel(connection, folder / PANEL_FILE), "notes": notes}


def _load(connection: duckdb.DuckDBPyConnection, source: Source, wanted: list[Wanted], folder: Path) -> None:
    place, kept = folder / "transactions.parquet", ", ".join(f'"{one.name}"' for one in wanted[2:])
    picked = (
        "nullif(trim(customer), '') AS customer, date AS written, "
        f"try_strptime(trim(date), {_FORMATS}) AS day{', ' if kept else ''}{kept}"
    )

    def load(line: str, beside: str) -> int:
        rows = f"SELECT {picked}, {line} AS line FROM ({source.select(wanted)}){beside}"
        return int(run(connection, f"COPY ({rows}) TO {literal(place)} {WRITTEN_AS}", source)[0][0])

    rows = load(*source.line_of_row(-1 if source.shape is None else source.shape.lines - 1, folder))
    if (
        source.shape is not None
        and rows + 1 != source.shape.lines
        and not run(connection, "FROM reject_errors LIMIT 1")
    ):
        load(*source.line_of_row(rows, folder))
    connection.execute(f"CREATE VIEW transactions AS FROM read_parquet({literal(place)})")


def _check(connection: duckdb.DuckDBPyConnection, meant: ChurnRule, faults: Faults) -> None:
    found = connection.execute(
        "SELECT line, customer, written, day IS NULL OR year(day) NOT BETWEEN "
        f"{FIRST_YEAR} AND {LAST_YEAR}, length(customer), count(*) OVER () FROM transactions "
        f"WHERE customer IS NULL OR day IS NULL OR year(day) NOT BETWEEN {FIRST_YEAR} AND {LAST_YEAR} "
        f"OR length(customer) > 200 ORDER BY line LIMIT {MOST_TOLD}"
    ).fetchall()

    def fault(line: int, customer: str | None, written: str | None, wrong_day: bool, length: int) -> Fault:
        if customer is None:
            return line, meant.customer, "the cell is empty; each transaction needs its customer"
        if wrong_day:
            told = "the empty cell" if written is None else shown(written)
            return line, meant.date, f"{told} is no date; write it as 2024-01-31, 20240131 or 31.01.2024"
        return line, meant.customer, f"the cell has {length} characters; at most 200 are taken"

    faults.tell(found, fault)


def _last_month(connection: duckdb.DuckDBPyConnection, meant: ChurnRule) -> tuple[Month, list[str]]:
    """The last month that the panel tells of."""
    first, newest = connection.execute("SELECT min(day), max(day) FROM transactions").fetchall()[0]
    if newest is None:
        raise refuse(None, None, "the file has a header but no row")
    begin, end, notes = Month.of(first.year, first.month), Month.of(newest.year, newest.month), []
    if meant.through is None:
        if newest.day < _EARLY_DAY:
            notes.append(
                f"The newest transaction is of {newest:%Y-%m-%d}: if {end} was not over then, hand the file in "
                f"again with through={end.minus(1)}, or its customers look quieter than they are."
            )
        return end, notes
    last = Month.parse(meant.through)
    if last < begin:
        raise refuse(None, meant.date, f"no transaction lies before the end of {last}, which is through")
    if last > end:
        notes.append(f"The newest transaction is of {newest:%Y-%m-%d}; the months from {end + 1} to {last} are quiet.")
    later = connection.execute(
        "SELECT count(*) FROM transactions WHERE year(day) * 12 + month(day) - 1 > ?", [last.index]
    ).fetchall()[0][0]
    if later:
        notes.append(f"{later} transactions after {last}, which is through, are left out.")
    return last, notes


def _write(connection: duckdb.DuckDBPyConnection, meant: ChurnRule, last: Month, target: Path) -> None:
    sums = ", ".join(
        f"sum(CASE WHEN isfinite({column}) THEN {column} END) AS {name}"
        for column, name in (("amount", AMOUNT), ("quantity", QUANTITY))
        if getattr(meant, column) is not None
    )
    zeros = ", ".join(f"coalesce({name}, 0.0) AS {name}" for name in (AMOUNT, QUANTITY) if name in sums)
    connection.execute(
        "CREATE TEMP VIEW monthly AS SELECT customer, year(day) * 12 + month(day) - 1 AS index, "
        f"count(*) AS {COUNT}{', ' if sums else ''}{sums}, max(line) AS line FROM transactions "
        f"WHERE year(day) * 12 + month(day) - 1 <= {last.index} GROUP BY ALL"
    )
    rows = connection.execute(
        f"SELECT sum({last.index} - first + 1) FROM (SELECT min(index) AS first FROM monthly GROUP BY customer)"
    ).fetchall()[0][0]
    if rows > MOST_ROWS:
        raise refuse(None, meant.date, f"the panel would have {rows} rows; at most {MOST_ROWS} are made")
    run(
        connection,
        f"COPY (WITH lives AS (SELECT customer, unnest(range(min(index), {last.index + 1})) AS index FROM monthly "
        f"GROUP BY customer), filled AS (SELECT l.customer, l.index, m.* EXCLUDE (customer, index), "
        "max(m.index) OVER w AS newest, last_value(m.line IGNORE NULLS) OVER w AS source_line "
        "FROM lives AS l LEFT JOIN monthly AS m ON m.customer = l.customer AND m.index = l.index "
        "WINDOW w AS (PARTITION BY l.customer ORDER BY l.index)) "
        "SELECT customer AS Kunde, CAST(index // 12 * 100 + index % 12 + 1 AS INTEGER) AS I_TIMEBASE, "
        f"CAST(index - newest < {meant.gap_months} AS TINYINT) AS I_Alive, coalesce({COUNT}, 0) AS {COUNT}"
        f"{', ' if zeros else ''}{zeros}, source_line FROM filled ORDER BY Kunde, I_TIMEBASE) "
        f"TO {literal(target)} {WRITTEN_AS}",
    )
