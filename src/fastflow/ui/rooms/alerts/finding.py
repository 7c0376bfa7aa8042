"""What the palette offers of alerts: rules and channels that fit."""

from collections.abc import Sequence
from urllib.parse import quote

from fastflow.kernel.notifications.domain.channel import Channel
from fastflow.kernel.notifications.domain.rule import Rule
from fastflow.kernel.notifications.service import ChannelService, RuleService
from fastflow.kit.identity import Actor, Role
from fastflow.ui.manifest import Finder, Found, fits
from fastflow.ui.texts import Data, Texts

_SEARCHED = 500
"""More rules or channels than this are found by their pages alone."""


def find_rules(rules: RuleService) -> Finder:
    """The group over rules, by pipeline, name, event and channel; none is listed before one is asked for."""

    def find(t: Texts, actor: Actor, wanted: str) -> Sequence[Found]:
        if _asks_nothing(actor, wanted):
            return []
        found = [_rule(t, view.rule) for view in rules.list(actor=actor, limit=_SEARCHED).items]
        return [each for each in found if fits(f"{each.label} {each.note}", wanted)]

    return Finder(title="rules.title", find=find)


def find_channels(channels: ChannelService) -> Finder:
    """The group over channels, by name, kind and description; none is listed before one is asked for."""

    def find(_t: Texts, actor: Actor, wanted: str) -> Sequence[Found]:
        if _asks_nothing(actor, wanted):
            return []
        found = [_channel(each) for each in channels.list(actor=actor, limit=_SEARCHED).items]
        return [each for each in found if fits(f"{each.label} {each.note}", wanted)]

    return Finder(title="channels.title", find=find)


def _asks_nothing(actor: Actor, wanted: str) -> bool:
    return actor.highest_role < Role.VIEWER or not wanted.strip()


def _rule(t: Texts, rule: Rule) -> Found:
    whose = Data(rule.pipeline_name) if rule.pipeline_name else t("rules.every_pipeline")
    events = [str(t(f"alerts.event_{each.replace('-', '_')}")) for each in rule.events]
    note = " · ".join([*filter(None, [rule.name]), *events, *rule.channels])
    return Found(label=whose, note=Data(note), path=f"/alerts/rules/{rule.id}")


def _channel(channel: Channel) -> Found:
    note = " · ".join([*channel.kinds, *filter(None, [channel.description])])
    return Found(label=Data(channel.name), note=Data(note), path=f"/alerts/channels/{quote(channel.name, safe='')}")
