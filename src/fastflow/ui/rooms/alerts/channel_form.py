"""The form that makes a channel, and the page of one: what became of its messages, its test, its settings."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from nicegui import ui

from fastflow.kernel.notifications.domain.channel import Channel, ChannelSettings
from fastflow.kernel.notifications.domain.errors import ChannelInUse
from fastflow.kernel.notifications.domain.rule import SEVERITIES
from fastflow.kernel.notifications.service import ChannelService
from fastflow.kit.identity import Actor, Role
from fastflow.kit.secret_text import SecretText
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import card, facts, heading, when
from fastflow.ui.rooms.alerts.quiet import QuietEditor
from fastflow.ui.rooms.alerts.words import channel_state
from fastflow.ui.shell.controls import button, confirm
from fastflow.ui.shell.forms import Form, area_field, choice_field, read_length, switch_field, text_field, typed_length
from fastflow.ui.shell.page import BASE, Fragment, Page, toast
from fastflow.ui.texts import Data, Texts

_LOOK_SECONDS = 5.0
_NOTHING = "none"


class ChannelForms:
    """Builds the pages.

    Args:
        channels: takes what was filled in.
    """

    def __init__(self, channels: ChannelService) -> None:
        self._channels = channels

    async def build_new(self, page: Page) -> None:
        """A page that makes one."""
        t = page.t
        way = [(f"{BASE}/alerts", t("alerts.title")), (f"{BASE}/alerts/channels", t("channels.title"))]
        Fragment(heading(t("channels.new"), trail=way))
        with ui.element("section").classes("card narrow"):
            _ChannelForm(page, self._channels, None)

    async def build_edit(self, page: Page) -> None:
        """The page of one."""
        t, name = page.t, page.params["name"]
        channel = await page.ask(self._channels.get, name, actor=page.actor)
        ui.page_title(f"{channel.name} · {t('channels.title')} · Fast-Flow")
        with ui.element("div").classes("bar"):
            head = Fragment(_head(t, channel), cls="grow")
            self._put_actions(page, name)
        note = Fragment(_note(t, channel))
        with ui.element("div").classes("columns"):
            with ui.element("section").classes("card"):
                Fragment(div(tag("h2", t("channels.settings")), cls="card-head"))
                _ChannelForm(page, self._channels, channel)
            beside = Fragment(_beside(t, channel))

        async def refresh() -> None:
            now = await page.ask(self._look, name, await page.who())
            head.show(_head(t, now))
            note.show(_note(t, now))
            beside.show(_beside(t, now))

        page.live(refresh, kinds=(), every=_LOOK_SECONDS)

    def _look(self, name: str, actor: Actor) -> Channel:
        return self._channels.get(name, actor=actor)

    def _put_actions(self, page: Page, name: str) -> None:
        t = page.t

        async def test() -> None:
            trial = await page.ask(self._channels.test, name, actor=await page.who())
            if trial.problem is None:
                page.tell(t("channels.tested"))
            else:
                toast(t("channels.test_failed"), as_told(t, trial.problem), is_problem=True)

        async def delete() -> None:
            question, yes, no = t("channels.delete_question", name=name), t("channels.delete"), t("channels.keep")
            if not await confirm(question, t("channels.delete_text"), yes=yes, no=no):
                return
            try:
                await page.ask(self._channels.delete, name, actor=await page.who())
            except ChannelInUse as error:
                if not await confirm(question, as_told(t, error.message), yes=t("channels.delete_all_the_same"), no=no):
                    return
                await page.ask(self._channels.delete, name, actor=await page.who(), force=True)
            page.go("/alerts/channels")

        may = page.may_everywhere(Role.ADMIN)
        with ui.element("div").classes("actions"):
            button(page, t("channels.test"), test, drawing="bell", cls="primary", may=page.may(Role.OPERATOR))
            button(page, t("channels.delete"), delete, drawing="trash", cls="danger", may=may, role=Role.ADMIN)


class _ChannelForm:
    """The form on a page; `channel` of the one that is changed, None for a new one."""

    def __init__(self, page: Page, channels: ChannelService, channel: Channel | None) -> None:
        self._page = page
        self._channels = channels
        self._channel = channel
        t, begun = page.t, channel or ChannelSettings()
        with ui.element("form").classes("run-form top").on("submit.prevent", lambda: None):
            self._fields = {} if channel else {
                "name": text_field(page, t("channels.name"), about=t("channels.name_about"), is_required=True)
            }  # fmt: skip
            self._fields["urls"] = area_field(
                page,
                t("channels.urls"),
                about=t("channels.urls_about" if channel is None else "channels.new_urls_about"),
            )
            self._fields["description"] = text_field(page, t("channels.description"), begun.description)
            self._fields["group_window"] = text_field(
                page, t("channels.window"), typed_length(begun.group_window), about=t("channels.window_about")
            )
            self._quiet = QuietEditor(page, begun.quiet)
            levels = {each: str(t(f"alerts.severity_{each}")) for each in SEVERITIES}
            self._fields["breaks_quiet"] = choice_field(
                page,
                t("channels.breaks"),
                {**levels, _NOTHING: t("channels.breaks_none")},
                begun.breaks_quiet or _NOTHING,
            )
            self._is_enabled = switch_field(page, t("channels.enabled"), value=begun.is_enabled)
            with ui.element("div").classes("actions"):
                may = page.may_everywhere(Role.ADMIN)
                button(page, t("channels.save"), self._save, drawing="check", cls="primary", may=may, role=Role.ADMIN)

    async def _save(self) -> None:
        page, fields, quiet = self._page, self._fields, self._quiet
        form = Form({**fields, **quiet.fields}, codes={"channel_exists": "name"})
        with form.placing():
            settings: dict[str, Any] = {
                "description": fields["description"].text,
                "quiet": quiet.hours,
                "breaks_quiet": None if fields["breaks_quiet"].value == _NOTHING else fields["breaks_quiet"].value,
                "group_window": read_length(fields["group_window"], "group_window", empty=0.0) or 0.0,
                "is_enabled": bool(self._is_enabled.value),
            }
            actor = await page.who()
            if self._channel is None:
                made = await page.ask(
                    self._channels.create, fields["name"].text, self._urls(), ChannelSettings(**settings), actor=actor
                )
                page.go(f"/alerts/channels/{quote(made.name, safe='')}")
                return
            await page.ask(self._channels.change, self._channel.name, self._urls() or None, settings, actor=actor)
        fields["urls"].put("")
        page.tell(page.t("channels.saved"))

    def _urls(self) -> Sequence[SecretText]:
        return [SecretText(line.strip()) for line in self._fields["urls"].text.splitlines() if line.strip()]


def _head(t: Texts, channel: Channel) -> Html:
    way = [(f"{BASE}/alerts", t("alerts.title")), (f"{BASE}/alerts/channels", t("channels.title"))]
    under = Data(channel.description) if channel.description else None
    return heading(Data(channel.name), channel_state(t, channel), trail=way, under=under)


def _note(t: Texts, channel: Channel) -> Html:
    """Why its last message did not get through."""
    if channel.last_error is None:
        return Html("")
    told = join(as_told(t, channel.last_error), Data(" "), when(channel.last_failed_at))
    return div(icon("alert"), span(told), cls="note bad" if channel.is_dead else "note waits", role="status")


def _beside(t: Texts, channel: Channel) -> Html:
    outbox = link(f"{BASE}/alerts/outbox?channel={quote(channel.name, safe='')}", t("outbox.title"))
    rows = facts(
        [
            (t("channels.kinds"), span([span(Data(kind), cls="tag") for kind in channel.kinds], cls="tags")),
            (t("channels.last_sent"), when(channel.last_sent_at)),
            (t("channels.last_failed"), when(channel.last_failed_at)),
            (t("channels.failures"), Data(channel.failures) if channel.failures else None),
            (t("channels.changed"), span(when(channel.updated_at), Data(f" · {channel.updated_by}"))),
        ]
    )
    return card(t("channels.lately"), rows, aside=outbox)
