"""Finds the runs that may start now, inside the claiming transaction.

The head of the queue answers almost always. When it is held up by limits, the queue is read pipeline by pipeline, past
those at their limit, so that a hundred thousand blocked runs cost no more than one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Integer, Row, Select, bindparam, func, or_, select

from fastflow.kernel.runs.domain.queue import Candidate, Load, choose
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.infra.rows import PENDING, RUN, RUN_COLUMNS, RUNNING, run_of

_HEAD: Final = 16
"""Rows read at the head of the queue, at least."""

_COUNTS = (
    select(
        RUN.c.pipeline_name,
        RUN.c.concurrency_key,
        func.count().label("running"),
        func.max(RUN.c.pipeline_limit).label("pipeline_limit"),
        func.max(RUN.c.key_limit).label("key_limit"),
    )
    .where(RUNNING)
    .group_by(RUN.c.pipeline_name, RUN.c.concurrency_key)
)
_COUNT = bindparam("count", type_=Integer)
_IN_ORDER = select(*RUN_COLUMNS).where(PENDING).order_by(RUN.c.queue_rank, RUN.c.id).limit(_COUNT)
_OF_PIPELINE = (
    select(*RUN_COLUMNS)
    .where(
        PENDING,
        RUN.c.pipeline_name == bindparam("name"),
        or_(RUN.c.concurrency_key.is_(None), RUN.c.concurrency_key.not_in(bindparam("full_keys", expanding=True))),
    )
    .order_by(RUN.c.queue_rank, RUN.c.id)
    .limit(_COUNT)
)


@dataclass
class _Occupied:
    """What holds slots, and which pipelines and keys are at their limit."""

    load: Load = field(default_factory=Load)
    pipeline_limits: dict[str, int | None] = field(default_factory=dict)
    full_keys: dict[str, list[str]] = field(default_factory=dict)

    def is_full(self, pipeline_name: str) -> bool:
        limit = self.pipeline_limits.get(pipeline_name)
        return limit is not None and self.load.by_pipeline[pipeline_name] >= limit


def choose_runs(connection: Connection, *, limit: int, max_concurrent: int) -> Sequence[Run]:
    """At most `limit` waiting runs that no limit keeps back, in the order of the queue."""
    occupied = _count_running(connection)
    room = min(limit, max_concurrent - occupied.load.total)
    if room <= 0:
        return []
    count = max(room, _HEAD)
    rows = connection.execute(_IN_ORDER, {"count": count}).all()
    chosen = _choose(rows, occupied.load, room)
    if len(chosen) < room and len(rows) == count:
        seen = {run.id for run in chosen}
        chosen += _choose_by_pipeline(connection, occupied, room - len(chosen), seen)
    return chosen


def _choose_by_pipeline(connection: Connection, occupied: _Occupied, room: int, seen: set[str]) -> list[Run]:
    rows: list[Row[Any]] = []
    for name in connection.execute(_pending_pipelines()).scalars().all():
        if name is not None and not occupied.is_full(name):
            values = {"name": name, "full_keys": occupied.full_keys.get(name, []), "count": room + len(seen)}
            rows += connection.execute(_OF_PIPELINE, values)
    rows = [row for row in rows if row.id not in seen]
    rows.sort(key=lambda row: (-row.priority, row.id))
    return _choose(rows, occupied.load, room)


def _choose(rows: Sequence[Row[Any]], load: Load, room: int) -> list[Run]:
    """The rows that may start; `load` is raised by them."""
    by_id = {row.id: row for row in rows}
    candidates = [
        Candidate(
            id=row.id,
            pipeline_name=row.pipeline_name,
            concurrency_key=row.concurrency_key,
            pipeline_limit=row.pipeline_limit,
            key_limit=row.key_limit,
        )
        for row in rows
    ]
    return [run_of(by_id[one.id]) for one in choose(candidates, load, load.total + room)]


def _count_running(connection: Connection) -> _Occupied:
    occupied = _Occupied()
    for name, key, running, pipeline_limit, key_limit in connection.execute(_COUNTS):
        occupied.load.add(name, key, running)
        known = occupied.pipeline_limits.get(name)
        occupied.pipeline_limits[name] = max(filter(None, (known, pipeline_limit)), default=None)
        if key is not None and key_limit is not None and running >= key_limit:
            occupied.full_keys.setdefault(name, []).append(key)
    return occupied


def _pending_pipelines() -> Select[Any]:
    """The names of the pipelines with waiting runs: one step in the index for each, however many runs wait."""
    first = select(func.min(RUN.c.pipeline_name).label("name")).where(PENDING)
    names = first.cte("names", recursive=True)
    following = select(func.min(RUN.c.pipeline_name)).where(PENDING, RUN.c.pipeline_name > names.c.name)
    return select(names.union_all(select(following.scalar_subquery()).where(names.c.name.is_not(None))).c.name)
