"""Names for the risk of customers, as a column beside what the survival analysis says of them."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from fastflow.apps.churn.infra.engine.connection import literal, quoted
from fastflow.apps.churn.infra.engine.kept import WRITTEN_AS

USUAL = 12
_HORIZON = re.compile(r"P_Event_([0-9]+)m")


def name_risks(
    connection: duckdb.DuckDBPyConnection, sources: Sequence[str], target: Path, risks: Sequence[tuple[float, str]]
) -> dict[str, Any]:
    """Write the rows of the sources with `risk_months` and `risk_category`, in the order of their customers.

    The probability of a year is named, or of the longest horizon below it, or of the shortest there is; where it is not known,
    the risk has no name.

    Args:
        sources: Parquet files.
        target: the Parquet file to write.
        risks: probability from which a risk has that name, falling.
    """
    files = f"read_parquet([{', '.join(map(literal, sources))}], union_by_name = true)"
    columns = [row[0] for row in connection.execute(f"DESCRIBE FROM {files}").fetchall()]
    months = sorted(int(found[1]) for name in columns if (found := _HORIZON.fullmatch(name)))
    chosen = max((each for each in months if each <= USUAL), default=months[0] if months else None)
    named = "NULL"
    if chosen is not None:
        column = quoted(f"P_Event_{chosen}m")
        cases = " ".join(f"WHEN {column} >= {float(low)} THEN {literal(name)}" for low, name in risks)
        named = f"CASE WHEN {column} IS NULL OR isnan({column}) THEN NULL {cases} END"
    rows = connection.execute(
        f"COPY (SELECT *, CAST({chosen or 'NULL'} AS INTEGER) AS risk_months, CAST({named} AS VARCHAR) AS risk_category "
        f"FROM {files} ORDER BY Kunde) TO {literal(target)} {WRITTEN_AS}"
    ).fetchall()[0][0]
    return {"rows": rows, "months": chosen}
