"""Keeps runs that failed for good as dead letters, in the transaction that ends them."""

from datetime import datetime

from sqlalchemy import Connection, insert

from fastflow.kernel.failures.domain.records import LetterState
from fastflow.kernel.failures.infra.rows import LETTER
from fastflow.kernel.runs.domain.retrying import policy_of
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.at_end import EndedRun

_KEEP = insert(LETTER)


class DeadLetters:
    """An `AtEnd`, after the retries."""

    def run_ended(self, connection: Connection, ended: EndedRun, now: datetime) -> bool:
        """See `AtEnd.run_ended`."""
        if ended.status is RunStatus.SUCCESS or ended.reason == "cancelled" or ended.retried_by is not None:
            return False
        run = ended.load(connection)
        if run.cancel_requested_at is None and policy_of(run).keeps_dead_letters:
            connection.execute(
                _KEEP,
                {
                    "run_id": run.id,
                    "pipeline_name": run.pipeline_name,
                    "state": LetterState.OPEN.value,
                    "created_at": now,
                },
            )
        return False
