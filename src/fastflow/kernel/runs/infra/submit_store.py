"""Writing new runs and what people ask of them: submit, cancel, change the priority."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy.exc import IntegrityError

from fastflow.kernel.audit import record
from fastflow.kernel.db.engine import Database
from fastflow.kernel.runs.domain.queue import Candidate
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.at_end import ENDED_COLUMNS, AtEnd, Ends, ended_of, ended_on_arrival
from fastflow.kernel.runs.infra.event_writer import record_state
from fastflow.kernel.runs.infra.queueing import put_in_queue
from fastflow.kernel.runs.infra.rows import PENDING, READY, RUN, RUN_COLUMNS, RUNNING, run_of
from fastflow.kernel.runs.ports import Admission, Beside, Inserted
from fastflow.kit.identity import Actor

_BY_ID = select(*RUN_COLUMNS).where(RUN.c.id == bindparam("run_id"))
_BY_IDEMPOTENCY_KEY = select(*RUN_COLUMNS).where(
    RUN.c.pipeline_name == bindparam("pipeline_name"), RUN.c.idempotency_key == bindparam("key")
)
_ACTIVE_COLUMNS = (
    *(RUN.c.id, RUN.c.pipeline_name, RUN.c.concurrency_key, RUN.c.pipeline_limit, RUN.c.key_limit, RUN.c.status),
    RUN.c.schedule_id,
)
_ACTIVE = (
    select(*_ACTIVE_COLUMNS)
    .where(
        RUN.c.pipeline_name == bindparam("pipeline_name"),
        RUN.c.status.in_([RunStatus.PENDING.value, RunStatus.RUNNING.value]),
        RUN.c.cancel_requested_at.is_(None),
    )
    .order_by(RUN.c.id)
)
_COUNT_WAITING = select(func.count()).select_from(RUN).where(READY)
_COUNT_RUNNING = select(func.count()).select_from(RUN).where(RUNNING)
_CANCELLATION: dict[str, Any] = {
    "cancel_requested_at": bindparam("at"),
    "cancel_requested_by": bindparam("by"),
    "cancel_reason": bindparam("why"),
}
_CANCEL_PENDING = (
    update(RUN)
    .where(RUN.c.id == bindparam("run_id"), PENDING)
    .values(
        **_CANCELLATION,
        status=RunStatus.FAILED.value,
        reason="cancelled",
        reason_text=bindparam("why"),
        finished_at=bindparam("at"),
    )
    .returning(*ENDED_COLUMNS)
)
_CANCEL_RUNNING = (
    update(RUN)
    .where(RUN.c.id == bindparam("run_id"), RUNNING, RUN.c.cancel_requested_at.is_(None))
    .values(**_CANCELLATION)
)
_SET_PRIORITY = (
    update(RUN)
    .where(RUN.c.id == bindparam("run_id"), PENDING)
    .values(priority=bindparam("new_priority"), queue_rank=bindparam("new_rank"))
)
_HURRY = (
    update(RUN).where(RUN.c.id == bindparam("run_id"), PENDING, RUN.c.not_before.is_not(None)).values(not_before=None)
)


class SqlSubmitStore:
    """See `ports.SubmitStore`.

    Args:
        database: migrated.
        at_end: features that act when a run ends.
    """

    def __init__(self, database: Database, *, at_end: Sequence[AtEnd] = ()) -> None:
        self._database = database
        self._ends = Ends(at_end)

    def find_by_idempotency_key(self, pipeline_name: str, key: str) -> Run | None:
        """See `SubmitStore.find_by_idempotency_key`."""
        with self._database.read() as connection:
            return _find_same(connection, pipeline_name, key)

    def insert(
        self,
        run: Run,
        *,
        admission: Admission | None,
        actor: Actor,
        action: str,
        detail: Mapping[str, Any],
        beside: Beside | None = None,
    ) -> Inserted:
        """See `SubmitStore.insert`."""
        try:
            with self._database.write() as connection:
                return self.insert_in(
                    connection, run, admission=admission, actor=actor, action=action, detail=detail, beside=beside
                )
        except IntegrityError:
            # On PostgreSQL another transaction inserted the same idempotency key after we had looked.
            if run.idempotency_key is None:
                raise
            first = self.find_by_idempotency_key(run.pipeline_name, run.idempotency_key)
            if first is None:
                raise
            return Inserted(run=first, is_new=False)

    def insert_in(
        self,
        connection: Connection,
        run: Run,
        *,
        admission: Admission | None,
        actor: Actor,
        action: str,
        detail: Mapping[str, Any],
        beside: Beside | None = None,
    ) -> Inserted:
        """As `insert`, in the caller's write transaction; what raises may have written and must undo it."""
        if admission is not None:
            self._database.lock(connection, "claim")
        if run.idempotency_key is not None:
            first = _find_same(connection, run.pipeline_name, run.idempotency_key)
            if first is not None:
                return Inserted(run=first, is_new=False)
        cancelled: list[str] = []
        if admission is not None:
            waiting, running = _occupancy(connection) if admission.needs_occupancy else (0, 0)
            active = _load_active(connection, run.pipeline_name) if admission.needs_active else []
            verdict = admission.decide(run, active, waiting + running)
            run = verdict.run
            for holder in verdict.cancel:
                if self._cancel(connection, holder.id, run.queued_at, actor.name, verdict.why):
                    cancelled.append(holder.id)
                    record(
                        connection,
                        at=run.queued_at,
                        actor=actor,
                        action="run.cancel",
                        subject=holder.id,
                        detail={"reason": verdict.why},
                    )
        if beside is not None:
            beside(connection, run)
        put_in_queue(connection, run, actor=actor, action=action, detail=detail)
        if run.has_ended:
            self._ends.tell(connection, ended_on_arrival(run), run.queued_at)
        return Inserted(run=run, is_new=True, cancelled=cancelled)

    def cancel(self, run_id: str, *, at: datetime, actor: Actor, why: str) -> Run | None:
        """See `SubmitStore.cancel`."""
        with self._database.write() as connection:
            changed = self._cancel(connection, run_id, at, actor.name, why)
            if changed:
                record(connection, at=at, actor=actor, action="run.cancel", subject=run_id, detail={"reason": why})
            row = connection.execute(_BY_ID, {"run_id": run_id}).first()
            return run_of(row) if row is not None else None

    def _cancel(self, connection: Connection, run_id: str, at: datetime, by: str, why: str) -> bool:
        values = {"run_id": run_id, "at": at, "by": by[:200], "why": why}
        row = connection.execute(_CANCEL_PENDING, values).first()
        if row is None:
            return connection.execute(_CANCEL_RUNNING, values).rowcount > 0
        record_state(connection, run_id, at, RunStatus.FAILED, reason="cancelled")
        self._ends.tell(connection, ended_of(row), at)
        return True

    def set_priority(self, run_id: str, priority: int, *, at: datetime, actor: Actor) -> tuple[Run | None, bool]:
        """See `SubmitStore.set_priority`."""
        with self._database.write() as connection:
            values = {"run_id": run_id, "new_priority": priority, "new_rank": -priority}
            changed = connection.execute(_SET_PRIORITY, values).rowcount > 0
            if changed:
                record(
                    connection, at=at, actor=actor, action="run.priority", subject=run_id, detail={"priority": priority}
                )
            row = connection.execute(_BY_ID, {"run_id": run_id}).first()
            return (run_of(row) if row is not None else None), changed

    def hurry(self, run_id: str, *, at: datetime, actor: Actor) -> tuple[Run | None, bool]:
        """See `SubmitStore.hurry`."""
        with self._database.write() as connection:
            changed = connection.execute(_HURRY, {"run_id": run_id}).rowcount > 0
            if changed:
                record(connection, at=at, actor=actor, action="run.hurry", subject=run_id)
            row = connection.execute(_BY_ID, {"run_id": run_id}).first()
            return (run_of(row) if row is not None else None), changed


def _find_same(connection: Connection, pipeline_name: str, key: str) -> Run | None:
    row = connection.execute(_BY_IDEMPOTENCY_KEY, {"pipeline_name": pipeline_name, "key": key}).first()
    return run_of(row) if row is not None else None


def _occupancy(connection: Connection) -> tuple[int, int]:
    return connection.execute(_COUNT_WAITING).scalar_one(), connection.execute(_COUNT_RUNNING).scalar_one()


def _load_active(connection: Connection, pipeline_name: str) -> Sequence[Candidate]:
    return [
        Candidate(
            id=row.id,
            pipeline_name=row.pipeline_name,
            concurrency_key=row.concurrency_key,
            pipeline_limit=row.pipeline_limit,
            key_limit=row.key_limit,
            is_running=row.status == RunStatus.RUNNING.value,
            schedule_id=row.schedule_id,
        )
        for row in connection.execute(_ACTIVE, {"pipeline_name": pipeline_name})
    ]
