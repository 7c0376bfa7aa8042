"""A look at a file whose dictionary is not known yet, and at panels that are kept."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from fastflow.apps.churn.domain.dictionary import MOST_WORDS, find_key
from fastflow.apps.churn.infra.engine.connection import literal, quoted
from fastflow.apps.churn.infra.engine.kept import WRITTEN_AS, rows_of
from fastflow.apps.churn.infra.engine.panel_file import run
from fastflow.apps.churn.infra.engine.sources import Source, Wanted

_COMMA_NUMBER = r"\s*[-+]?\d*,\d+([eE][-+]?\d+)?\s*"
SAMPLE_ROWS = 200_000
"""A column that changes for no customer among so many rows is taken for one that never does."""
_SURELY_MANY = 1.2
"""Different words are counted roughly."""


def look_at(connection: duckdb.DuckDBPyConnection, path: Path) -> list[dict[str, Any]]:
    """The file's columns: what their values are, and whether they change within a customer.

    Raises:
        Faulty: it cannot be read.
    """
    source = Source(connection, path)
    customer = find_key("PRIMARY_KEY", source.names)
    wanted = [Wanted(name, f"c{place}", is_number=False) for place, name in enumerate(source.names)]
    run(connection, f"CREATE TEMP TABLE looked AS SELECT * FROM ({source.select(wanted)}) LIMIT {SAMPLE_ROWS}")
    asked = []
    for column in wanted:
        name = quoted(column.name)
        asked.append(f"count(*) FILTER ({name} IS NOT NULL AND TRY_CAST({name} AS DOUBLE) IS NULL)")
        asked.append(f"count(*) FILTER (TRY_CAST({name} AS DOUBLE) <> trunc(TRY_CAST({name} AS DOUBLE)))")
        asked.append(f"count({name})")
        asked.append(f"count(*) FILTER (regexp_full_match({name}, {literal(_COMMA_NUMBER)}))")
        asked.append(f"approx_count_distinct({name})")
    counted = connection.execute(f"SELECT {', '.join(asked)} FROM looked").fetchall()[0]
    changes = _changing(connection, wanted, customer)
    may_be_comma = _may_be_comma(source, counted[1::5])
    seen: list[dict[str, Any]] = []
    for place, column in enumerate(wanted):
        words, fractions, known, commas, distinct = counted[5 * place : 5 * place + 5]
        has_comma = may_be_comma and 0 < commas == words
        kind = "number" if has_comma or (fractions and not words) else "text" if words or not known else "integer"
        seen.append(
            {
                "name": column.source,
                "type": kind,
                "changes": changes.get(column.source),
                "has_comma": has_comma,
                "has_many_words": kind == "text" and distinct > _SURELY_MANY * MOST_WORDS,
            }
        )
    return seen


def _may_be_comma(source: Source, fractions: Sequence[int]) -> bool:
    """Whether decimals can be written with a comma: it separates no cells, and no number has a point."""
    return source.shape is not None and source.shape.delimiter != "," and not any(fractions)


def _changing(connection: duckdb.DuckDBPyConnection, wanted: Sequence[Wanted], customer: str | None) -> dict[str, bool]:
    if customer is None:
        return {}
    key = next(quoted(column.name) for column in wanted if column.source == customer)
    inner = ", ".join(f"min({quoted(one.name)}) <> max({quoted(one.name)}) AS {quoted(one.name)}" for one in wanted)
    outer = ", ".join(f"coalesce(bool_or({quoted(one.name)}), false)" for one in wanted)
    found = connection.execute(f"SELECT {outer} FROM (SELECT {inner} FROM looked GROUP BY {key})").fetchall()[0]
    return {one.source: bool(changed) for one, changed in zip(wanted, found, strict=True)}


def join_panels(
    connection: duckdb.DuckDBPyConnection, panels: Sequence[tuple[str, int]], columns: Sequence[str], target: Path
) -> dict[str, Any]:
    """Write one panel of several: of rows for the same customer and month, the newest file's.

    Args:
        panels: file and number of each, in any order.
        columns: beside the keys and the lineage.
        target: the Parquet file to write.
    """
    before = sum(
        connection.execute(f"SELECT count(*) FROM read_parquet({literal(path)})").fetchall()[0][0] for path, _ in panels
    )
    kept = connection.execute(
        f"COPY ({newest_rows(connection, panels, columns)} ORDER BY Kunde, I_TIMEBASE) TO {literal(target)} {WRITTEN_AS}"
    ).fetchall()[0][0]
    return {"rows": kept, "replaced": before - kept}


def newest_rows(
    connection: duckdb.DuckDBPyConnection, panels: Sequence[tuple[str, int]], columns: Sequence[str]
) -> str:
    """Rows of several panels with their lineage as a query: of those for the same customer and month, the newest file's."""
    parts = []
    for path, number in panels:
        rows = rows_of(connection, path)
        there = {row[0] for row in connection.execute(f"DESCRIBE {rows}").fetchall()}
        picked = ", ".join(quoted(name) if name in there else f"NULL AS {quoted(name)}" for name in columns)
        parts.append(
            f"SELECT Kunde, I_TIMEBASE, I_Alive{', ' if picked else ''}{picked}, CAST({int(number)} AS INTEGER) AS id_files, "
            f"source_line FROM ({rows})"
        )
    newest = "QUALIFY row_number() OVER (PARTITION BY Kunde, I_TIMEBASE ORDER BY id_files DESC) = 1"
    return f"SELECT * FROM ({' UNION ALL '.join(parts)}) {newest if len(parts) > 1 else ''}"


def read_rows(connection: duckdb.DuckDBPyConnection, panel: str, limit: int, offset: int) -> dict[str, Any]:
    """Rows of a panel in the order of its file, as JSON has them."""
    found = connection.execute(f"{rows_of(connection, panel)} LIMIT {int(limit)} OFFSET {int(offset)}")
    names = [column[0] for column in found.description or ()]
    return {"columns": names, "rows": [list(row) for row in found.fetchall()]}
