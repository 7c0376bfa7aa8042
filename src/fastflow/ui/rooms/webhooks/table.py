"""The webhooks of a pipeline: how each is signed, how often it was called, and what was refused."""

from functools import partial
from urllib.parse import quote

from nicegui import ui

from fastflow.kernel.webhooks.domain.webhook import Webhook
from fastflow.kernel.webhooks.service import WebhookService
from fastflow.kit.identity import Actor, Role
from fastflow.kit.pages import Page as PageOf
from fastflow.ui.markup import Html, div, link, span, tag
from fastflow.ui.parts import empty, heading, pill, when
from fastflow.ui.shell.controls import way
from fastflow.ui.shell.listing import Listing, head
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Phrase, Texts

_PAGE = 100
_LOOK_SECONDS = 5.0


class WebhookTable:
    """Builds the page.

    Args:
        webhooks: where they come from.
    """

    def __init__(self, webhooks: WebhookService) -> None:
        self._webhooks = webhooks

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t, name = page.t, page.params["name"]
        listing = Listing(
            page,
            below(name),
            partial(self._look, name),
            heads=[
                head(t("webhooks.webhook")),
                head(t("webhooks.state")),
                head(t("webhooks.scheme"), "wide-only"),
                head(t("webhooks.calls")),
                head(t("webhooks.last_call")),
            ],
            row=partial(_row, t, name),
            none=empty("link", t("webhooks.none"), t("webhooks.none_hint")),
            older=t("webhooks.more"),
        )
        await listing.read()
        ui.page_title(f"{t('webhooks.title')} · {name} · Fast-Flow")
        new = way(page, f"{below(name)}/-/new", t("webhooks.new"), drawing="plus", may=page.may(Role.OPERATOR, name))
        with ui.element("div").classes("bar"):
            Fragment(heading(t("webhooks.title"), trail=trail(t, name), under=t("webhooks.about")), cls="grow")
            Fragment(div(new, cls="actions"))
        listing.put(kinds=(), every=_LOOK_SECONDS)

    def _look(self, pipeline_name: str, actor: Actor, cursor: str | None) -> PageOf[Webhook]:
        return self._webhooks.list(pipeline_name, actor=actor, cursor=cursor, limit=_PAGE)


def below(pipeline_name: str) -> str:
    """Where the pages of a pipeline's webhooks are."""
    return f"/pipelines/{quote(pipeline_name, safe='')}/webhooks"


def trail(t: Texts, pipeline_name: str, *, is_deep: bool = False) -> list[tuple[str, Phrase | Data]]:
    """The way to them."""
    pipeline = f"{BASE}/pipelines/{quote(pipeline_name, safe='')}"
    way_here: list[tuple[str, Phrase | Data]] = [
        (f"{BASE}/pipelines", t("pipelines.title")),
        (pipeline, Data(pipeline_name)),
    ]
    return [*way_here, (BASE + below(pipeline_name), t("webhooks.title"))] if is_deep else way_here


def state(t: Texts, webhook: Webhook) -> Html:
    """Whether it takes calls."""
    return pill("good", t("webhooks.is_on")) if webhook.is_enabled else pill("still", t("webhooks.is_off"))


def _row(t: Texts, name: str, webhook: Webhook) -> Html:
    path = f"{BASE}{below(name)}/{webhook.id}"
    refused = t("webhooks.refused_n", n=webhook.refused) if webhook.refused else None
    return tag(
        "tr",
        tag("td", link(path, Data(webhook.name), cls="first"), div(hint(webhook), cls="muted small")),
        tag("td", state(t, webhook)),
        tag("td", t(f"webhooks.scheme_{webhook.scheme}"), cls="wide-only"),
        tag(
            "td",
            span(t.count("webhooks.taken", webhook.calls), cls="number"),
            div(refused, cls="muted small") if refused else None,
        ),
        tag("td", when(webhook.last_call_at) or Data("–"), cls="muted" if webhook.last_call_at else "muted blank"),
        data_href=path,
    )


def hint(webhook: Webhook) -> Html:
    """The end of its key, by which people tell keys apart."""
    return tag("code", Data(f"…{webhook.key_hint}"))
