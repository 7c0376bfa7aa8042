"""Alerts of daemons that crash again and again, written in the transaction in which the keeper of daemons decides so."""

from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import Connection, bindparam, update

from fastflow.kernel.notifications.domain.rule import Finding
from fastflow.kernel.notifications.infra.deciding import FORGET_TROUBLE, RESOLVE, load_rules, raise_alert
from fastflow.kernel.notifications.infra.rows import ALERT, json_time

_LOOP_OVER: Final = (
    update(ALERT)
    .where(
        ALERT.c.pipeline_name == bindparam("of_pipeline"),
        ALERT.c.resolved_at.is_(None),
        ALERT.c.event == "crash-loop",
    )
    .values(resolved_at=bindparam("at_moment"), next_repeat_at=None)
)
_MAX_TEXT: Final = 2000


class LastEnd(Protocol):
    """How the daemon ended last."""

    @property
    def text(self) -> str:
        """How."""
        ...

    @property
    def run_id(self) -> str | None:
        """The instance's run."""
        ...

    @property
    def restarts(self) -> int:
        """Unexpected ends within an hour."""
        ...


class DaemonAlerts:
    """An `Alarm` of daemons."""

    def crash_loop(
        self,
        connection: Connection,
        pipeline_name: str,
        *,
        crashes: int,
        last: LastEnd | None,
        next_start_at: datetime | None,
        at: datetime,
    ) -> None:
        """See `Alarm.crash_loop`."""
        facts: dict[str, object] = {
            "crashes": crashes,
            "last_end": None if last is None else last.text[:_MAX_TEXT],
            "restarts": None if last is None else last.restarts,
            "next_start_at": json_time(next_start_at),
        }
        finding = Finding(
            event="crash-loop",
            key=f"crash-loop:{pipeline_name}:{at.isoformat()}",
            group=f"crash-loop:{pipeline_name}",
            pipeline_name=pipeline_name,
            run_id=None if last is None else last.run_id,
            facts=facts,
        )
        for rule in load_rules(connection, pipeline_name):
            if rule.hears_crash_loops:
                raise_alert(connection, rule, finding, at)

    def recovered(
        self, connection: Connection, pipeline_name: str, *, crashes: int, since: datetime | None, at: datetime
    ) -> None:
        """See `Alarm.recovered`. What its instances' failures began is over with it."""
        values: dict[str, Any] = {"of_pipeline": pipeline_name}
        trouble = connection.execute(FORGET_TROUBLE, values).first()
        connection.execute(RESOLVE, {**values, "at_moment": at})
        connection.execute(_LOOP_OVER, {**values, "at_moment": at})
        failing_since = since if trouble is None or trouble.failing_since is None else trouble.failing_since
        if failing_since is None:
            return
        facts: dict[str, object] = {
            "daemon": True,
            "failing_since": json_time(failing_since),
            "failures": max(crashes, 0 if trouble is None else trouble.failures),
            "finished_at": json_time(at),
        }
        finding = Finding(
            event="recovery",
            key=f"recovery:{pipeline_name}:{at.isoformat()}",
            group=f"recovery:{pipeline_name}:",
            pipeline_name=pipeline_name,
            facts=facts,
        )
        for rule in load_rules(connection, pipeline_name):
            if "recovery" in rule.events:
                raise_alert(connection, rule, finding, at)

    def ended(self, connection: Connection, pipeline_name: str, *, at: datetime) -> None:
        """See `Alarm.ended`."""
        connection.execute(_LOOP_OVER, {"of_pipeline": pipeline_name, "at_moment": at})
