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
_TURN = timedelta(seconds=2)
"""How soon is looked again whether what comes first was sent."""


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """What a recovery must not overtake on its channel: what it ends, and was not sent yet.

    Attributes:
        waiting: held back for more of the same.
        is_any_on_its_way: some of it is being sent now.
    """

    waiting: Sequence[Notification] = ()
    is_any_on_its_way: bool = False


def plan_dispatch(
    due: Sequence[Notification],
    channels: Mapping[str, Channel],
    last_sent: LastSent,
    now: datetime,
    ahead: Mapping[str, Ahead] | None = None,
) -> Plan:
    """What becomes of each notification that is due.

    The first of a group is sent at once; equal ones within the channel's window after it wait for the window's end and go as
    one; with a window of 0 each is a message. What quiet hours held back goes as one message when they end.
    What is ahead of a recovery (by the recovery's id) goes with it, as one message.
    """
    plan = Plan()
    due = _let_go_first(plan, due, channels, ahead or {}, now)
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


def _let_go_first(
    plan: Plan, due: Sequence[Notification], channels: Mapping[str, Channel], ahead: Mapping[str, Ahead], now: datetime
) -> Sequence[Notification]:
    """Decide on recoveries with something ahead of them; what is left to decide on."""
    decided: set[str] = set()
    for one in due:
        before, channel = ahead.get(one.id), channels.get(one.channel)
        if before is None or channel is None or not channel.is_enabled or channel.quiet_until(now, one.severity):
            continue
        if before.is_any_on_its_way:
            why = "waits until what it ends was sent"
            plan.postponed.append(Postponed(notification=one, until=now + _TURN, why=why, held=False))
            decided.add(one.id)
        elif fresh := [each for each in before.waiting if each.id not in decided]:
            plan.batches.append(Batch(channel=channel, notifications=[*fresh, one]))
            decided |= {one.id, *(each.id for each in fresh)}
    return [one for one in due if one.id not in decided]


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
