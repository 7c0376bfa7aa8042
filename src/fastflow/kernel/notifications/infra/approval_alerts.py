"""Alerts of steps that wait for a person, written in the transaction in which the flow asks, and ended in the one that settles it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import Connection, select, update

from fastflow.kernel.notifications.domain.outbox import approval_group, decision_group
from fastflow.kernel.notifications.domain.rule import Finding
from fastflow.kernel.notifications.infra.deciding import load_rules, raise_alert
from fastflow.kernel.notifications.infra.rows import ALERT, json_time

_MAX_TEXT: Final = 2000


class Question(Protocol):
    """A step that waits for a person."""

    @property
    def flow_id(self) -> str:
        """Its flow."""
        ...

    @property
    def flow_name(self) -> str:
        """Its flow's name."""
        ...

    @property
    def step(self) -> str:
        """The pipeline that starts when it is approved."""
        ...

    @property
    def attempt(self) -> int:
        """Of the flow."""
        ...

    @property
    def note(self) -> str:
        """What is asked."""
        ...

    @property
    def users(self) -> Sequence[str]:
        """Who may decide; empty: every operator of the step's pipeline."""
        ...

    @property
    def on_timeout(self) -> str:
        """Approve or deny."""
        ...

    @property
    def asked_at(self) -> datetime | None:
        """Since when it waits."""
        ...

    @property
    def expires_at(self) -> datetime | None:
        """When `on_timeout` decides."""
        ...


class ApprovalAlerts:
    """An `ApprovalAlarm` of flows."""

    def asked(self, connection: Connection, question: Question, *, at: datetime) -> None:
        """See `ApprovalAlarm.asked`."""
        finding = Finding(
            event="approval",
            key=_key(question),
            group=approval_group(question.step),
            pipeline_name=question.step,
            facts=_facts(question),
        )
        for rule in load_rules(connection, question.step):
            if "approval" in rule.events:
                raise_alert(connection, rule, finding, at)

    def settled(self, connection: Connection, question: Question, *, outcome: str, at: datetime) -> None:
        """See `ApprovalAlarm.settled`. Rules that tell of recoveries too tell those who were asked what was decided."""
        of_question = (
            ALERT.c.pipeline_name == question.step,
            ALERT.c.resolved_at.is_(None),
            ALERT.c.event == "approval",
            ALERT.c.key == _key(question)[:300],
        )
        asked = connection.execute(select(ALERT.c.id, ALERT.c.rule_id, ALERT.c.facts).where(*of_question)).all()
        for row in asked:
            values: dict[str, Any] = {
                "resolved_at": at,
                "next_repeat_at": None,
                "facts": {**row.facts, "outcome": outcome[:_MAX_TEXT]},
            }
            connection.execute(update(ALERT).where(ALERT.c.id == row.id).values(**values))
        if not asked:
            return
        facts = {**_facts(question), "outcome": outcome[:_MAX_TEXT], "finished_at": json_time(at)}
        finding = Finding(
            event="recovery",
            key=f"decided:{_key(question)}",
            group=decision_group(question.step),
            pipeline_name=question.step,
            facts=facts,
        )
        told = {row.rule_id for row in asked}
        for rule in load_rules(connection, question.step):
            if rule.id in told and "recovery" in rule.events:
                raise_alert(connection, rule, finding, at)


def _key(question: Question) -> str:
    return f"approval:{question.flow_id}:{question.attempt}:{question.step}"


def _facts(question: Question) -> dict[str, object]:
    return {
        "flow_id": question.flow_id,
        "flow": question.flow_name,
        "question": question.note[:_MAX_TEXT],
        "users": list(question.users),
        "on_timeout": question.on_timeout,
        "asked_at": json_time(question.asked_at),
        "expires_at": json_time(question.expires_at),
    }
