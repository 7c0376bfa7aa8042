"""Which rows files bring that came after others: rows of customers and months that were not known, and other values for known ones."""

from collections.abc import Sequence
from typing import Any

import duckdb

from fastflow.apps.churn.infra.engine.connection import quoted
from fastflow.apps.churn.infra.engine.look import newest_rows

Panels = Sequence[tuple[str, int]]
_KEYS = ("Kunde", "I_TIMEBASE", "id_files", "source_line")
NEW, CORRECTED = "new", "corrected"


def find_late(
    connection: duckdb.DuckDBPyConnection, known: Panels, later: Panels, columns: Sequence[str], most: int
) -> dict[str, Any]:
    """What the later files say otherwise than the known ones together: counts by file and month, and the first rows.

    Of several later rows for one customer and month the newest file's counts, as in a panel of all of them.
    """
    compared = ["I_Alive", *columns]
    differs = " OR ".join(f"k.{quoted(name)} IS DISTINCT FROM l.{quoted(name)}" for name in compared)
    pairs = ", ".join(
        f"k.{quoted(name)} AS {quoted(f'before {place}')}, l.{quoted(name)} AS {quoted(f'after {place}')}"
        for place, name in enumerate(compared)
    )
    keys = ", ".join(f"l.{quoted(name)} AS {quoted(name)}" for name in _KEYS)
    connection.execute(
        f"CREATE TEMP TABLE late AS SELECT CASE WHEN k.Kunde IS NULL THEN '{NEW}' ELSE '{CORRECTED}' END AS change, {keys}, "
        f"{pairs} FROM ({newest_rows(connection, later, columns)}) AS l LEFT JOIN ({newest_rows(connection, known, columns)}) "
        f"AS k ON k.Kunde = l.Kunde AND k.I_TIMEBASE = l.I_TIMEBASE WHERE k.Kunde IS NULL OR {differs}"
    )
    counts = connection.execute(
        f"SELECT id_files, I_TIMEBASE, count(*) FILTER (change = '{NEW}'), count(*) FILTER (change = '{CORRECTED}') "
        "FROM late GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    found = connection.execute(
        f"FROM late ORDER BY id_files, source_line, Kunde, I_TIMEBASE LIMIT {int(most)}"
    ).fetchall()
    return {"counts": counts, "rows": [_told(row, compared) for row in found]}


def _told(row: Sequence[Any], compared: Sequence[str]) -> dict[str, Any]:
    change, *keys = row[: 1 + len(_KEYS)]
    values = row[1 + len(_KEYS) :]
    cells = [(name, values[2 * place], values[2 * place + 1]) for place, name in enumerate(compared)]
    return {
        "change": change,
        **dict(zip(("customer", "month", "file_id", "source_line"), keys, strict=True)),
        "cells": [
            {"column": name, "before": before, "after": after} for name, before, after in cells if before != after
        ],
    }
