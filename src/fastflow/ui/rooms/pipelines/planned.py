"""What starts a pipeline without a person, and the secrets it asks for: whether each is there, and is given to it."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.schedules.service.schedules import ScheduleView
from fastflow.kernel.secrets.domain.errors import UnknownSecret
from fastflow.kernel.secrets.domain.records import Secret
from fastflow.kernel.secrets.service import SecretService
from fastflow.kernel.webhooks.domain.webhook import Webhook
from fastflow.kit.identity import Actor, Role
from fastflow.ui.markup import Html, div, link, span, tag
from fastflow.ui.parts import card, pill, when
from fastflow.ui.shell.page import BASE, Page
from fastflow.ui.texts import Data, Texts


def find_secrets(secrets: SecretService, pipeline: Pipeline, actor: Actor) -> Mapping[str, Secret | None]:
    """The secrets that the pipeline lists, without values; None: there is none, or none that the actor may know of."""
    return {key: _find(secrets, key, actor) for key in pipeline.secrets}


def _find(secrets: SecretService, key: str, actor: Actor) -> Secret | None:
    try:
        return secrets.get(key, actor=actor)
    except UnknownSecret:
        return None


def schedules_card(page: Page, pipeline: Pipeline, schedules: Sequence[ScheduleView]) -> Html | None:
    """When it starts by itself; whoever may make a schedule finds the way to it. A daemon is kept running without any."""
    t = page.t
    may = page.may(Role.OPERATOR, pipeline.name)
    if not schedules and pipeline.daemon is not None:
        return card(t("pipelines.schedules"), tag("p", t("pipelines.kept_running"), cls="card-body muted"))
    if not schedules and not may:
        return None
    new = link(f"{BASE}/schedules/new?{urlencode({'pipeline': pipeline.name})}", t("pipelines.new_schedule"))
    if not schedules:
        return card(t("pipelines.schedules"), tag("p", t("pipelines.no_schedules"), cls="card-body muted"), aside=new)
    rows = [
        link(
            f"{BASE}/schedules/{view.schedule.id}",
            span(
                tag("strong", Data(view.schedule.name)),
                tag("small", tag("code", Data(view.schedule.expression)), Data(f" {view.schedule.timezone}")),
                cls="main",
            ),
            span(t("pipelines.paused") if view.pauses else when(view.schedule.next_due_at), cls="side"),
            cls="row",
        )
        for view in schedules
    ]
    return card(t("pipelines.schedules"), div(rows, cls="rows"), aside=new if may else None)


def webhooks_card(page: Page, pipeline_name: str, webhooks: Sequence[Webhook]) -> Html | None:
    """What other systems start it by; whoever may make a webhook finds the way to it."""
    t = page.t
    if not webhooks and not page.may(Role.OPERATOR, pipeline_name):
        return None
    path = f"{BASE}/pipelines/{quote(pipeline_name, safe='')}/webhooks"
    way = link(path, t("pipelines.webhooks_way"))
    if not webhooks:
        return card(t("pipelines.webhooks"), tag("p", t("pipelines.no_webhooks"), cls="card-body muted"), aside=way)
    rows = [
        link(
            f"{path}/{each.id}",
            span(tag("strong", Data(each.name)), cls="main"),
            span(when(each.last_call_at) if each.is_enabled else t("pipelines.webhook_off"), cls="side"),
            cls="row",
        )
        for each in webhooks
    ]
    return card(t("pipelines.webhooks"), div(rows, cls="rows"), aside=way)


def secrets_card(t: Texts, pipeline: Pipeline, secrets: Mapping[str, Secret | None]) -> Html | None:
    """The secrets it lists, and which of them it is given."""
    if not secrets:
        return None
    rows = [
        link(
            f"{BASE}/secrets/{quote(key, safe='')}" if secret else f"{BASE}/secrets",
            span(tag("code", Data(key)), cls="main"),
            _given(t, pipeline, secret),
            cls="row",
        )
        for key, secret in secrets.items()
    ]
    return card(t("pipelines.secrets"), div(rows, cls="rows"))


def _given(t: Texts, pipeline: Pipeline, secret: Secret | None) -> Html:
    if secret is None:
        return pill("bad", t("pipelines.secret_missing"))
    if not secret.allows(pipeline.name):
        return pill("waits", t("pipelines.secret_refused"))
    return pill("good", t("pipelines.secret_given"))
