"""What a kept panel holds: its columns one by one, and its months."""

from typing import Any

import duckdb

from fastflow.apps.churn.domain.dictionary import ALIVE, LINEAGE, MONTH
from fastflow.apps.churn.infra.engine.connection import literal, quoted

FEW = 1000
"""Estimates up to this are replaced by counts."""
_ASKED = 6
"""Answers per column."""


def summarise(connection: duckdb.DuckDBPyConnection, panel: str) -> dict[str, Any]:
    """Columns in the order of the panel, without its lineage; months in theirs."""
    read = f"read_parquet({literal(panel)})"
    described = connection.execute(f"DESCRIBE FROM {read}").fetchall()
    types = {name: _kind(kind) for name, kind, *_ in described if name not in LINEAGE}
    asked = ", ".join(_questions(name, kind) for name, kind in types.items())
    answers = connection.execute(f"SELECT count(*), {asked} FROM {read}").fetchall()[0]
    rows, columns = answers[0], []
    for place, (name, kind) in enumerate(types.items()):
        known, distinct, least, most, mean, usual = answers[1 + place * _ASKED : 1 + (place + 1) * _ASKED]
        columns.append(
            {
                "name": name,
                "type": kind,
                "missing": rows - known,
                "distinct": min(distinct, known),
                "least": least,
                "most": most,
                "mean": mean,
                "usual": usual,
            }
        )
    _count_few(connection, read, columns)
    months = connection.execute(
        f"SELECT {MONTH}, count(*), count(*) FILTER ({ALIVE} = 0) FROM {read} GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return {"columns": columns, "months": [{"month": month, "rows": n, "dead": dead} for month, n, dead in months]}


def _count_few(connection: duckdb.DuckDBPyConnection, read: str, columns: list[dict[str, Any]]) -> None:
    """Put exact counts in the place of estimates where there are few different values: those fit into memory."""
    few = [column for column in columns if column["distinct"] <= FEW]
    if few:
        asked = ", ".join(f"count(DISTINCT {quoted(column['name'])})" for column in few)
        for column, count in zip(few, connection.execute(f"SELECT {asked} FROM {read}").fetchall()[0], strict=True):
            column["distinct"] = count


def _kind(type_name: str) -> str:
    if type_name == "VARCHAR":
        return "text"
    return "number" if type_name in ("DOUBLE", "FLOAT") else "integer"


def _questions(name: str, kind: str) -> str:
    column = quoted(name)
    mean = "NULL" if kind == "text" else f"CASE WHEN isfinite(avg({column})) THEN avg({column}) END"
    usual = "NULL" if kind == "number" else f"approx_top_k({column}, 1)[1]"  # bounded in memory, as is the count
    return f"count({column}), approx_count_distinct({column}), min({column}), max({column}), {mean}, {usual}"
