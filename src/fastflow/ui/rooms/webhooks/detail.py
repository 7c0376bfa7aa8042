"""One webhook: what came in, another key, its settings; and the form that makes one."""

from collections.abc import Mapping
from urllib.parse import quote

from nicegui import ui

from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kernel.webhooks.domain.errors import WebhookNotFound
from fastflow.kernel.webhooks.domain.webhook import Webhook
from fastflow.kernel.webhooks.service import Made, WebhookService
from fastflow.kit.durations import parse_duration
from fastflow.kit.identity import Actor, Role
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import card, facts, heading, when
from fastflow.ui.rooms.webhooks.form import WebhookForm
from fastflow.ui.rooms.webhooks.table import below, hint, state, trail
from fastflow.ui.shell.controls import button, confirm
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.shell.sheet import Sheet, show_once
from fastflow.ui.texts import Data, Texts

_LOOK_SECONDS = 5.0
_YES, _NO = "yes", "no"


class WebhookPages:
    """Builds the pages.

    Args:
        webhooks: takes what was filled in.
        catalog: whose parameters calls become.
    """

    def __init__(self, webhooks: WebhookService, catalog: PipelineCatalog) -> None:
        self._webhooks = webhooks
        self._catalog = catalog

    async def build_new(self, page: Page) -> None:
        """A page that makes one."""
        t, name = page.t, page.params["name"]
        pipeline = await page.ask(self._find_pipeline, name, page.actor)
        Fragment(heading(t("webhooks.new"), trail=trail(t, name, is_deep=True)))

        async def made(what: Made) -> None:
            await tell_once(page, what)
            page.go(f"{below(name)}/{what.webhook.id}")

        with ui.element("section").classes("card narrow"):
            WebhookForm(page, self._webhooks, pipeline, None, made)

    async def build_one(self, page: Page) -> None:
        """The page of one."""
        t, name = page.t, page.params["name"]
        webhook = await page.ask(self._look, page, page.actor)
        pipeline = await page.ask(self._find_pipeline, name, page.actor)
        ui.page_title(f"{webhook.name} · {name} · Fast-Flow")
        with ui.element("div").classes("bar"):
            head = Fragment(_head(t, webhook), cls="grow")
            actions = _Actions(page, self._webhooks, webhook)
        note = Fragment(_note(t, webhook))

        async def refresh() -> None:
            now = await page.ask(self._look, page, await page.who())
            head.show(_head(t, now))
            actions.show(now)
            note.show(_note(t, now))
            beside.show(_beside(t, now))

        async def saved(_: Made) -> None:
            """Nothing was made: what is shown follows by itself."""

        with ui.element("div").classes("columns"):
            with ui.element("section").classes("card"):
                Fragment(div(tag("h2", t("webhooks.settings")), cls="card-head"))
                WebhookForm(page, self._webhooks, pipeline, webhook, saved)
            beside = Fragment(_beside(t, webhook))
        actions.changed = refresh
        page.live(refresh, kinds=(), every=_LOOK_SECONDS)

    def _look(self, page: Page, actor: Actor) -> Webhook:
        webhook = self._webhooks.get(page.params["webhook_id"], actor=actor)
        if webhook.pipeline_name != page.params["name"]:
            raise WebhookNotFound
        return webhook

    def _find_pipeline(self, name: str, actor: Actor) -> Pipeline:
        actor.require_pipeline(name)
        return self._catalog.get(name)


async def tell_once(page: Page, made: Made) -> None:
    """The address with its key, then what calls are signed with: neither is shown again."""
    t, webhook = page.t, made.webhook
    address = f"{page.origin}/webhooks/{quote(webhook.pipeline_name, safe='')}/{made.key}"
    await show_once(page, t("webhooks.address", name=webhook.name), t("webhooks.address_about"), address)
    if made.secret is not None:
        await show_once(page, t("webhooks.secret_of", name=webhook.name), t("webhooks.secret_once"), made.secret)


class _Actions:
    """What can be done with it."""

    def __init__(self, page: Page, webhooks: WebhookService, webhook: Webhook) -> None:
        self._page = page
        self._webhooks = webhooks
        self._webhook = webhook
        self.changed = _nothing
        t, may = page.t, page.may(Role.OPERATOR, webhook.pipeline_name)
        with ui.element("div").classes("actions"):
            button(page, t("webhooks.rotate"), self._rotate, drawing="key", may=may)
            self._on = button(page, t("webhooks.switch_on"), self._switch, drawing="play", may=may)
            self._off = button(page, t("webhooks.switch_off"), self._switch, drawing="pause", may=may)
            button(page, t("webhooks.delete"), self._delete, drawing="trash", cls="danger", may=may)
        self.show(webhook)

    def show(self, webhook: Webhook) -> None:
        """Offer what fits it now."""
        self._webhook = webhook
        self._on.set_visibility(not webhook.is_enabled)
        self._off.set_visibility(webhook.is_enabled)

    async def _switch(self) -> None:
        page, changes = self._page, {"is_enabled": not self._webhook.is_enabled}
        await page.ask(self._webhooks.change, self._webhook.id, changes, actor=await page.who())
        await self.changed()

    async def _rotate(self) -> None:
        page, t, webhook = self._page, self._page.t, self._webhook
        sheet = Sheet(page, t("webhooks.rotate"), t("webhooks.rotate_about"))
        sheet.text("grace_seconds", t("webhooks.grace"), about=t("webhooks.grace_about"), placeholder="1h")
        if webhook.scheme != "none":
            choices = {_NO: t("webhooks.keep_secret"), _YES: t("webhooks.new_secret")}
            sheet.one_of("secret", t("webhooks.secret"), choices, _NO)

        async def rotate(given: Mapping[str, str]) -> Made:
            typed = given["grace_seconds"]
            return await page.ask(
                self._webhooks.rotate,
                webhook.id,
                actor=await page.who(),
                with_secret=given.get("secret") == _YES,
                grace_seconds=parse_duration(typed, "grace_seconds") if typed.strip("0") else 0.0,
            )

        made = await sheet.ask(rotate, yes=t("webhooks.rotate"), no=t("shell.cancel"))
        if made is not None:
            await self.changed()
            await tell_once(page, made)

    async def _delete(self) -> None:
        page, t, webhook = self._page, self._page.t, self._webhook
        question = t("webhooks.delete_question", name=webhook.name)
        if await confirm(question, t("webhooks.delete_text"), yes=t("webhooks.delete"), no=t("webhooks.keep")):
            await page.ask(self._webhooks.delete, webhook.id, actor=await page.who())
            page.go(below(webhook.pipeline_name))


async def _nothing() -> None:
    """Before the page is whole nothing follows."""


def _head(t: Texts, webhook: Webhook) -> Html:
    way = trail(t, webhook.pipeline_name, is_deep=True)
    return heading(Data(webhook.name), state(t, webhook), hint(webhook), trail=way)


def _note(t: Texts, webhook: Webhook) -> Html:
    """Why the last call that was refused was."""
    if webhook.last_refusal is None:
        return Html("")
    told = join(t("webhooks.last_refusal"), Data(" "), as_told(t, webhook.last_refusal))
    return div(icon("alert"), span(told), cls="note waits", role="status")


def _beside(t: Texts, webhook: Webhook) -> Html:
    runs = f"{BASE}/runs?pipeline={quote(webhook.pipeline_name, safe='')}&trigger=webhook"
    rows = facts(
        [
            (t("webhooks.key"), hint(webhook)),
            (t("webhooks.former_key"), when(webhook.former_key_until)),
            (t("webhooks.scheme"), t(f"webhooks.scheme_{webhook.scheme}")),
            (t("webhooks.calls"), span(Data(webhook.calls), cls="number")),
            (t("webhooks.refused"), span(Data(webhook.refused), cls="number")),
            (t("webhooks.last_call"), when(webhook.last_call_at)),
            (t("webhooks.made"), span(when(webhook.created_at), Data(f" · {webhook.created_by}"))),
        ]
    )
    return card(t("webhooks.details"), rows, aside=link(runs, t("webhooks.its_runs")))
