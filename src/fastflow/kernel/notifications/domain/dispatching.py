"""Decides what becomes of notifications whose time has come: which go out together, and which are held back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fastflow.kernel.notifications.domain.channel import Channel
from fastflow.kernel.notifications.domain.outbox import Notification
from fastflow.kernel.notifications.domain.rule import Severity


@dataclass(frozen=True, kw_only=True)
class Postponed:
    """One that waits longer."""

    notification: Notification
    until: datetime
    why: str
    held: bool


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Those that go out as one message to one channel."""

    channel: Channel
    notifications: Sequence[Notification]

    @property
    def severity(self) -> Severity:
        """The highest among them."""
        return max(one.severity for one in self.notifications)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is done with those that are due.

    Attributes:
        refused: with the reason; no attempt is made.
        switched_off: their channel takes nothing now.
    """

    batches: list[Batch] = field(default_factory=list)
    postponed: list[Postponed] = field(default_factory=list)
    refused: list[tuple[Notification, str]] = field(default_factory=list)
    switched_off: list[tuple[Notification, str]] = field(default_factory=list)


LastSent = Mapping[tuple[str, str], datetime]
"""By channel and group: when a message of that group was last sent."""


def plan_dispatch(
    due: Sequence[Notification], channels: Mapping[str, Channel], last_sent: LastSent, now: datetime
) -> Plan:
    """What becomes of each notification that is due.

    The first of a group is sent at once; equal ones within the channel's window after it wait for the window's end and go as
    one; with a window of 0 each is a message. What quiet hours held back goes as one message when they end.
    """
    plan = Plan()
    ready: dict[tuple[str, str], list[Notification]] = {}
    for one in due:
        channel = channels.get(one.channel)
        if channel is None:
            plan.refused.append((one, f"There is no channel {one.channel!r}."))
        elif not channel.is_enabled:
            plan.switched_off.append((one, f"The channel {one.channel} is switched off."))
        elif (until := channel.quiet_until(now, one.severity)) is not None:
            why = f"held back by the quiet hours of {channel.name} until {until:%Y-%m-%d %H:%M} UTC"
            plan.postponed.append(Postponed(notification=one, until=until, why=why, held=True))
        else:
            ready.setdefault((one.channel, "" if one.held else one.group), []).append(one)
    for (name, group), some in ready.items():
        if group and channels[name].group_window <= 0:
            plan.batches.extend(Batch(channel=channels[name], notifications=[one]) for one in some)
            continue
        _release(plan, channels[name], some, None if not group else last_sent.get((name, group)), now)
    return plan


def _release(plan: Plan, channel: Channel, some: Sequence[Notification], last: datetime | None, now: datetime) -> None:
    window = timedelta(seconds=channel.group_window)
    fresh = [one for one in some if one.attempts == 0 and not one.held]
    is_within = last is not None and last <= now < last + window  # a clock that went back ends the wait
    if last is None or not is_within or len(fresh) < len(some):
        plan.batches.append(Batch(channel=channel, notifications=some))
        return
    until = last + window
    why = f"waits for more of the same until {until:%H:%M:%S} UTC"
    plan.postponed.extend([Postponed(notification=one, until=until, why=why, held=False) for one in some])
