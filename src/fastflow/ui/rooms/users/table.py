"""The table of users, and the sheet that makes one."""

import secrets
from collections.abc import Mapping
from functools import partial
from urllib.parse import quote

from nicegui import ui

from fastflow.kernel.http.access import require_admin
from fastflow.kernel.users.domain.accounts import User, parse_role
from fastflow.kit.identity import Actor
from fastflow.kit.pages import Page as UsersOf
from fastflow.kit.secret_text import SecretText
from fastflow.ui.markup import Html, link, tag
from fastflow.ui.parts import empty, heading, when
from fastflow.ui.rooms.users.manifest import Access
from fastflow.ui.rooms.users.rights import grants_in_line, role_choices, role_name, state
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.listing import Listing, head
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.shell.sheet import Sheet, show_once
from fastflow.ui.texts import Data, Texts

_PAGE = 50
_LOOK_SECONDS = 10.0
_ONE_TIME_BYTES = 12
"""96 random bits: 16 characters that can be typed."""


class UserTable:
    """Builds the page.

    Args:
        access: users.
    """

    def __init__(self, access: Access) -> None:
        self._access = access

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t = page.t
        listing = Listing(
            page,
            "/users",
            self._look,
            heads=[
                head(t("users.name")),
                head(t("users.role")),
                head(t("users.grants"), "wide-only"),
                head(t("users.state")),
                head(t("users.since"), "wide-only"),
            ],
            row=partial(_row, t),
            none=empty("users", t("users.title")),
            older=t("users.more"),
        )
        await listing.read()
        with ui.element("div").classes("bar"):
            Fragment(heading(t("users.title")), cls="grow")
            with ui.element("div").classes("actions"):
                button(page, t("users.create"), lambda: self._create(page), drawing="plus", cls="primary")
        listing.put(kinds=(), every=_LOOK_SECONDS)

    def _look(self, actor: Actor, cursor: str | None) -> UsersOf[User]:
        require_admin(actor)
        return self._access.users.list(cursor=cursor, limit=_PAGE)

    async def _create(self, page: Page) -> None:
        t = page.t
        sheet = Sheet(page, t("users.create"), t("users.create_about"))
        sheet.text("name", t("users.name"))
        sheet.one_of("role", t("users.role"), role_choices(t), "viewer")

        async def make(given: Mapping[str, str]) -> tuple[str, str]:
            password = one_time_password()
            actor, role = await page.administrator(), parse_role(given["role"])
            user = await page.ask(self._access.users.create, given["name"], SecretText(password), role, actor=actor)
            return user.name, password

        made = await sheet.ask(make, yes=t("users.create_do"), no=t("shell.cancel"))
        if made is not None:
            name, password = made
            await show_once(page, t("users.made", name=name), t("users.one_time_about"), password)
            page.go(f"/users/{quote(name, safe='')}")


def one_time_password() -> str:
    """A password that somebody is given, and replaces at the first login."""
    return secrets.token_urlsafe(_ONE_TIME_BYTES)


def _row(t: Texts, user: User) -> Html:
    path = f"{BASE}/users/{quote(user.name, safe='')}"
    return tag(
        "tr",
        tag("td", link(path, Data(user.name), cls="first")),
        tag("td", role_name(t, user.role)),
        tag("td", grants_in_line(t, user.grants), cls="wide-only"),
        tag("td", state(t, disabled=user.disabled, must_change=user.must_change_password)),
        tag("td", when(user.created_at), cls="muted wide-only"),
        data_href=path,
    )
