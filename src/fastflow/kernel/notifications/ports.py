"""What notifications need of others: their stores, the sender, runs' logs, and what they watch."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from fastflow.kernel.notifications.domain.channel import Channel
from fastflow.kernel.notifications.domain.dispatching import Batch
from fastflow.kernel.notifications.domain.message import Message
from fastflow.kernel.notifications.domain.outbox import Alert, Notification, State
from fastflow.kernel.notifications.domain.rule import Event, Finding, Origin, Rule, Severity
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kit.identity import Actor
from fastflow.kit.secret_text import SecretText

# -- what people make ---------------------------------------------------------------------------------------------------


class ChannelStore(Protocol):
    """Channels; each change is one transaction with its audit entry."""

    def add(self, channel: Channel, ciphertext: str, *, actor: Actor) -> None:
        """Keep a new channel.

        Raises:
            ChannelExists: the name is taken.
        """
        ...

    def change(self, channel: Channel, ciphertext: str | None, *, actor: Actor) -> None:
        """Give the channel of that name a new form, and new addresses unless None.

        Raises:
            ChannelNotFound: there is none.
        """
        ...

    def delete(self, name: str, *, actor: Actor, at: datetime) -> bool:
        """Remove it; whether it was there."""
        ...

    def find(self, names: Collection[str]) -> Mapping[str, Channel]:
        """Those of the names that exist."""
        ...

    def load_page(self, *, after_name: str, limit: int) -> Sequence[Channel]:
        """At most `limit` channels by name, after the given one."""
        ...

    def load_ciphertext(self, name: str) -> str | None:
        """The encrypted addresses."""
        ...

    def note_test(self, name: str, problem: str | None, *, actor: Actor, at: datetime) -> None:
        """A test was sent; None: the channel took it."""
        ...


@dataclass(frozen=True, kw_only=True)
class RuleFilter:
    """Which rules a list shows; None means any.

    Attributes:
        pipelines: names and patterns of the only pipelines the asker may see.
    """

    pipeline_name: str | None = None
    origin: Origin | None = None
    channel: str | None = None
    pipelines: Sequence[str] | None = None


class RuleStore(Protocol):
    """Rules; each change is one transaction with its audit entry."""

    def add(self, rule: Rule, *, actor: Actor) -> Rule:
        """Keep a new rule. An empty name is replaced by the first free one.

        Raises:
            RuleNameTaken: the pipeline has a rule of that name and origin.
        """
        ...

    def change(self, rule: Rule, *, actor: Actor) -> bool:
        """Give the rule of that id a new form; whether it was there.

        Raises:
            RuleNameTaken: the new name is taken.
        """
        ...

    def delete(self, rule: Rule, *, actor: Actor, at: datetime) -> bool:
        """Remove it; whether it was there. What it told stays."""
        ...

    def find(self, rule_id: str) -> Rule | None:
        """The rule; None when there is none."""
        ...

    def load_page(self, wanted: RuleFilter, *, after_id: str, limit: int) -> Sequence[Rule]:
        """At most `limit` rules in the order of their ids, after the given one."""
        ...

    def load_all(self) -> Sequence[Rule]:
        """Every rule."""
        ...


@dataclass(frozen=True, kw_only=True)
class AlertFilter:
    """Which alerts a list shows; None means any.

    Attributes:
        is_open: neither acknowledged nor over.
        pipelines: names and patterns of the only pipelines the asker may see.
    """

    pipeline_name: str | None = None
    event: Event | None = None
    is_open: bool | None = None
    pipelines: Sequence[str] | None = None


@dataclass(frozen=True, kw_only=True)
class NotificationFilter:
    """Which rows of the outbox a list shows; None means any."""

    channel: str | None = None
    state: State | None = None
    alert_id: str | None = None
    pipelines: Sequence[str] | None = None


class AlertStore(Protocol):
    """What was told, and to whom."""

    def load_alerts(self, wanted: AlertFilter, *, before_id: str | None, limit: int) -> Sequence[Alert]:
        """At most `limit` alerts, latest first, before the given one."""
        ...

    def find(self, alert_id: str) -> Alert | None:
        """The alert; None when there is none."""
        ...

    def load_notifications(
        self, wanted: NotificationFilter, *, before_id: str | None, limit: int
    ) -> Sequence[tuple[Notification, Alert]]:
        """At most `limit` rows of the outbox with their alerts, latest first, before the given one."""
        ...

    def acknowledge(self, alert_id: str, *, actor: Actor, at: datetime) -> Alert | None:
        """Note that somebody knows; the first one stays. Returns the alert, None when there is none."""
        ...

    def count_waiting(self, now: datetime) -> "Backlog":
        """How much waits."""
        ...


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """The outbox in numbers.

    Attributes:
        waiting: rows that are to be sent at some time.
        overdue_since: the earliest that should have gone; None: none should.
    """

    waiting: int
    overdue_since: datetime | None


# -- delivery ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What an attempt came to.

    Attributes:
        delivered: fingerprints of the addresses that took the message.
        problem: why it did not reach all, without anything secret; None: it did.
    """

    delivered: tuple[str, ...]
    problem: str | None


class Outbox(Protocol):
    """Rows that wait. Any number of workers may use it at once: none takes what another one has."""

    def claim(self, now: datetime, *, limit: int) -> Sequence[Batch]:
        """Take what is due, under a lease; what is held back is put off in the same transaction."""
        ...

    def settle(self, batch: Batch, message: Message, delivery: Delivery, now: datetime) -> None:
        """Write what became of a claimed batch; with a problem it is tried again later, or given up."""
        ...

    def load_alerts(self, batch: Batch) -> Sequence[Alert]:
        """The alerts of a batch, oldest first."""
        ...

    def next_due(self) -> datetime | None:
        """When something may be due next; None: nothing waits."""
        ...


class Sender(Protocol):
    """Hands a message over to services outside."""

    def send(self, urls: Sequence[SecretText], message: Message, severity: Severity) -> Delivery:
        """One attempt, to every address; ends in bounded time and never raises for what a service does."""
        ...

    def check(self, urls: Sequence[SecretText]) -> Mapping[int, str]:
        """What is wrong with addresses, by place; sends nothing."""
        ...

    def close(self) -> None:
        """End attempts that are going on; they are made again later. Safe from another thread."""
        ...


class LogTail(Protocol):
    """The end of a run's log."""

    def last_lines(self, run_id: str, count: int) -> Sequence[str]:
        """Its last lines, masked as they were written; none when the log is not on this machine or gone."""
        ...


# -- watching ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class DueTime:
    """A due time of a schedule, and how far its run has come.

    Attributes:
        fire_at: when its run was to be started.
        outcome: of the ledger; None: it has no row yet.
        started_at: of its run.
        has_ended: whether its run is over.
        state: why it has not started, as far as that is known.
    """

    schedule_id: str
    pipeline_name: str
    name: str
    due_at: datetime
    fire_at: datetime
    outcome: str | None
    why: str
    run_id: str | None = None
    started_at: datetime | None = None
    has_ended: bool = False


@dataclass(frozen=True, kw_only=True)
class GoingOn:
    """A run that goes on."""

    run_id: str
    pipeline_name: str
    started_at: datetime


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a pipeline stands at a deadline.

    Attributes:
        succeeded: whether a run succeeded in the time that counts.
        last_success: of any time before.
        running: a run that goes on.
        last_end: how the last run in that time ended, in words.
    """

    succeeded: bool
    last_success: datetime | None
    running: str | None
    last_end: str | None


@dataclass(frozen=True, kw_only=True)
class SilentServer:
    """A server of the same database that was not stopped and does not report."""

    host: str
    hostname: str
    seen_at: datetime


class Sights(Protocol):
    """Looks at what rules watch; changes nothing but to note what was found."""

    def load_rules(self) -> Sequence[Rule]:
        """The rules in force that watch something."""
        ...

    def load_due_times(self, rule: Rule, until: datetime) -> Sequence[DueTime]:
        """Due times from `rule.watched_until` to an instant, and those before it that no scheduler has handled."""
        ...

    def load_going_on(self, pipeline_name: str | None) -> Sequence[GoingOn]:
        """The runs that go on."""
        ...

    def load_durations(self, pipeline_name: str, count: int) -> Sequence[float]:
        """Seconds the last successful runs took, newest first."""
        ...

    def look_at(self, pipeline_name: str, since: datetime, until: datetime) -> Standing:
        """How the pipeline stands, by runs that ended between two instants."""
        ...

    def load_silent_servers(self, before: datetime) -> Sequence[SilentServer]:
        """Other servers that have not reported since an instant."""
        ...

    def record(self, rule: Rule, findings: Sequence[Finding], now: datetime, marks: Mapping[str, Any]) -> int:
        """Write the alerts and move the rule's marks on, in one transaction; how many were new."""
        ...

    def repeat(self, now: datetime) -> int:
        """Put alerts that nobody acknowledged into the outbox again; how many."""
        ...

    def forget(self, before: datetime) -> int:
        """Remove alerts of before an instant, with their rows in the outbox; how many."""
        ...


DiskSpace = Callable[[], Mapping[str, int]]
"""Free bytes by folder."""


class Pipelines(Protocol):
    """What can be run."""

    def get(self, name: str) -> Pipeline:
        """The pipeline, perhaps with faults; raises NotFound with near names."""
        ...

    def list(self) -> Sequence[Pipeline]:
        """Every pipeline."""
        ...


class Cipher(Protocol):
    """Encrypts addresses, as secrets are."""

    def encrypt(self, value: SecretText) -> str:
        """The ciphertext."""
        ...

    def decrypt(self, ciphertext: str) -> SecretText | None:
        """The value; None when no key fits."""
        ...
