"""Writes an alert and its rows in the outbox, once, in the transaction that decides it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from fastflow.kernel.notifications.domain.outbox import State
from fastflow.kernel.notifications.domain.rule import Finding, Rule
from fastflow.kernel.notifications.infra.rows import ALERT, NOTIFICATION, RULE, TROUBLE, json_time, rule_of
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.at_end import EndedRun
from fastflow.kit.ids import new_id

_RULES: Final = select(RULE).where(
    RULE.c.pipeline_name.in_(("", bindparam("pipeline_name"))), RULE.c.is_enabled.is_(True)
)
FORGET_TROUBLE: Final = (
    delete(TROUBLE)
    .where(TROUBLE.c.pipeline_name == bindparam("of_pipeline"))
    .returning(TROUBLE.c.failing_since, TROUBLE.c.failures)
)
OWN_END: Final = ("crash-loop", "approval")
"""What is over when whoever told it says so, not with the next success of the pipeline."""
RESOLVE: Final = (
    update(ALERT)
    .where(
        ALERT.c.pipeline_name == bindparam("of_pipeline"),
        ALERT.c.resolved_at.is_(None),
        ALERT.c.event.not_in(OWN_END),  # that a daemon's run ended with success ends no loop
    )
    .values(resolved_at=bindparam("at_moment"), next_repeat_at=None)
)
_LOOPS_TOLD: Final = select(ALERT.c.rule_id).where(
    ALERT.c.pipeline_name == bindparam("of_pipeline"), ALERT.c.resolved_at.is_(None), ALERT.c.event == "crash-loop"
)
_MAX_TEXT: Final = 2000


def load_rules(connection: Connection, pipeline_name: str) -> Sequence[Rule]:
    """The rules in force for a pipeline."""
    rows = connection.execute(_RULES, {"pipeline_name": pipeline_name}).mappings()
    return [rule_of(row) for row in rows]


def raise_alert(connection: Connection, rule: Rule, finding: Finding, now: datetime) -> bool:
    """Write the alert with a row in the outbox for each channel; False: it was told already.

    Args:
        connection: in a write transaction.
        rule: that asks for it.
        finding: what is to be told.
        now: aware.
    """
    alert_id = new_id()
    severity = int(rule.severity_of(finding.event))
    repeats = rule.repeat_every is not None and finding.event != "recovery"
    row = {
        "id": alert_id,
        "rule_id": rule.id,
        "rule_name": rule.label[:100],
        "key": finding.key[:300],
        "event": finding.event,
        "severity": severity,
        "pipeline_name": finding.pipeline_name,
        "run_id": finding.run_id,
        "schedule_id": finding.schedule_id,
        "facts": finding.facts,
        "at": now,
        "resolved_at": now if finding.event == "recovery" else None,
        "next_repeat_at": now + timedelta(seconds=rule.repeat_every or 0) if repeats else None,
        "repeats": 0,
    }
    if not connection.execute(_dialect(connection).insert(ALERT).on_conflict_do_nothing(), row).rowcount:
        return False
    rows = outbox_rows(alert_id, rule.channels, severity, finding.group, now, repeat=0)
    connection.execute(NOTIFICATION.insert(), rows)
    if finding.pipeline_name is not None and finding.event not in ("failure", "recovery", *OWN_END):
        _note_trouble(connection, finding.pipeline_name)
    return True


def outbox_rows(
    alert_id: str, channels: Sequence[str], severity: int, group: str, now: datetime, *, repeat: int
) -> list[dict[str, Any]]:
    """New rows of the outbox, to be sent at once."""
    return [
        {
            "id": new_id(),
            "alert_id": alert_id,
            "channel": name,
            "severity": severity,
            "group_key": group[:300],
            "state": State.WAITING.value,
            "why": "waits to be sent",
            "held": False,
            "attempts": 0,
            "not_before": now,
            "delivered": [],
            "repeat": repeat,
            "created_at": now,
        }
        for name in channels
    ]


class EndAlerts:
    """Decides on failure and recovery with the end itself; an `AtEnd` of runs."""

    def run_ended(self, connection: Connection, ended: EndedRun, now: datetime) -> bool:
        """See `AtEnd.run_ended`. A success costs one look at an index; a failure that is tried again is none yet."""
        if ended.retried_by is not None:
            return False  # not the last word
        if ended.status is RunStatus.SUCCESS:
            if ended.trigger != "daemon":  # a service that ends has crashed; its keeper tells when it is well again
                self._succeeded(connection, ended, now)
        elif ended.reason != "cancelled":
            self._failed(connection, ended, now)
        else:
            self._tell_failure(connection, ended, now, None, 0)
        return False

    def _succeeded(self, connection: Connection, ended: EndedRun, now: datetime) -> None:
        trouble = connection.execute(FORGET_TROUBLE, {"of_pipeline": ended.pipeline_name}).first()
        if trouble is None:
            return
        connection.execute(RESOLVE, {"of_pipeline": ended.pipeline_name, "at_moment": now})
        if trouble.failing_since is None:
            return
        rules = [rule for rule in load_rules(connection, ended.pipeline_name) if "recovery" in rule.events]
        if not rules:
            return
        run = ended.load(connection)
        facts = {
            "failing_since": json_time(trouble.failing_since),
            "failures": trouble.failures,
            "started_at": json_time(run.started_at),
            "finished_at": json_time(run.finished_at),
        }
        for rule in rules:
            raise_alert(connection, rule, _finding("recovery", ended, facts), now)

    def _failed(self, connection: Connection, ended: EndedRun, now: datetime) -> None:
        insert = _dialect(connection).insert(TROUBLE)
        counted = insert.on_conflict_do_update(
            index_elements=[TROUBLE.c.pipeline_name],
            set_={
                "failing_since": func.coalesce(TROUBLE.c.failing_since, insert.excluded.failing_since),
                "failures": TROUBLE.c.failures + 1,
            },
        ).returning(TROUBLE.c.failing_since, TROUBLE.c.failures)
        row = {"pipeline_name": ended.pipeline_name, "failing_since": now, "failures": 1}
        trouble = connection.execute(counted, row).one()
        self._tell_failure(connection, ended, now, trouble.failing_since, trouble.failures)

    def _tell_failure(
        self, connection: Connection, ended: EndedRun, now: datetime, since: datetime | None, failures: int
    ) -> None:
        rules = [
            rule
            for rule in load_rules(connection, ended.pipeline_name)
            if "failure" in rule.events and ended.reason in rule.reasons
        ]
        if rules and ended.trigger == "daemon":  # that it crashes again and again was told: not each crash as well
            told = set(connection.execute(_LOOPS_TOLD, {"of_pipeline": ended.pipeline_name}).scalars())
            rules = [rule for rule in rules if rule.id not in told]
        if not rules:
            return
        run = ended.load(connection)
        facts = {
            "failing_since": json_time(since),
            "failures": failures,
            "reason": run.reason,
            "reason_text": (run.reason_text or "")[:_MAX_TEXT],
            "exit_code": run.exit_code,
            "trigger": run.trigger,
            "started_at": json_time(run.started_at),
            "finished_at": json_time(run.finished_at),
        }
        for rule in rules:
            raise_alert(connection, rule, _finding("failure", ended, facts), now)


def _finding(event: Any, ended: EndedRun, facts: dict[str, Any]) -> Finding:
    return Finding(
        event=event,
        key=f"{event}:{ended.id}",
        group=f"{event}:{ended.pipeline_name}:{ended.reason or ''}",
        pipeline_name=ended.pipeline_name,
        run_id=ended.id,
        facts=facts,
    )


def _note_trouble(connection: Connection, pipeline_name: str) -> None:
    """So that the next success ends what was told."""
    row = {"pipeline_name": pipeline_name, "failing_since": None, "failures": 0}
    connection.execute(_dialect(connection).insert(TROUBLE).on_conflict_do_nothing(), row)


def _dialect(connection: Connection) -> Any:
    return sqlite if connection.dialect.name == "sqlite" else postgresql
