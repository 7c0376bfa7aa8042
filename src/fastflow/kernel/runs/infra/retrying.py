"""Puts the next attempt of a failed run into the queue, in the transaction that ends it."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, update

from fastflow.kernel.runs.domain.retrying import next_attempt, policy_of, why_final
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.at_end import EndedRun
from fastflow.kernel.runs.infra.queueing import put_in_queue
from fastflow.kernel.runs.infra.rows import RUN
from fastflow.kit.identity import SYSTEM

_LINK = update(RUN).where(RUN.c.id == bindparam("run_id")).values(retried_by=bindparam("successor"))


class Retries:
    """An `AtEnd`: the first one, so that the others know whether a failure is the last word."""

    def run_ended(self, connection: Connection, ended: EndedRun, now: datetime) -> bool:
        """See `AtEnd.run_ended`."""
        if ended.status is RunStatus.SUCCESS or ended.reason == "cancelled":
            return False
        run = ended.load(connection)
        if why_final(run) is not None:
            return False
        again = next_attempt(run, now)
        detail = {
            "pipeline": run.pipeline_name,
            "retry_of": run.id,
            "attempt": again.attempt,
            "of": policy_of(run).retries + 1,
        }
        put_in_queue(connection, again, actor=SYSTEM, action="run.retry", detail=detail)
        connection.execute(_LINK, {"run_id": run.id, "successor": again.id})
        ended.be_retried_by(again.id)
        return again.not_before is None
