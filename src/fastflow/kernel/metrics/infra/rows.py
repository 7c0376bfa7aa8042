"""The tables, and records made of their rows."""

from typing import Any, cast

from sqlalchemy import Row, Table

from fastflow.kernel.metrics.domain.totals import RunEnd, Total, TotalKey
from fastflow.kernel.metrics.infra.tables import RunEndRow, RunTotalPlaceRow, RunTotalRow

END = cast("Table", RunEndRow.__table__)  # type: ignore[attr-defined]
TOTAL = cast("Table", RunTotalRow.__table__)  # type: ignore[attr-defined]
PLACE = cast("Table", RunTotalPlaceRow.__table__)  # type: ignore[attr-defined]


def end_of(row: Row[Any]) -> RunEnd:
    """A row of END."""
    return RunEnd(**row._mapping)


def total_of(row: Row[Any]) -> tuple[TotalKey, Total]:
    """A row of TOTAL."""
    key = TotalKey(pipeline_name=row.pipeline_name, status=row.status, reason=row.reason)
    return key, Total.from_json(row.runs, row.histograms)
