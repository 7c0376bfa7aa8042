"""The room of alerts: what was told, the rules that say what is worth it, the channels, and the outbox between them."""

from collections.abc import Sequence
from pathlib import Path

from fastflow.kernel.notifications.service import AlertService, ChannelService, RuleService
from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.ui.manifest import Manifest, NavEntry, PageSpec
from fastflow.ui.rooms.alerts.finding import find_channels, find_rules


def manifest(alerts: AlertService, rules: RuleService, channels: ChannelService, catalog: PipelineCatalog) -> Manifest:
    """What it brings."""

    def load() -> Sequence[PageSpec]:
        from fastflow.ui.rooms.alerts.alert import AlertPage
        from fastflow.ui.rooms.alerts.channel_form import ChannelForms
        from fastflow.ui.rooms.alerts.channels import ChannelTable
        from fastflow.ui.rooms.alerts.outbox import OutboxPage
        from fastflow.ui.rooms.alerts.rule_form import RuleForms
        from fastflow.ui.rooms.alerts.rules import RuleTable
        from fastflow.ui.rooms.alerts.told import AlertsPage

        rule_forms = RuleForms(rules, channels, catalog)
        channel_forms = ChannelForms(channels)
        return [
            PageSpec(path="/alerts", title="alerts.title", build=AlertsPage(alerts).build),
            PageSpec(path="/alerts/rules", title="rules.title", build=RuleTable(rules).build),
            PageSpec(path="/alerts/rules/-/new", title="rules.new", build=rule_forms.build_new),
            PageSpec(path="/alerts/rules/{rule_id}", title="rules.one_title", build=rule_forms.build_edit),
            PageSpec(path="/alerts/channels", title="channels.title", build=ChannelTable(channels).build),
            PageSpec(path="/alerts/channels/-/new", title="channels.new", build=channel_forms.build_new),
            PageSpec(path="/alerts/channels/{name}", title="channels.one_title", build=channel_forms.build_edit),
            PageSpec(path="/alerts/outbox", title="outbox.title", build=OutboxPage(alerts, channels).build),
            PageSpec(path="/alerts/{alert_id}", title="alerts.one_title", build=AlertPage(alerts).build),
        ]

    nav = NavEntry(path="/alerts", label="alerts.title", icon="bell", order=45, key="n")
    return Manifest(
        name="alerts",
        texts=Path(__file__).parent / "texts.toml",
        load=load,
        nav=[nav],
        finders=[find_rules(rules), find_channels(channels)],
    )
