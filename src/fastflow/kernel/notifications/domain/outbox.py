"""Alerts, and the outbox: one row for each channel an alert goes to, from the decision to the delivery."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from fastflow.kernel.notifications.domain.rule import Event, Severity

MAX_ATTEMPTS = 10
_FIRST_DELAY = timedelta(seconds=10)
_LONGEST_DELAY = timedelta(hours=1)
MAX_REPEATS = 50


class State(StrEnum):
    """Where a notification stands."""

    WAITING = "waiting"
    """To be sent, or held back, or tried again: `why` says which. The worker moves it on."""
    SENT = "sent"
    """The channel took it."""
    FAILED = "failed"
    """Given up; `why` says for what reason."""
    DROPPED = "dropped"
    """Not sent on purpose, such as to a channel that is switched off."""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """Something a rule told of.

    Attributes:
        facts: what is to be said, as JSON.
        acknowledged_at: when somebody said they know.
        resolved_at: when it was over by itself.
        next_repeat_at: when it is told again.
    """

    id: str
    rule_id: str
    rule_name: str
    event: Event
    severity: Severity
    pipeline_name: str | None
    run_id: str | None
    schedule_id: str | None
    facts: Mapping[str, Any]
    at: datetime
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    next_repeat_at: datetime | None = None
    repeats: int = 0

    @property
    def flow_id(self) -> str | None:
        """Of an approval: the flow that waits."""
        found = self.facts.get("flow_id")
        return None if found is None else str(found)


@dataclass(frozen=True, kw_only=True)
class Notification:
    """An alert on its way to one channel.

    Attributes:
        group: equal ones share a message.
        why: the state in words.
        held: it was held back by quiet hours and comes with what else was.
        delivered: fingerprints of the channel's addresses that took it, when others did not.
        message_id: of the message it was part of.
        repeat: 0 is the first time it is told.
    """

    id: str
    alert_id: str
    channel: str
    severity: Severity
    group: str
    state: State
    why: str
    held: bool = False
    attempts: int = 0
    not_before: datetime
    delivered: tuple[str, ...] = ()
    message_id: str | None = None
    title: str | None = None
    repeat: int = 0
    created_at: datetime
    sent_at: datetime | None = None


def approval_group(pipeline_name: str) -> str:
    """The group of questions whether a pipeline may start."""
    return f"approval:{pipeline_name}"


def decision_group(pipeline_name: str) -> str:
    """The group of what became of such questions."""
    return f"decided:{pipeline_name}"


def ended_by(group: str) -> tuple[str, str] | None:
    """Of a recovery's or a decision's group: how groups begin that it ends, and the one beside; None: it ends nothing.

    >>> ended_by("recovery:demo:"), ended_by("failure:demo:exit")
    (('failure:demo:', 'crash-loop:demo'), None)
    >>> ended_by("decided:demo")
    ('approval:demo:', 'approval:demo')
    """
    event, _, rest = group.partition(":")
    pipeline = rest.partition(":")[0]
    if event == "decided":
        return f"{approval_group(pipeline)}:", approval_group(pipeline)
    return (f"failure:{pipeline}:", f"crash-loop:{pipeline}") if event == "recovery" else None


def retry_delay(attempts: int) -> timedelta | None:
    """How long to wait after so many failed attempts; None: no more are made.

    >>> [int(retry_delay(n).total_seconds()) for n in range(1, 10)]
    [10, 20, 40, 80, 160, 320, 640, 1280, 2560]
    >>> retry_delay(10) is None
    True
    """
    if attempts >= MAX_ATTEMPTS:
        return None
    seconds = _FIRST_DELAY.total_seconds() * float(2 ** (attempts - 1))
    return min(_LONGEST_DELAY, timedelta(seconds=seconds))
