"""Reading runs: one, a page, what explains a waiting one, its events and artifacts."""

import heapq
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, func, or_, select

from fastflow.kernel.db.engine import Database
from fastflow.kernel.runs.domain.explain import QueueView
from fastflow.kernel.runs.domain.queue import Load
from fastflow.kernel.runs.domain.run import Artifact, Run, RunEvent, RunFilter, Runner, Tally
from fastflow.kernel.runs.infra.names import names_in_scope
from fastflow.kernel.runs.infra.rows import ARTIFACT, EVENT, PENDING, READY, RUN, RUN_COLUMNS, RUNNER, RUNNING, run_of
from fastflow.kernel.runs.infra.tallies import count_stretches, first_id

_BY_ID = select(*RUN_COLUMNS).where(RUN.c.id == bindparam("run_id"))
_RUNNING_COUNTS = (
    select(RUN.c.pipeline_name, RUN.c.concurrency_key, func.count())
    .where(RUNNING)
    .group_by(RUN.c.pipeline_name, RUN.c.concurrency_key)
)
_AHEAD = (
    select(func.count())
    .select_from(RUN)
    .where(
        READY,
        or_(
            RUN.c.queue_rank < bindparam("rank"),
            and_(RUN.c.queue_rank == bindparam("rank"), RUN.c.id < bindparam("run_id")),
        ),
    )
)
_EVENT_COLUMNS = (EVENT.c.id, EVENT.c.run_id, EVENT.c.at, EVENT.c.kind, EVENT.c.data)
_MOST_LOOKED_AT = 50_000
"""Events of one run among which some kinds are looked for: a run may tell of its progress all day."""
_EVENTS = (
    select(*_EVENT_COLUMNS)
    .where(EVENT.c.run_id == bindparam("run_id"), EVENT.c.id > bindparam("after_id"))
    .order_by(EVENT.c.id)
    .limit(bindparam("count"))
)
_ARTIFACTS = (
    select(ARTIFACT.c.path, ARTIFACT.c.size_bytes, ARTIFACT.c.sha256)
    .where(ARTIFACT.c.run_id == bindparam("run_id"))
    .order_by(ARTIFACT.c.path)
)
_RUNNERS = select(*(RUNNER.c[field.name] for field in fields(Runner)))
_ID_SLACK = timedelta(minutes=1)
"""Ids are made by the machine's clock a moment before or after `queued_at` is taken."""


class SqlReadStore:
    """See `ports.ReadStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, run_id: str) -> Run | None:
        """See `ReadStore.find`."""
        with self._database.read() as connection:
            row = connection.execute(_BY_ID, {"run_id": run_id}).first()
            return run_of(row) if row is not None else None

    def load_page(
        self, wanted: RunFilter, *, beyond_id: str | None, limit: int, oldest_first: bool = False
    ) -> Sequence[Run]:
        """See `ReadStore.load_page`."""
        stretch = _Stretch(beyond_id=beyond_id, limit=limit, oldest_first=oldest_first)
        with self._database.read() as connection:
            if wanted.pipelines is None or wanted.pipeline_name is not None:
                query = _page(select(*RUN_COLUMNS), wanted, stretch)
            else:
                ids = _ids_in_scope(connection, wanted, stretch)
                query = select(*RUN_COLUMNS).where(RUN.c.id.in_(ids)).order_by(stretch.order)
            return [run_of(row) for row in connection.execute(query)]

    def view_queue(self, run: Run, max_concurrent: int) -> QueueView:
        """See `ReadStore.view_queue`."""
        same = RUN.c.pipeline_name == run.pipeline_name
        if run.concurrency_key is not None and run.key_limit is not None:
            same = and_(same, RUN.c.concurrency_key == run.concurrency_key)
        holders = select(RUN.c.id).where(RUNNING, same).order_by(RUN.c.id).limit(20)
        with self._database.read() as connection:
            load = Load()
            for pipeline_name, key, count in connection.execute(_RUNNING_COUNTS):
                load.add(pipeline_name, key, count)
            ahead = connection.execute(_AHEAD, {"rank": -run.priority, "run_id": run.id}).scalar_one()
            return QueueView(
                position=ahead + 1,
                load=load,
                holders=list(connection.execute(holders).scalars()),
                max_concurrent=max_concurrent,
                runners=[Runner(**row._mapping) for row in connection.execute(_RUNNERS)],
            )

    def load_runners(self) -> Sequence[Runner]:
        """See `ReadStore.load_runners`."""
        with self._database.read() as connection:
            return [Runner(**row._mapping) for row in connection.execute(_RUNNERS)]

    def count_active(self) -> tuple[int, int]:
        """See `ReadStore.count_active`."""
        with self._database.read() as connection:
            counted = (
                connection.execute(select(func.count()).select_from(RUN).where(which)) for which in (PENDING, RUNNING)
            )
            waiting, running = (result.scalar_one() for result in counted)
            return waiting, running

    def load_events(self, run_id: str, *, after_id: int, limit: int) -> Sequence[RunEvent]:
        """See `ReadStore.load_events`."""
        with self._database.read() as connection:
            rows = connection.execute(_EVENTS, {"run_id": run_id, "after_id": after_id, "count": limit})
            return [RunEvent(**row._mapping) for row in rows]

    def tally(self, edges: Sequence[datetime], pipelines: Collection[str] | None) -> Sequence[Tally]:
        """See `ReadStore.tally`."""
        with self._database.read() as connection:
            return count_stretches(connection, edges, pipelines)

    def load_latest_events(
        self, run_id: str, *, kinds: Collection[str], after_id: int, limit: int
    ) -> Sequence[RunEvent]:
        """See `ReadStore.load_latest_events`."""
        latest = (
            select(*_EVENT_COLUMNS)
            .where(EVENT.c.run_id == run_id, EVENT.c.id > after_id)
            .order_by(EVENT.c.id.desc())
            .limit(_MOST_LOOKED_AT)
            .subquery()
        )
        query = select(latest).where(latest.c.kind.in_(kinds)).order_by(latest.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return [RunEvent(**row._mapping) for row in connection.execute(query)][::-1]

    def load_artifacts(self, run_id: str) -> Sequence[Artifact]:
        """See `ReadStore.load_artifacts`."""
        with self._database.read() as connection:
            return [Artifact(**row._mapping) for row in connection.execute(_ARTIFACTS, {"run_id": run_id})]


@dataclass(frozen=True, kw_only=True)
class _Stretch:
    """Which part of a list is wanted, and in which direction it is read."""

    beyond_id: str | None
    limit: int
    oldest_first: bool

    @property
    def order(self) -> Any:
        """Of the rows; any index on runs can be read in both directions."""
        return RUN.c.id.asc() if self.oldest_first else RUN.c.id.desc()


def _ids_in_scope(connection: Connection, wanted: RunFilter, stretch: _Stretch) -> list[str]:
    """One indexed query for each pipeline in scope: an IN list would make the database sort all their runs."""
    found = [
        list(connection.execute(_page(select(RUN.c.id), replace(wanted, pipeline_name=name), stretch)).scalars())
        for name in names_in_scope(connection, wanted.pipelines or ())
    ]
    return list(islice(heapq.merge(*found, reverse=not stretch.oldest_first), stretch.limit))


def _page(query: Select[Any], wanted: RunFilter, stretch: _Stretch) -> Select[Any]:
    query = _filtered(query, wanted).order_by(stretch.order).limit(stretch.limit)
    if stretch.beyond_id is None:
        return query
    return query.where(RUN.c.id > stretch.beyond_id if stretch.oldest_first else RUN.c.id < stretch.beyond_id)


def _filtered(query: Select[Any], wanted: RunFilter) -> Select[Any]:
    if wanted.pipeline_name is not None:
        query = query.where(RUN.c.pipeline_name == wanted.pipeline_name)
    if wanted.status is not None:
        query = query.where(RUN.c.status == wanted.status.value)
    if wanted.reason is not None:
        query = query.where(RUN.c.reason == wanted.reason)
    if wanted.trigger is not None:
        query = query.where(RUN.c.trigger == wanted.trigger)
    if wanted.schedule_id is not None:
        query = query.where(RUN.c.schedule_id == wanted.schedule_id)
    if wanted.root_id is not None:
        query = query.where(or_(RUN.c.id == wanted.root_id, RUN.c.root_id == wanted.root_id))
    if wanted.failure_group is not None:
        query = query.where(RUN.c.failure_group == wanted.failure_group)
    if wanted.id_tail is not None:
        query = query.where(RUN.c.id.endswith(wanted.id_tail))
    if wanted.since is not None:
        query = query.where(RUN.c.id >= first_id(wanted.since - _ID_SLACK), RUN.c.queued_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(RUN.c.id < first_id(wanted.until + _ID_SLACK), RUN.c.queued_at < wanted.until)
    return query
