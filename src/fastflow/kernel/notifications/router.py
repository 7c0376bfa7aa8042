"""`/channels`, `/alerts` and `/notifications`: where messages go, what is worth one, what was told and sent."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from fastflow.kernel.http.access import Admin, Operator, Viewer
from fastflow.kernel.http.params import Cursor, Limit, Text
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kernel.notifications.domain.outbox import State
from fastflow.kernel.notifications.domain.rule import Event, Origin
from fastflow.kernel.notifications.ports import AlertFilter, NotificationFilter, RuleFilter
from fastflow.kernel.notifications.schemas import (
    AlertOut,
    AlertPage,
    ChannelChangeIn,
    ChannelIn,
    ChannelOut,
    ChannelPage,
    NotificationPage,
    RuleIn,
    RuleOut,
    RulePage,
    TrialOut,
)
from fastflow.kernel.notifications.service import AlertService, ChannelService, RuleService
from fastflow.kit.pages import DEFAULT_PAGE_SIZE

ChannelName = Annotated[str, Path(max_length=100, description="The channel's name.")]
RuleId = Annotated[str, Path(max_length=100, description="The rule's id.")]
AlertId = Annotated[str, Path(max_length=100, description="The alert's id.")]
PipelineName = Annotated[Text | None, Query(description="Only those of this pipeline.")]


def build_router(channels: ChannelService, rules: RuleService, alerts: AlertService) -> APIRouter:
    """The operations; looking needs the role viewer, channels admin, everything else operator."""
    router = APIRouter(tags=["alerts"], responses=PROBLEM_RESPONSES)
    _add_channels(router, channels)
    _add_rules(router, rules)
    _add_alerts(router, alerts)
    return router


def _add_channels(router: APIRouter, channels: ChannelService) -> None:
    @router.get("/channels")
    def list_channels(actor: Viewer, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE_SIZE) -> ChannelPage:
        """Every channel by name, without its addresses."""
        return ChannelPage.of(channels.list(actor=actor, cursor=cursor, limit=limit))

    @router.post("/channels", status_code=201)
    def create_channel(actor: Admin, body: ChannelIn, response: Response) -> ChannelOut:
        """A new channel. Its addresses are checked, kept encrypted and never shown again; nothing is sent."""
        channel = channels.create(body.name, body.addresses(), body.settings(), actor=actor)
        response.headers["Location"] = f"/channels/{channel.name}"
        return ChannelOut.of(channel)

    @router.get("/channels/{name}")
    def get_channel(actor: Viewer, name: ChannelName) -> ChannelOut:
        """One channel."""
        return ChannelOut.of(channels.get(name, actor=actor))

    @router.patch("/channels/{name}")
    def change_channel(actor: Admin, name: ChannelName, body: ChannelChangeIn) -> ChannelOut:
        """Give it other addresses, or another behaviour."""
        return ChannelOut.of(channels.change(name, body.addresses(), body.changes(), actor=actor))

    @router.delete("/channels/{name}", status_code=204)
    def delete_channel(
        actor: Admin,
        name: ChannelName,
        force: Annotated[bool, Query(description="Although rules send to it.")] = False,
    ) -> None:
        """Remove it; what waits for it is given up."""
        channels.delete(name, actor=actor, force=force)

    @router.post("/channels/{name}/test")
    def test_channel(actor: Operator, name: ChannelName) -> TrialOut:
        """Send a test message now, in quiet hours too, and say what became of it."""
        return TrialOut.of(channels.test(name, actor=actor))


def _add_rules(router: APIRouter, rules: RuleService) -> None:
    @router.get("/alerts/rules")
    def list_rules(
        actor: Viewer,
        pipeline_name: PipelineName = None,
        origin: Annotated[Origin | None, Query(description="Only rules that were made this way.")] = None,
        channel: Annotated[Text | None, Query(description="Only rules that tell this channel.")] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_PAGE_SIZE,
    ) -> RulePage:
        """Every rule you may see, oldest first."""
        wanted = RuleFilter(pipeline_name=pipeline_name, origin=origin, channel=channel)
        return RulePage.of(rules.list(wanted, actor=actor, cursor=cursor, limit=limit))

    @router.post("/alerts/rules", status_code=201)
    def create_rule(actor: Operator, body: RuleIn, response: Response) -> RuleOut:
        """A new rule; it tells of what happens from now on."""
        view = rules.create(body.definition(), actor=actor, is_enabled=body.enabled)
        response.headers["Location"] = f"/alerts/rules/{view.rule.id}"
        return RuleOut.of(view)

    @router.get("/alerts/rules/{rule_id}")
    def get_rule(actor: Viewer, rule_id: RuleId) -> RuleOut:
        """One rule."""
        return RuleOut.of(rules.get(rule_id, actor=actor))

    @router.put("/alerts/rules/{rule_id}")
    def replace_rule(actor: Operator, rule_id: RuleId, body: RuleIn) -> RuleOut:
        """Give the rule a new form; what is left away takes its default."""
        return RuleOut.of(rules.change(rule_id, body.definition(), actor=actor, is_enabled=body.enabled))

    @router.delete("/alerts/rules/{rule_id}", status_code=204)
    def delete_rule(actor: Operator, rule_id: RuleId) -> None:
        """Remove the rule; what it told stays in the history."""
        rules.delete(rule_id, actor=actor)


def _add_alerts(router: APIRouter, alerts: AlertService) -> None:
    @router.get("/alerts")
    def list_alerts(
        actor: Viewer,
        pipeline_name: PipelineName = None,
        event: Annotated[Event | None, Query(description="Only of this event.")] = None,
        is_open: Annotated[
            bool | None, Query(alias="open", description="true: neither acknowledged nor over; false: the others.")
        ] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_PAGE_SIZE,
    ) -> AlertPage:
        """What rules told of, latest first."""
        wanted = AlertFilter(pipeline_name=pipeline_name, event=event, is_open=is_open)
        return AlertPage.of(alerts.list(wanted, actor=actor, cursor=cursor, limit=limit))

    @router.get("/alerts/{alert_id}")
    def get_alert(actor: Viewer, alert_id: AlertId) -> AlertOut:
        """One alert."""
        return AlertOut.of(alerts.get(alert_id, actor=actor))

    @router.post("/alerts/{alert_id}/acknowledge")
    def acknowledge_alert(actor: Operator, alert_id: AlertId) -> AlertOut:
        """Say that you know: it is not told again."""
        return AlertOut.of(alerts.acknowledge(alert_id, actor=actor))

    @router.get("/notifications")
    def list_notifications(
        actor: Viewer,
        channel: Annotated[Text | None, Query(description="Only to this channel.")] = None,
        state: Annotated[State | None, Query(description="Only in this state.")] = None,
        alert_id: Annotated[Text | None, Query(description="Only of this alert.")] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_PAGE_SIZE,
    ) -> NotificationPage:
        """The outbox, latest first: what was sent, what waits, what was given up, and why."""
        wanted = NotificationFilter(channel=channel, state=state, alert_id=alert_id)
        return NotificationPage.of(alerts.notifications(wanted, actor=actor, cursor=cursor, limit=limit))
