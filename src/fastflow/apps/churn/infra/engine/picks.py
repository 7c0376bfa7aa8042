"""A few rows of a table that has one row per customer: the largest, or those of some customers."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from fastflow.apps.churn.infra.engine.connection import literal, quoted


def pick_rows(connection: duckdb.DuckDBPyConnection, picks: Sequence[Mapping[str, Any]]) -> list[list[dict[str, Any]]]:
    """Per pick its rows, customers as text.

    A pick has `path`, `by`, `most` and `customers`: with customers their rows in the order of the file, otherwise the `most` rows
    whose `by` is farthest from nought, customers in the order of their names among equals.
    """
    return [_pick(connection, pick) for pick in picks]


def _pick(connection: duckdb.DuckDBPyConnection, pick: Mapping[str, Any]) -> list[dict[str, Any]]:
    table = f"FROM read_parquet({literal(pick['path'])})"
    chosen = "SELECT * REPLACE (CAST(Kunde AS VARCHAR) AS Kunde)"
    if pick["customers"]:
        listed = ", ".join(literal(each) for each in pick["customers"])
        query = f"{chosen} {table} WHERE CAST(Kunde AS VARCHAR) IN ({listed})"
    else:
        by = quoted(pick["by"])
        order = f"ORDER BY abs({by}) DESC NULLS LAST, CAST(Kunde AS VARCHAR)"
        query = f"{chosen} {table} {order} LIMIT {int(pick['most'])}"
    found = connection.execute(query)
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
