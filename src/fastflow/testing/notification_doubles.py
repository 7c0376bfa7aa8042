"""Doubles of what notifications stand on: a sender that remembers, a disk that is as full as a test says."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastflow.kernel.notifications.domain.channel import Channel, fingerprint
from fastflow.kernel.notifications.domain.message import Message
from fastflow.kernel.notifications.domain.outbox import Alert, Notification, State
from fastflow.kernel.notifications.domain.rule import Rule, RuleDefinition, Severity
from fastflow.kernel.notifications.ports import Delivery
from fastflow.kernel.notifications.service.rules import make_rule
from fastflow.kit.identity import SYSTEM
from fastflow.kit.ids import new_id
from fastflow.kit.secret_text import SecretText
from fastflow.testing.clock import START


@dataclass(frozen=True)
class Sent:
    """What a sender was given."""

    urls: tuple[str, ...]
    message: Message
    severity: Severity


class MemorySender:
    """Keeps every message.

    Attributes:
        refuse: called with each address; what it returns is why that one does not take the message.
        unusable: addresses that begin with this are refused when they are checked.
    """

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.refuse: Callable[[str], str | None] = lambda _url: None
        self.unusable = "nonsense"
        self.is_closed = False

    def send(self, urls: Sequence[SecretText], message: Message, severity: Severity) -> Delivery:
        """See `Sender.send`."""
        plain = [url.reveal() for url in urls]
        problems = {url: why for url in plain if (why := self.refuse(url)) is not None}
        taken = [url for url in plain if url not in problems]
        if taken:
            self.sent.append(Sent(tuple(taken), message, severity))
        return Delivery(
            delivered=tuple(fingerprint(url) for url in taken), problem="; ".join(problems.values()) or None
        )

    def check(self, urls: Sequence[SecretText]) -> Mapping[int, str]:
        """See `Sender.check`."""
        return {
            place: "Apprise cannot use it" for place, url in enumerate(urls) if url.reveal().startswith(self.unusable)
        }

    def close(self) -> None:
        """See `Sender.close`."""
        self.is_closed = True

    @property
    def titles(self) -> list[str]:
        """Of the messages, in order."""
        return [sent.message.title for sent in self.sent]


class PlainCipher:
    """Turns text round, which is enough to see that it is not kept as it is."""

    def encrypt(self, value: SecretText) -> str:
        """See `Cipher.encrypt`."""
        return value.reveal()[::-1]

    def decrypt(self, ciphertext: str) -> SecretText | None:
        """See `Cipher.decrypt`."""
        return SecretText(ciphertext[::-1])


class MemoryLogTail:
    """Logs that a test writes."""

    def __init__(self) -> None:
        self.lines: dict[str, list[str]] = {}

    def last_lines(self, run_id: str, count: int) -> Sequence[str]:
        """See `LogTail.last_lines`."""
        return self.lines.get(run_id, [])[-count:]


def make_demo_rule(**values: Any) -> Rule:
    """A rule of the pipeline demo for the channel ops, made at the start of the clock."""
    given = {"pipeline_name": "demo", "channels": ("ops",), "name": "demo"}
    return make_rule(RuleDefinition(**{**given, **values}), "user", SYSTEM, START)


def make_channel(**values: Any) -> Channel:
    """A channel named ops."""
    made = {"created_at": START, "created_by": "user:ada", "updated_at": START, "updated_by": "user:ada"}
    return Channel(**{"name": "ops", "kinds": ("json",), **made, **values})


def make_notification(**values: Any) -> Notification:
    """A row of the outbox that is due."""
    given = {
        "id": new_id(),
        "alert_id": new_id(),
        "channel": "ops",
        "severity": Severity.CRITICAL,
        "group": "failure:demo:exit",
        "state": State.WAITING,
        "why": "waits to be sent",
        "not_before": START,
        "created_at": START,
    }
    return Notification(**{**given, **values})


def make_alert(**values: Any) -> Alert:
    """An alert of a failure."""
    facts = {
        "failing_since": START.isoformat(), "failures": 1, "reason": "exit", "reason_text": "exit code 3", "exit_code": 3,
        "trigger": "schedule", "started_at": START.isoformat(), "finished_at": START.isoformat(),
    }  # fmt: skip
    given = {
        "id": new_id(),
        "rule_id": new_id(),
        "rule_name": "demo/demo",
        "event": "failure",
        "severity": Severity.CRITICAL,
        "pipeline_name": "demo",
        "run_id": new_id(),
        "schedule_id": None,
        "facts": facts,
        "at": START,
    }
    return Alert(**{**given, **values})
