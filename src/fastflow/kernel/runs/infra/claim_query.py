"""Finds the runs that may start now, inside the claiming transaction.

The head of the queue answers almost always. When it is held up by limits, the queue is read pipeline by pipeline, past
those at their limit, so that a hundred thousand blocked runs cost no more than one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Integer, Row, Select, bindparam, func, or_, select

from fastflow.kernel.runs.domain.queue import Candidate, Load, blocked_by, choose
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.infra.rows import READY, RUN, RUN_COLUMNS, RUNNING, run_of

_HEAD: Final = 16
"""Rows read at the head of the queue, at least."""

_COUNTS = (
    select(
        RUN.c.pipeline_name,
        RUN.c.concurrency_key,
        func.count().label("running"),
    )
    .where(RUNNING)
    .group_by(RUN.c.pipeline_name, RUN.c.concurrency_key)
)
_COUNT = bindparam("count", type_=Integer)
_LIGHT: Final[tuple[ColumnElement[Any], ...]] = (
    *(RUN.c.id, RUN.c.pipeline_name, RUN.c.concurrency_key, RUN.c.pipeline_limit, RUN.c.key_limit, RUN.c.priority),
)
_IN_ORDER = select(*_LIGHT).where(READY).order_by(RUN.c.queue_rank, RUN.c.id).limit(_COUNT)
_ONE = select(*_LIGHT).where(READY, RUN.c.id == bindparam("run_id"))
_BY_IDS = select(*RUN_COLUMNS).where(RUN.c.id.in_(bindparam("ids", expanding=True)))
_OF_PIPELINE = (
    select(*_LIGHT)
    .where(
        READY,
        RUN.c.pipeline_name == bindparam("name"),
        or_(RUN.c.concurrency_key.is_(None), RUN.c.concurrency_key.not_in(bindparam("full_keys", expanding=True))),
    )
    .order_by(RUN.c.queue_rank, RUN.c.id)
    .limit(_COUNT)
)


@dataclass
class _Slots:
    """Free slots, what holds the others, and what was found to be at its limit."""

    room: int
    load: Load
    full_keys: set[tuple[str, str]] = field(default_factory=set)
    full_pipelines: set[str] = field(default_factory=set)
    chosen: dict[str, Row[Any]] = field(default_factory=dict)

    def take(self, rows: Sequence[Row[Any]]) -> bool:
        """Choose among rows that are in the order of the queue; whether a pipeline or key was newly found full."""
        by_id = {row.id: row for row in rows if row.id not in self.chosen}
        candidates = [_candidate(row) for row in by_id.values()]
        most = self.load.total + self.room
        for one in choose(candidates, self.load, most):
            self.chosen[one.id] = by_id[one.id]
            self.room -= 1
        known = len(self.full_pipelines) + len(self.full_keys)
        for one in candidates:
            if one.id not in self.chosen:
                self._note(one, blocked_by(one, self.load, most))
        return len(self.full_pipelines) + len(self.full_keys) > known

    def _note(self, blocked: Candidate, scope: str | None) -> None:
        if scope == "pipeline":
            self.full_pipelines.add(blocked.pipeline_name)
        elif scope == "key" and blocked.concurrency_key is not None:
            self.full_keys.add((blocked.pipeline_name, blocked.concurrency_key))


def choose_runs(connection: Connection, *, limit: int, max_concurrent: int) -> Sequence[Run]:
    """At most `limit` waiting runs that no limit keeps back, in the order of the queue."""
    load = _count_running(connection)
    slots = _Slots(room=min(limit, max_concurrent - load.total), load=load)
    if slots.room <= 0:
        return []
    count = max(slots.room, _HEAD)
    head = connection.execute(_IN_ORDER, {"count": count}).all()
    slots.take(head)
    if slots.room > 0 and len(head) == count:
        names = connection.execute(_pending_pipelines()).scalars().all()
        behind = [
            row
            for name in names
            if name is not None and name not in slots.full_pipelines
            for row in _choose_of_pipeline(connection, name, slots)
        ]
        slots.take(sorted(behind, key=lambda row: (-row.priority, row.id)))
    if not slots.chosen:
        return []
    whole = {row.id: run_of(row) for row in connection.execute(_BY_IDS, {"ids": list(slots.chosen)})}
    return [whole[run_id] for run_id in slots.chosen]


def choose_one(connection: Connection, run_id: str, *, max_concurrent: int) -> Sequence[Run]:
    """The run, when it waits and no limit keeps it back; whatever else waits."""
    load = _count_running(connection)
    slots = _Slots(room=min(1, max_concurrent - load.total), load=load)
    if slots.room > 0:
        slots.take(connection.execute(_ONE, {"run_id": run_id}).all())
    if not slots.chosen:
        return []
    return [run_of(row) for row in connection.execute(_BY_IDS, {"ids": [run_id]})]


def _choose_of_pipeline(connection: Connection, name: str, slots: _Slots) -> Sequence[Row[Any]]:
    """What would start if the free slots were for this pipeline alone. Its limits concern no other pipeline, so the first
    of all pipelines' choices, in the order of the queue, are the runs to start."""
    load = Load(slots.load.total, slots.load.by_pipeline.copy(), slots.load.by_key.copy())
    own = _Slots(room=slots.room, load=load, full_keys=set(slots.full_keys), chosen=dict(slots.chosen))
    while own.room > 0:
        full_keys = sorted(key for pipeline_name, key in own.full_keys if pipeline_name == name)
        count = max(_HEAD, own.room) + len(own.chosen)
        rows = connection.execute(_OF_PIPELINE, {"name": name, "full_keys": full_keys, "count": count}).all()
        if not own.take(rows) or name in own.full_pipelines or len(rows) < count:
            break  # else the keys that were found full are passed over now, and the runs behind them are seen
    return [row for run_id, row in own.chosen.items() if run_id not in slots.chosen]


def _candidate(row: Row[Any]) -> Candidate:
    return Candidate(
        id=row.id,
        pipeline_name=row.pipeline_name,
        concurrency_key=row.concurrency_key,
        pipeline_limit=row.pipeline_limit,
        key_limit=row.key_limit,
    )


def _count_running(connection: Connection) -> Load:
    load = Load()
    for name, key, running in connection.execute(_COUNTS):
        load.add(name, key, running)
    return load


def _pending_pipelines() -> Select[Any]:
    """The names of the pipelines with waiting runs: one step in the index for each, however many runs wait."""
    first = select(func.min(RUN.c.pipeline_name).label("name")).where(READY)
    names = first.cte("names", recursive=True)
    following = select(func.min(RUN.c.pipeline_name)).where(READY, RUN.c.pipeline_name > names.c.name)
    return select(names.union_all(select(following.scalar_subquery()).where(names.c.name.is_not(None))).c.name)
