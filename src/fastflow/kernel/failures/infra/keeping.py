"""Keeps runs that failed for good as dead letters, and settles those that another run made good, in the transaction that
ends them."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, insert, select, update

from fastflow.kernel.audit import record
from fastflow.kernel.failures.domain.records import LetterState
from fastflow.kernel.failures.infra.rows import LETTER
from fastflow.kernel.runs.domain.retrying import policy_of
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.at_end import EndedRun
from fastflow.kernel.runs.infra.rows import RUN
from fastflow.kit.identity import SYSTEM

_REPEATING: Final = frozenset(("rerun", "replay", "retry", "flow", "backfill"))
"""Triggers of runs that may repeat another one."""
_KEEP = insert(LETTER)
_LINKS = select(RUN.c.rerun_of, RUN.c.retried_by).where(RUN.c.id == bindparam("run_id"))
_SETTLE = (
    update(LETTER)
    .where(LETTER.c.run_id == bindparam("letter"), LETTER.c.state == LetterState.OPEN.value)
    .values(
        state=LetterState.REPLAYED.value,
        settled_at=bindparam("at"),
        settled_by=bindparam("by"),
        replayed_by=bindparam("replay"),
    )
)


class DeadLetters:
    """An `AtEnd`, after the retries."""

    def run_ended(self, connection: Connection, ended: EndedRun, now: datetime) -> bool:
        """See `AtEnd.run_ended`."""
        if ended.reason == "cancelled" or ended.retried_by is not None:
            return False
        kept = ended.status is not RunStatus.SUCCESS and _keep(connection, ended.load(connection), now)
        if ended.trigger in _REPEATING and (kept or ended.status is RunStatus.SUCCESS):
            _settle_repeated(connection, ended.load(connection), now)
        return False


def _keep(connection: Connection, run: Run, now: datetime) -> bool:
    """Keep the run as a dead letter; whether it is one."""
    if run.cancel_requested_at is not None or not policy_of(run).keeps_dead_letters:
        return False
    values = {"run_id": run.id, "pipeline_name": run.pipeline_name, "state": LetterState.OPEN.value, "created_at": now}
    connection.execute(_KEEP, values)
    return True


def _settle_repeated(connection: Connection, run: Run, now: datetime) -> None:
    """Settle the letter of the run that this one repeats: the work is done now, or has a newer letter. Replaying the old one
    would do it twice."""
    letter = _repeated(connection, run)
    if letter is None:
        return
    values = {"letter": letter, "at": now, "by": run.submitted_by, "replay": run.id}
    if connection.execute(_SETTLE, values).rowcount > 0:
        detail = {"run": run.id, "by": run.submitted_by}
        record(connection, at=now, actor=SYSTEM, action="dead_letter.replay", subject=letter, detail=detail)


def _repeated(connection: Connection, run: Run) -> str | None:
    """The last attempt of the run that this one, or the first attempt before it, repeats."""
    origin = run.rerun_of
    if origin is None and run.root_id is not None:
        first = connection.execute(_LINKS, {"run_id": run.root_id}).first()
        origin = first.rerun_of if first is not None else None
    while origin is not None:
        links = connection.execute(_LINKS, {"run_id": origin}).first()
        if links is None or links.retried_by is None:
            break
        origin = links.retried_by
    return origin
