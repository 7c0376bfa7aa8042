"""`fastflow doctor` on channels: which are dead, which rules reach nobody, and whether messages pile up."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from fastflow.cli.client import Api
from fastflow.findings import Finding
from fastflow.kernel.db.engine import Database
from fastflow.kit.words import counted

_NAMED = 3
_OVERDUE = timedelta(minutes=10)


def judge_channels(
    channels: Sequence[Mapping[str, Any]], rules: Sequence[Mapping[str, Any]], waiting: Sequence[Mapping[str, Any]]
) -> Finding:
    """What the API's lists amount to.

    Args:
        channels: of `GET /channels`.
        rules: of `GET /alerts/rules`.
        waiting: of `GET /notifications`, those in state waiting.
    """
    text = f"{counted(len(channels), 'channel')}, {counted(len(rules), 'rule')}"
    dead = [f"{one['name']} ({one['last_error']})" for one in channels if one["dead"]]
    if dead:
        return Finding(
            name="alerts",
            level="fault",
            text=f"{text}; nothing gets through to {_named(dead)}",
            remedy="Give the channel other addresses (`fastflow channels set NAME --urls`), then `fastflow channels test NAME`.",
        )
    lost = [f"{one['pipeline_name'] or '*'}/{one['name']}" for one in rules if one["problem"]]
    if lost:
        return Finding(
            name="alerts",
            level="warning",
            text=f"{text}; these rules name channels that do not exist: {_named(lost)}",
            remedy="Make the channels, or correct the rules.",
        )
    before = datetime.now(UTC) - _OVERDUE
    overdue = [one for one in waiting if datetime.fromisoformat(one["not_before"]) < before]
    if overdue:
        return Finding(
            name="alerts",
            level="warning",
            text=f"{text}; {counted(len(overdue), 'notification')} should have been sent minutes ago",
            remedy="They are sent by the runner process of `fastflow serve`: see whether it is up.",
        )
    failing = [f"{one['name']} ({one['last_error']})" for one in channels if one["last_error"]]
    if failing:
        return Finding(
            name="alerts",
            level="warning",
            text=f"{text}; the last attempt failed: {_named(failing)}",
            remedy="It is tried again by itself; `fastflow channels test NAME` tries now.",
        )
    return Finding(name="alerts", level="ok", text=text)


def ask_channels(api: Api) -> Finding:
    """The channels and rules of a server."""
    waiting = api.get("/notifications", state="waiting", limit=500)["items"]
    channels, rules = (api.get(path, limit=500)["items"] for path in ("/channels", "/alerts/rules"))
    return judge_channels(channels, rules, waiting)


def check_channels(database: Database) -> Finding:
    """The channels and rules of this machine's database, for who only looks."""
    from fastflow.kernel.notifications.domain.outbox import State
    from fastflow.kernel.notifications.infra.alert_store import SqlAlertStore
    from fastflow.kernel.notifications.infra.channel_store import SqlChannelStore
    from fastflow.kernel.notifications.infra.rule_store import SqlRuleStore
    from fastflow.kernel.notifications.ports import NotificationFilter
    from fastflow.kernel.notifications.schemas import ChannelOut

    channels = SqlChannelStore(database).load_page(after_name="", limit=1000)
    known = {channel.name for channel in channels}
    rules = [
        {
            "pipeline_name": rule.pipeline_name,
            "name": rule.name,
            "problem": None if known.issuperset(rule.channels) else "names channels that do not exist",
        }
        for rule in SqlRuleStore(database).load_all()
    ]
    found = SqlAlertStore(database).load_notifications(
        NotificationFilter(state=State.WAITING), before_id=None, limit=500
    )
    waiting = [{"not_before": one.not_before.isoformat()} for one, _ in found]
    return judge_channels([ChannelOut.of(one).model_dump(mode="json") for one in channels], rules, waiting)


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
