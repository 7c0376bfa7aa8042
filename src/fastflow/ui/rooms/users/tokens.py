"""The table of API tokens: made with role, scope and end, shown once, revoked."""

from collections.abc import Mapping
from datetime import timedelta

from nicegui import ui

from fastflow.kernel.http.access import require_admin
from fastflow.kernel.users.domain.accounts import Token, parse_grant, parse_role
from fastflow.kit.clock import Clock
from fastflow.kit.identity import Actor, Role
from fastflow.kit.pages import Page as TokensOf
from fastflow.ui.markup import Child, Html, div, span, tag
from fastflow.ui.parts import empty, heading, pill, when
from fastflow.ui.rooms.users.manifest import Access
from fastflow.ui.rooms.users.rights import grants_in_line, role_choices, role_name
from fastflow.ui.shell.controls import button, confirm
from fastflow.ui.shell.listing import Listing, head
from fastflow.ui.shell.page import Fragment, Page
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
        t, tokens = page.t, self._access.tokens
        listing = Listing(
            page,
            "/tokens",
            self._look,
            heads=[
                head(t("tokens.name")),
                head(t("users.role")),
                head(t("tokens.scope")),
                head(t("tokens.used")),
                head(t("tokens.expires")),
                head(span(t("tokens.revoke"), cls="unseen")),
            ],
            row=lambda token: _row(t, token, self._access.clock),
            none=empty("key", t("tokens.none"), t("tokens.about")),
            older=t("users.more"),
        )

        async def create() -> None:
            await self._create(page)
            await listing.refresh()

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
                await listing.refresh()

        await listing.read()
        with ui.element("div").classes("bar"):
            Fragment(heading(t("tokens.title"), under=t("tokens.about")), cls="grow")
            with ui.element("div").classes("actions"):
                button(page, t("tokens.create"), create, drawing="plus", cls="primary")
        listing.put(kinds=(), every=_LOOK_SECONDS).on_press(page, {"revoke": revoke})

    def _look(self, actor: Actor, cursor: str | None) -> TokensOf[Token]:
        require_admin(actor)
        return self._access.tokens.list(cursor=cursor, limit=_PAGE)

    async def _create(self, page: Page) -> None:
        t = page.t
        sheet = Sheet(page, t("tokens.create"))
        sheet.text("name", t("tokens.name"))
        sheet.one_of("role", t("users.role"), role_choices(t), "operator")
        sheet.text("pipelines", t("tokens.scope"), about=t("tokens.scope_about"), placeholder="billing-*")
        sheet.text("grants", t("users.grants"), about=t("tokens.grants_about"), placeholder="operator:billing-*")
        ends = {days: t("tokens.in_days", n=days) for days in _DAYS}
        sheet.one_of("expires_at", t("tokens.expires"), {**ends, _NEVER: t("tokens.never")}, "90")

        async def make(given: Mapping[str, str]) -> tuple[Token, str]:
            days, scope = given["expires_at"], _words(given["pipelines"])
            token, text = await page.ask(
                self._access.tokens.create,
                given["name"],
                parse_role(given["role"]),
                pipelines=scope or None,
                grants=tuple(parse_grant(each) for each in _words(given["grants"])),
                expires_at=None if days == _NEVER else self._access.clock.now() + timedelta(days=int(days)),
                actor=await page.administrator(),
            )
            return token, text.reveal()

        made = await sheet.ask(make, yes=t("users.create_do"), no=t("shell.cancel"))
        if made is not None:
            await show_once(page, t("tokens.made", name=made[0].name), t("tokens.once_about"), made[1])


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _row(t: Texts, token: Token, clock: Clock) -> Html:
    scope: Child = t("tokens.everything") if token.role > Role.NONE else None
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
        tag("td", div(scope, grants_in_line(t, token.grants), cls="tags"), cls="whole"),
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
