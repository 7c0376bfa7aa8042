"""The table of API tokens: made with role, scope and end, shown once, revoked."""

from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlencode

from nicegui import ui

from fastflow.kernel.http.access import require_admin
from fastflow.kernel.users.domain.accounts import Token, parse_role
from fastflow.kit.clock import Clock
from fastflow.kit.identity import Role
from fastflow.kit.pages import Page as TokensOf
from fastflow.ui.markup import Child, Html, div, join, link, span, tag
from fastflow.ui.parts import empty, heading, pill, when
from fastflow.ui.rooms.users.manifest import Access
from fastflow.ui.rooms.users.rights import grants_in_line, role_choices, role_name
from fastflow.ui.shell.controls import button, confirm
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.shell.sheet import Sheet, show_once
from fastflow.ui.texts import Data, Texts

_PAGE = 50
_LOOK_SECONDS = 10.0
_DAYS = ("7", "30", "90", "365")
_NEVER = "never"


class TokenTable:
    """Builds the page.

    Args:
        access: tokens.
    """

    def __init__(self, access: Access) -> None:
        self._access = access

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        require_admin(page.actor)
        t, tokens = page.t, self._access.tokens
        cursor = page.query.get("cursor")

        async def look() -> Html:
            found = await page.ask(tokens.list, cursor=cursor, limit=_PAGE)
            return _table(t, found, self._access.clock)

        async def refresh() -> None:
            await page.administrator()
            shown.show(await look())

        async def create() -> None:
            await self._create(page)
            await refresh()

        async def revoke(of: str) -> None:
            token_id, _, name = of.partition(" ")
            if await confirm(
                t("tokens.revoke_question", name=name),
                t("tokens.revoke_text"),
                yes=t("tokens.revoke"),
                no=t("shell.cancel"),
            ):
                await page.ask(tokens.delete, token_id, actor=await page.administrator())
                self._access.forget()
                page.tell(t("tokens.revoked", name=name))
                await refresh()

        with ui.element("div").classes("bar"):
            Fragment(heading(t("tokens.title"), under=t("tokens.about")), cls="grow")
            with ui.element("div").classes("actions"):
                button(page, t("tokens.create"), create, drawing="plus", cls="primary")
        shown = Fragment(await look())
        shown.on_press(page, {"revoke": revoke})
        page.live(refresh, kinds=(), every=_LOOK_SECONDS)

    async def _create(self, page: Page) -> None:
        t = page.t
        sheet = Sheet(page, t("tokens.create"))
        sheet.text("name", t("tokens.name"))
        sheet.one_of("role", t("users.role"), role_choices(t, lowest=Role.VIEWER), "operator")
        sheet.text("pipelines", t("tokens.scope"), about=t("tokens.scope_about"), placeholder="billing-*")
        ends = {days: t("tokens.in_days", n=days) for days in _DAYS}
        sheet.one_of("expires_at", t("tokens.expires"), {**ends, _NEVER: t("tokens.never")}, "90")

        async def make(given: Mapping[str, str]) -> tuple[Token, str]:
            days, scope = given["expires_at"], tuple(given["pipelines"].replace(",", " ").split())
            token, text = await page.ask(
                self._access.tokens.create,
                given["name"],
                parse_role(given["role"]),
                pipelines=scope or None,
                expires_at=None if days == _NEVER else self._access.clock.now() + timedelta(days=int(days)),
                actor=await page.administrator(),
            )
            return token, text.reveal()

        made = await sheet.ask(make, yes=t("users.create_do"), no=t("shell.cancel"))
        if made is not None:
            await show_once(page, t("tokens.made", name=made[0].name), t("tokens.once_about"), made[1])


def _table(t: Texts, found: TokensOf[Token], clock: Clock) -> Html:
    if not found.items:
        return div(empty("key", t("tokens.none"), t("tokens.about")), cls="card")
    head = [
        tag("th", t("tokens.name"), scope="col"),
        tag("th", t("users.role"), scope="col"),
        tag("th", t("tokens.scope"), scope="col", cls="wide-only"),
        tag("th", t("tokens.used"), scope="col"),
        tag("th", t("tokens.expires"), scope="col"),
        tag("th", span(t("tokens.revoke"), cls="unseen"), scope="col"),
    ]
    older = f"{BASE}/tokens?{urlencode({'cursor': found.next_cursor})}" if found.next_cursor else None
    rows = [_row(t, token, clock) for token in found.items]
    table = tag("table", tag("thead", tag("tr", head)), tag("tbody", rows), cls="list stacks")
    more = div(span(), link(older, t("users.more"), cls="button"), cls="pager") if older else None
    return join(div(table, cls="card table-wrap"), more)


def _row(t: Texts, token: Token, clock: Clock) -> Html:
    scope: Child = t("tokens.everything")
    if token.pipelines is not None:
        scope = span([span(Data(pattern), cls="tag") for pattern in token.pipelines], cls="tags")
    ends: Child = when(token.expires_at) if token.expires_at else t("tokens.never")
    if token.expires_at is not None and token.expires_at <= clock.now():
        ends = pill("bad", t("tokens.expired"))
    made = div(t("tokens.made_by", who=token.created_by), cls="muted small-text wide-only")
    return tag(
        "tr",
        tag("td", tag("strong", Data(token.name)), made),
        tag("td", role_name(t, token.role), cls="right-on-phone"),
        tag("td", scope, grants_in_line(t, token.grants), cls="wide-only"),
        tag("td", t("tokens.used_short"), Data(" "), when(token.last_used_at) or t("tokens.not_used"), cls="muted small-text"),
        tag("td", ends, cls="right-on-phone"),
        tag(
            "td",
            tag(
                "button", t("tokens.revoke"), cls="button small danger", type="button", data_act="revoke",
                data_of=f"{token.id} {token.name}", aria_label=t("tokens.revoke_about", name=token.name),
            ),
            cls="right end-cell",
        ),
    )  # fmt: skip
