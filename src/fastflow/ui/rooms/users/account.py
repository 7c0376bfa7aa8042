"""One's own account: who one is here, the password, and the logins that have not ended."""

from collections.abc import Sequence

from fastflow.kernel.users.domain.accounts import OpenSession
from fastflow.kit.identity import Actor
from fastflow.ui.icons import icon
from fastflow.ui.markup import Child, Html, link, span, tag
from fastflow.ui.parts import card, facts, heading
from fastflow.ui.rooms.users.manifest import Access
from fastflow.ui.rooms.users.rights import grants_in_line, role_name, sessions_table
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Phrase, Texts

_LOOK_SECONDS = 10.0
_SESSIONS = 50


class AccountPage:
    """Builds the page.

    Args:
        access: logins.
    """

    def __init__(self, access: Access) -> None:
        self._access = access

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t, logins = page.t, self._access.logins

        async def look(actor: Actor) -> Html:
            found = await page.ask(logins.list_sessions, actor, page.cookie, limit=_SESSIONS)
            return _sessions(t, found.items)

        async def refresh() -> None:
            actor = await page.who()
            about.show(_about(t, actor))
            shown.show(await look(actor))

        async def end(session_id: str) -> None:
            await page.ask(logins.end_session, await page.who(), session_id)
            self._access.forget()
            await refresh()

        async def end_others(_of: str) -> None:
            await page.ask(logins.end_sessions, await page.who(), keep=page.cookie)
            self._access.forget()
            page.tell(t("account.others_ended"))
            await refresh()

        change = link(
            f"{BASE}/password?own=1&to={BASE}/account", icon("key"), t("account.change_password"), cls="button primary"
        )
        Fragment(heading(t("account.title"), span(cls="grow"), change))
        about = Fragment(_about(t, page.actor))
        shown = Fragment(await look(page.actor), cls="below")
        shown.on_press(page, {"end": end, "end_others": end_others})
        page.live(refresh, kinds=(), every=_LOOK_SECONDS)


def _about(t: Texts, actor: Actor) -> Html:
    rows: list[tuple[Phrase | Data, Child]] = [
        (t("users.name"), Data(actor.name.partition(":")[2] or actor.name)),
        (t("users.role"), role_name(t, actor.role)),
        (t("users.grants"), grants_in_line(t, actor.grants)),
    ]
    return card(t("account.you"), facts(rows))


def _sessions(t: Texts, sessions: Sequence[OpenSession]) -> Html:
    others = any(not session.is_current for session in sessions)
    end = (
        tag("button", t("account.end_others"), cls="button small", type="button", data_act="end_others")
        if others
        else None
    )
    return card(t("account.sessions"), sessions_table(t, sessions, may_end=True), aside=end)
