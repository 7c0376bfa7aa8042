"""How an alert, a message on its way, a rule and a channel look; the way between the room's pages."""

from typing import Literal
from urllib.parse import quote

from fastflow.kernel.notifications.domain.channel import Channel
from fastflow.kernel.notifications.domain.outbox import Alert, Notification, State
from fastflow.kernel.notifications.domain.rule import DAYS, Event, Rule, Severity
from fastflow.kernel.notifications.service.alerts import AlertView
from fastflow.ui.markup import Html, link, span, tag
from fastflow.ui.parts import pill
from fastflow.ui.shell.forms import typed_length
from fastflow.ui.shell.page import BASE
from fastflow.ui.texts import Data, Phrase, Texts

Place = Literal["alerts", "rules", "channels", "outbox"]
_PLACES: dict[Place, tuple[str, str]] = {
    "alerts": ("/alerts", "alerts.tab"),
    "rules": ("/alerts/rules", "rules.tab"),
    "channels": ("/alerts/channels", "channels.tab"),
    "outbox": ("/alerts/outbox", "outbox.tab"),
}
_SEVERITIES = {Severity.INFO: "still", Severity.WARNING: "waits", Severity.CRITICAL: "bad"}
_STATES = {State.WAITING: "waits", State.SENT: "good", State.FAILED: "bad", State.DROPPED: "still"}


def tabs(t: Texts, here: Place) -> Html:
    """The way between the room's pages."""
    ways = [
        link(BASE + path, t(label), aria_current="page" if place == here else None)
        for place, (path, label) in _PLACES.items()
    ]
    return tag("nav", ways, cls="tabs", aria_label=t("alerts.title"))


def severity(t: Texts, what: Severity) -> Html:
    """How much it matters."""
    return pill(_SEVERITIES[what], t(f"alerts.severity_{what.word}"))


def event(t: Texts, what: Event) -> Phrase:
    """What happened, in a word."""
    return t(f"alerts.event_{what.replace('-', '_')}")


def standing(t: Texts, alert: Alert) -> Html:
    """Whether anybody has to do something about it."""
    if alert.acknowledged_at is not None:
        return pill("still", t("alerts.is_acknowledged"))
    return pill("good", t("alerts.is_over")) if alert.resolved_at is not None else pill("bad", t("alerts.is_open"))


def sending(t: Texts, one: Notification) -> Html:
    """Where a message stands."""
    return pill(_STATES[one.state], t(f"outbox.state_{one.state}"))


def channel_state(t: Texts, channel: Channel) -> Html:
    """Whether messages come through."""
    if not channel.is_enabled:
        return pill("still", t("channels.is_off"))
    if channel.is_dead:
        return pill("bad", t("channels.is_dead"))
    if channel.last_error is not None:
        return pill("waits", t("channels.is_failing"))
    return pill("good", t("channels.is_good")) if channel.last_sent_at else pill("still", t("channels.is_new"))


def channel_link(name: str) -> Html:
    """The way to a channel."""
    return link(f"{BASE}/alerts/channels/{quote(name, safe='')}", Data(name), cls="underlined")


def tells_of(t: Texts, rule: Rule) -> Html:
    """What a rule tells of, with the figures that matter."""
    told = [span(_tells_of(t, rule, each), cls="tag") for each in rule.events]
    return span(told, cls="tags")


def _tells_of(t: Texts, rule: Rule, what: Event) -> Phrase | Data:
    if what == "late":
        return t("rules.tells_late", length=typed_length(rule.after))
    if what == "deadline":
        return t("rules.tells_deadline", time=rule.by, zone=rule.timezone)
    if what == "slow" and rule.factor is not None:
        return t("rules.tells_slow", factor=f"{rule.factor:g}")
    return event(t, what)


def day_choices(t: Texts) -> dict[str, str]:
    """The days of the week by the service's words."""
    return {day: t(f"rules.day_{day}") for day in DAYS}


def as_sent(view: AlertView) -> tuple[Data, Data]:
    """An alert's title and text, word for word as channels get them."""
    title, text = view.message.title, view.message.body
    return Data(title), Data(text)
