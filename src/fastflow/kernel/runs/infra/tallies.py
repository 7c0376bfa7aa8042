"""Counting runs by the time of their submission.

An id begins with its time, so the indexes that end with `id` are indexes on time: what lies between two instants is a
stretch of each, and is counted there. An attempt that was tried again is left out: the run is counted by its last one.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Integer, Select, String, column, func, select, values

from fastflow.kernel.runs.domain.run import Tally
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.names import names_in_scope
from fastflow.kernel.runs.infra.rows import RUN, has_status


def count_stretches(
    connection: Connection, edges: Sequence[datetime], patterns: Collection[str] | None
) -> Sequence[Tally]:
    """See `ReadStore.tally`."""
    stretches = list(pairwise(edges))
    if not stretches:
        return []
    names = [None] if patterns is None else names_in_scope(connection, patterns)
    counts = [[0, 0, 0, 0, 0] for _ in stretches]
    for name in names:
        for number, *found in connection.execute(_query(stretches, name)):
            counts[number] = [before + more for before, more in zip(counts[number], found, strict=True)]
    return [
        Tally(begin=begin, succeeded=good, failed=failed - cancelled - again, cancelled=cancelled, under_way=active)
        for (begin, _), (good, failed, cancelled, active, again) in zip(stretches, counts, strict=True)
    ]


def _query(stretches: Sequence[tuple[datetime, datetime]], name: str | None) -> Select[Any]:
    given = values(column("number", Integer), column("first", String), column("beyond", String), name="stretch")
    rows = [(number, first_id(begin), first_id(end)) for number, (begin, end) in enumerate(stretches)]
    stretch = given.data(rows).cte("stretch")

    def count(*which: Any, by: Any = RUN.c.id, of: Any = RUN.c.pipeline_name) -> Any:
        query = select(func.count()).select_from(RUN).where(by >= stretch.c.first, by < stretch.c.beyond, *which)
        return (query if name is None else query.where(of == name)).scalar_subquery()

    return select(
        stretch.c.number,
        count(has_status(RunStatus.SUCCESS)),
        count(has_status(RunStatus.FAILED)),
        count(RUN.c.reason == "cancelled"),
        count(has_status(RunStatus.PENDING)) + count(has_status(RunStatus.RUNNING)),
        # each names the failed attempt that it tries again; the few of a stretch are looked at, not all of a pipeline
        count(by=RUN.c.retry_of, of=RUN.c.pipeline_name.concat("")),
    )


def first_id(instant: datetime) -> str:
    """The smallest UUIDv7 of that millisecond: an index on `id` is an index on time."""
    millis = max(0, int((instant - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000))
    text = f"{millis:012x}"
    return f"{text[:8]}-{text[8:12]}-0000-0000-000000000000"
