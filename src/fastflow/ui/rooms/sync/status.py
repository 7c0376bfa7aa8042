"""How every repository stands, what can be done with it, and every sync so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from nicegui import ui

from fastflow.kernel.sync.domain.sync import Sync, SyncState
from fastflow.kernel.sync.service import RepositoryStatus, SyncService
from fastflow.kit.identity import Actor, Role
from fastflow.kit.pages import Page as PageOf
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import card, empty, facts, heading, when
from fastflow.ui.rooms.sync.acting import Acting
from fastflow.ui.rooms.sync.pieces import commit, standing, state
from fastflow.ui.shell.controls import way
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts

_PAGE = 30
_LOOK_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class _Shown:
    repositories: Sequence[RepositoryStatus]
    history: PageOf[Sync]


class StatusPage:
    """Builds the page.

    Args:
        syncs: how they stand.
    """

    def __init__(self, syncs: SyncService) -> None:
        self._syncs = syncs

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t = page.t
        shown = await page.ask(self._look, page, page.actor)
        may = page.may_everywhere(Role.ADMIN)
        new = way(page, "/sync/-/new", t("sync.new"), drawing="plus", may=may, role=Role.ADMIN)
        Fragment(div(div(heading(t("sync.title")), cls="grow"), div(new, cls="actions"), cls="bar"))
        repositories = _Repositories(page, Acting(page, self._syncs), shown.repositories)
        history = Fragment(_history(page, shown.history), cls="below")

        async def refresh() -> None:
            now = await page.ask(self._look, page, await page.who())
            repositories.show(now.repositories)
            history.show(_history(page, now.history))

        page.live(refresh, kinds=(), every=_LOOK_SECONDS)

    def _look(self, page: Page, actor: Actor) -> _Shown:
        found = self._syncs.list(
            page.query.get("repository") or None, actor=actor, cursor=page.query.get("cursor"), limit=_PAGE
        )
        return _Shown(repositories=self._syncs.status(actor=actor), history=found)


class _Repositories:
    """A card for each; made anew when one comes or goes."""

    def __init__(self, page: Page, acting: Acting, statuses: Sequence[RepositoryStatus]) -> None:
        self._page = page
        self._acting = acting
        self._place = ui.element("div")
        self._cards: dict[str, Fragment] = {}
        self._put(statuses)

    def show(self, statuses: Sequence[RepositoryStatus]) -> None:
        """Bring them up to date."""
        if [one.repository.name for one in statuses] != list(self._cards):
            self._put(statuses)
        for one in statuses:
            self._cards[one.repository.name].show(_repository(self._page.t, one))

    def _put(self, statuses: Sequence[RepositoryStatus]) -> None:
        t = self._page.t
        self._place.clear()
        self._cards = {}
        with self._place:
            if not statuses:
                Fragment(div(empty("sync", t("sync.none"), t("sync.none_hint")), cls="card"))
            for one in statuses:
                self._put_one(one)

    def _put_one(self, one: RepositoryStatus) -> None:
        t, acting, name = self._page.t, self._acting, one.repository.name
        with ui.element("section").classes("card repository"):
            self._cards[name] = Fragment(_repository(t, one))
            with ui.element("div").classes("actions"):
                acting.offer(t("sync.plan"), acting.plan(name), "search")
                acting.offer(t("sync.sync"), acting.sync(name), "sync", "primary")
                acting.offer(t("sync.rollback"), acting.rollback(name, None), "back")


def _repository(t: Texts, one: RepositoryStatus) -> Html:
    repository, active, sync = one.repository, one.active, one.sync
    is_under_way = sync is not None and not sync.state.has_ended
    rows = [
        (t("sync.address"), tag("code", Data(f"{repository.url} · {repository.branch}"))),
        (t("sync.active"), span(commit(active.commit), Data(" "), when(active.activated_at), Data(f" · {active.activated_by}")) if active else t("sync.nothing")),
        (t("sync.remote"), span(commit(repository.remote_commit), Data(" "), when(repository.checked_at)) if repository.checked_at else None),
        (t("sync.held"), span(commit(repository.held_commit), Data(" "), t("sync.held_about")) if repository.held_commit else None),
        (t("sync.next"), when(repository.next_sync_at)),
    ]  # fmt: skip
    told = one.events[-1] if one.events else None
    going = None
    if sync is not None and is_under_way:
        text = Data(told.data.get("text") or told.data.get("line") or "") if told else None
        going = link(
            f"{BASE}/sync/{sync.id}", state(t, sync), span(text, cls="main cut"), cls="row going", role="status"
        )
    problem = (
        div(icon("alert"), span(as_told(t, repository.problem)), cls="note bad flush") if repository.problem else None
    )
    path = f"{BASE}/sync/repositories/{quote(repository.name, safe='')}"
    described = link(path, t("sync.describe"), aria_label=t("sync.describe_about", repository=repository.name))
    head = div(tag("h2", Data(repository.name)), span(standing(t, one), described, cls="pair"), cls="card-head")
    return join(head, problem, facts(rows), going)


def _history(page: Page, history: PageOf[Sync]) -> Html:
    t, given = page.t, page.query
    if not history.items:
        return card(t("sync.history"), empty("clock", t("sync.history_none")))
    more = urlencode({"cursor": history.next_cursor or ""})
    pager = div(
        link(f"{BASE}/sync", t("sync.newest"), cls="button") if given.get("cursor") else span(),
        link(f"{BASE}/sync?{more}", t("sync.older"), cls="button") if history.next_cursor else None,
        cls="pager in-card",
    )
    is_paged = bool(history.next_cursor or given.get("cursor"))
    return card(
        t("sync.history"), div([_row(t, sync) for sync in history.items], cls="rows"), pager if is_paged else None
    )


def _row(t: Texts, sync: Sync) -> Html:
    subject = as_told(t, sync.subject or sync.why)
    return link(
        f"{BASE}/sync/{sync.id}",
        span(state(t, sync), cls="outcome"),
        span(
            tag("strong", t(f"sync.action_{sync.action}"), Data(f" {sync.repository} "), commit(sync.commit)),
            tag("small", subject if sync.state is not SyncState.FAILED else as_told(t, sync.why)),
            cls="main",
        ),
        span(Data(sync.requested_by), cls="side wide-only"),
        span(when(sync.requested_at), cls="side"),
        cls="row",
    )
