"""One user: role, roles on some pipelines, logins, and what can be done with the account."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nicegui import ui

from fastflow.kernel.http.access import require_admin
from fastflow.kernel.users.domain.accounts import OpenSession, User, parse_role
from fastflow.kit.identity import Actor, Role
from fastflow.kit.secret_text import SecretText
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import card, heading, when
from fastflow.ui.rooms.users.manifest import Access
from fastflow.ui.rooms.users.rights import role_choices, role_name, sessions_table, state
from fastflow.ui.rooms.users.table import one_time_password
from fastflow.ui.shell.controls import button, confirm
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.shell.sheet import Sheet, show_once
from fastflow.ui.texts import Data, Texts

_LOOK_SECONDS = 10.0
_SESSIONS = 50


@dataclass(frozen=True, kw_only=True)
class _Shown:
    user: User
    sessions: Sequence[OpenSession]


class UserPage:
    """Builds the page.

    Args:
        access: users and their logins.
    """

    def __init__(self, access: Access) -> None:
        self._access = access

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        require_admin(page.actor)
        await _OneUser(page, self._access).build()


class _OneUser:
    """The page as one reader sees it."""

    def __init__(self, page: Page, access: Access) -> None:
        self._page = page
        self._access = access
        self._name = page.params["name"]

    async def build(self) -> None:
        """Put it on the page."""
        page, t = self._page, self._page.t
        self._shown = await page.ask(self._look, page.actor)
        ui.page_title(f"{self._shown.user.name} · Fast-Flow")
        with ui.element("div").classes("bar"):
            self._head = Fragment(_head(t, self._shown.user), cls="grow")
            self._actions = ui.element("div").classes("actions")
            with self._actions:
                self._put_actions()
        with ui.element("section").classes("card"):
            self._grants = Fragment(_grants(t, self._shown.user))
            self._grants.on_press(page, {"revoke": self._revoke})
            self._put_granting()
        self._sessions = Fragment(_sessions(t, self._shown.sessions), cls="below")
        self._sessions.on_press(page, {"end_all": self._end_sessions})
        page.live(self._refresh, kinds=(), every=_LOOK_SECONDS)

    def _look(self, actor: Actor) -> _Shown:
        user = self._access.users.get(self._name)
        sessions = self._access.logins.list_sessions_of(user.name, actor=actor, limit=_SESSIONS)
        return _Shown(user=user, sessions=sessions.items)

    async def _refresh(self) -> None:
        page, t, before = self._page, self._page.t, self._shown.user
        self._shown = await page.ask(self._look, await page.administrator())
        self._head.show(_head(t, self._shown.user))
        self._grants.show(_grants(t, self._shown.user))
        self._sessions.show(_sessions(t, self._shown.sessions))
        if before.disabled != self._shown.user.disabled:
            self._actions.clear()
            with self._actions:
                self._put_actions()

    def _put_actions(self) -> None:
        page, t = self._page, self._page.t
        button(page, t("users.change_role"), self._change_role)
        button(page, t("users.reset"), self._reset)
        switch = t("users.enable") if self._shown.user.disabled else t("users.disable")
        button(page, switch, self._switch)
        button(page, t("users.delete"), self._delete, cls="danger")

    def _put_granting(self) -> None:
        page, t = self._page, self._page.t
        with ui.element("form").classes("chain-form").on("submit.prevent", lambda: None):
            pattern = ui.input(placeholder=t("users.pattern")).props("outlined dense autocomplete=off")
            pattern.props["aria-label"] = str(t("users.pattern"))
            choices = {word: str(name) for word, name in role_choices(t, lowest=Role.VIEWER).items()}
            role = ui.select(choices, value="operator").props("outlined dense").classes("narrow-field")
            role.props["aria-label"] = str(t("users.role"))

            async def grant() -> None:
                actor, wanted = await page.administrator(), str(pattern.value or "").strip()
                given = parse_role(str(role.value))
                await page.ask(self._access.users.grant, self._name, given, wanted, actor=actor)
                pattern.set_value("")
                await self._changed()

            button(page, t("users.grant"), grant, drawing="plus")

    async def _changed(self) -> None:
        self._access.forget()
        await self._refresh()

    async def _change_role(self) -> None:
        page, t = self._page, self._page.t
        sheet = Sheet(page, t("users.change_role"), t("users.role_about"))
        sheet.one_of("role", t("users.role"), role_choices(t), self._shown.user.role.word)

        async def change(given: Mapping[str, str]) -> None:
            role, actor = parse_role(given["role"]), await page.administrator()
            await page.ask(self._access.users.change, self._name, role=role, actor=actor)
            await self._changed()

        await sheet.ask(change, yes=t("users.save"), no=t("shell.cancel"))

    async def _reset(self) -> None:
        page, t = self._page, self._page.t
        question, text = t("users.reset_question", name=self._name), t("users.reset_text")
        if await confirm(question, text, yes=t("users.reset"), no=t("shell.cancel")):
            password, actor = one_time_password(), await page.administrator()
            await page.ask(self._access.users.change, self._name, password=SecretText(password), actor=actor)
            await self._changed()
            await show_once(page, t("users.was_reset", name=self._name), t("users.one_time_about"), password)

    async def _switch(self) -> None:
        page, t, is_disabled = self._page, self._page.t, self._shown.user.disabled
        question, text = t("users.disable_question", name=self._name), t("users.disable_text")
        if is_disabled or await confirm(question, text, yes=t("users.disable"), no=t("shell.cancel")):
            actor = await page.administrator()
            await page.ask(self._access.users.change, self._name, disabled=not is_disabled, actor=actor)
            await self._changed()

    async def _delete(self) -> None:
        page, t = self._page, self._page.t
        question, text = t("users.delete_question", name=self._name), t("users.delete_text")
        if await confirm(question, text, yes=t("users.delete"), no=t("shell.cancel")):
            await page.ask(self._access.users.delete, self._name, actor=await page.administrator())
            self._access.forget()
            page.go("/users")

    async def _revoke(self, pipelines: str) -> None:
        page = self._page
        await page.ask(self._access.users.revoke, self._name, pipelines, actor=await page.administrator())
        await self._changed()

    async def _end_sessions(self, _of: str) -> None:
        page = self._page
        await page.ask(self._access.logins.end_sessions_of, self._name, actor=await page.administrator())
        await self._changed()


def _head(t: Texts, user: User) -> Html:
    return heading(
        Data(user.name),
        span(role_name(t, user.role), cls="tag"),
        state(t, disabled=user.disabled, must_change=user.must_change_password),
        trail=[(f"{BASE}/users", t("users.title"))],
        under=join(
            t("users.since"), Data(" "), when(user.created_at), Data(" · "),
            link(f"{BASE}/audit?actor={user.name}", t("users.what_they_did"), cls="underlined"),
        ),
    )  # fmt: skip


def _grants(t: Texts, user: User) -> Html:
    rows = [
        div(
            div(tag("strong", Data(grant.pipelines)), cls="main"),
            span(role_name(t, grant.role), cls="side"),
            tag(
                "button", t("users.revoke"), cls="button small", type="button", data_act="revoke", data_of=grant.pipelines,
                aria_label=t("users.revoke_about", pipelines=grant.pipelines),
            ),
            cls="row",
        )
        for grant in user.grants
    ]  # fmt: skip
    about = tag("p", t("users.grants_about"), cls="card-body soft")
    return join(
        div(tag("h2", t("users.grants")), cls="card-head"), about, div(rows, cls="rows spaced") if rows else None
    )


def _sessions(t: Texts, sessions: Sequence[OpenSession]) -> Html:
    end = tag("button", t("users.end_all"), cls="button small", type="button", data_act="end_all") if sessions else None
    return card(t("account.sessions"), sessions_table(t, sessions, may_end=False), aside=end)
