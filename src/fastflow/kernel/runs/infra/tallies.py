"""Counting runs by the time of their submission.

An id begins with its time, so the indexes that end with `id` are indexes on time: what lies between two instants is a
stretch of each, and is counted there. An attempt that was tried again is left out: the run is counted by its last one.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Integer, Select, String, column, func, select, true, values

from fastflow.kernel.runs.domain.run import Tally
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.names import names_in_scope
from fastflow.kernel.runs.infra.rows import RUN, has_status

_AT_ONCE = 500
"""So many pipelines are counted by one statement: to make one takes longer than to answer it."""


def count_stretches(
    connection: Connection, edges: Sequence[datetime], patterns: Collection[str] | None
) -> Sequence[Tally]:
    """See `ReadStore.tally`."""
    stretches = list(pairwise(edges))
    if not stretches:
        return []
    counts = [[0, 0, 0, 0, 0] for _ in stretches]
    names = None if patterns is None else names_in_scope(connection, patterns)
    parts = [None] if names is None else [names[at : at + _AT_ONCE] for at in range(0, len(names), _AT_ONCE)]
    for some in parts:
        for number, *found in connection.execute(_query(stretches, some)):
            counts[number] = [before + int(more) for before, more in zip(counts[number], found, strict=True)]
    return [
        Tally(begin=begin, succeeded=good, failed=failed - cancelled - again, cancelled=cancelled, under_way=active)
        for (begin, _), (good, failed, cancelled, active, again) in zip(stretches, counts, strict=True)
    ]


def _query(stretches: Sequence[tuple[datetime, datetime]], names: Sequence[str] | None) -> Select[Any]:
    given = values(column("number", Integer), column("first", String), column("beyond", String), name="stretch")
    rows = [(number, first_id(begin), first_id(end)) for number, (begin, end) in enumerate(stretches)]
    stretch = given.data(rows).cte("stretch")
    whose = (
        None
        if names is None
        else values(column("name", String), name="whose").data([(each,) for each in names]).cte("whose")
    )

    def count(*which: Any, by: Any = RUN.c.id, of: Any = RUN.c.pipeline_name) -> Any:
        query = select(func.count()).select_from(RUN).where(by >= stretch.c.first, by < stretch.c.beyond, *which)
        return (query if whose is None else query.where(of == whose.c.name)).scalar_subquery()

    counted = (
        count(has_status(RunStatus.SUCCESS)),
        count(has_status(RunStatus.FAILED)),
        count(RUN.c.reason == "cancelled"),
        count(has_status(RunStatus.PENDING)) + count(has_status(RunStatus.RUNNING)),
        # each names the failed attempt that it tries again; the few of a stretch are looked at, not all of a pipeline
        count(by=RUN.c.retry_of, of=RUN.c.pipeline_name.concat("")),
    )
    if whose is None:
        return select(stretch.c.number, *counted)
    return (
        select(stretch.c.number, *(func.sum(each) for each in counted))
        .select_from(stretch.join(whose, true()))
        .group_by(stretch.c.number)
    )


def first_id(instant: datetime) -> str:
    """The smallest UUIDv7 of that millisecond: an index on `id` is an index on time."""
    millis = max(0, int((instant - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000))
    text = f"{millis:012x}"
    return f"{text[:8]}-{text[8:12]}-0000-0000-000000000000"
