"""One sync: its progress while it works, what came of it, and its plan."""

import asyncio
from contextlib import aclosing
from typing import Any

from nicegui import background_tasks, ui

from fastflow.kernel.sync.domain.sync import Sync, SyncEvent, SyncState
from fastflow.kernel.sync.service import SyncService
from fastflow.kit.errors import FastFlowError, Unauthenticated
from fastflow.kit.identity import Actor
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, span, tag
from fastflow.ui.parts import card, facts, heading, lasting, when
from fastflow.ui.rooms.sync.acting import Acting
from fastflow.ui.rooms.sync.pieces import commit, state
from fastflow.ui.rooms.sync.plan import plan_cards
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts

_LOOK_SECONDS = 2.0
_MOST_LINES = 400


class SyncPage:
    """Builds the page.

    Args:
        syncs: the sync, and what follows from it.
    """

    def __init__(self, syncs: SyncService) -> None:
        self._syncs = syncs

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t, sync_id = page.t, page.params["sync_id"]
        sync = await page.ask(self._look, sync_id, page.actor)
        ui.page_title(f"{sync.repository} · {t(f'sync.state_{sync.state}')} · Fast-Flow")
        with ui.element("div").classes("bar"):
            head = Fragment(_head(t, sync), cls="grow")
            actions = _Actions(page, Acting(page, self._syncs), sync)
        note = Fragment(_note(t, sync))
        with ui.element("div").classes("columns"):
            with ui.element("div"):
                progress = _Progress(page, self._syncs, sync)
                plan = Fragment(plan_cards(t, sync), cls="below")
            beside = Fragment(_beside(t, sync))

        async def refresh() -> None:
            now = await page.ask(self._look, sync_id, await page.who())
            head.show(_head(t, now))
            actions.show(now)
            note.show(_note(t, now))
            plan.show(plan_cards(t, now))
            beside.show(_beside(t, now))

        page.live(refresh, kinds=(), every=None if sync.state.has_ended else _LOOK_SECONDS)
        progress.begin(refresh)

    def _look(self, sync_id: str, actor: Actor) -> Sync:
        return self._syncs.get(sync_id, actor=actor)


class _Actions:
    """What follows from the sync as it is."""

    def __init__(self, page: Page, acting: Acting, sync: Sync) -> None:
        self._t = page.t
        self._acting = acting
        self._state: SyncState | None = None
        self._place = ui.element("div").classes("actions")
        self.show(sync)

    def show(self, sync: Sync) -> None:
        """Offer what fits it now."""
        if sync.state is self._state:
            return
        self._state = sync.state
        self._place.clear()
        with self._place:
            self._put(sync)

    def _put(self, sync: Sync) -> None:
        t, acting = self._t, self._acting
        is_blocked = bool((sync.plan or {}).get("blockers"))
        if sync.state is SyncState.PLANNED and not is_blocked:
            acting.offer(t("sync.activate"), acting.sync(sync.repository), "check", "primary")
        elif sync.state is SyncState.REFUSED or (sync.state is SyncState.PLANNED and is_blocked):
            acting.offer(t("sync.force"), acting.sync(sync.repository, force=True), "alert", "danger")
            acting.offer(t("sync.plan_again"), acting.plan(sync.repository), "again")
        elif sync.state is SyncState.FAILED:
            acting.offer(t("sync.sync"), acting.sync(sync.repository), "again")
        elif sync.state is SyncState.ACTIVATED and sync.action in ("sync", "rollback"):
            acting.offer(t("sync.rollback_here"), acting.rollback(sync.repository, sync), "back")


class _Progress:
    """What the sync tells, as it comes."""

    def __init__(self, page: Page, syncs: SyncService, sync: Sync) -> None:
        self._page = page
        self._syncs = syncs
        self._id = sync.id
        self._is_over = sync.state.has_ended
        self._steps: list[tuple[str, str]] = []
        self._lines: list[str] = []
        self._shown = Fragment(Html(""))

    def begin(self, ended: Any) -> None:
        """Follow the sync from its beginning to its end, for as long as the page is open; then call `ended`."""
        task = background_tasks.create(self._follow(ended), name="ui sync")
        self._page.client.on_delete(lambda: task.cancel() and None)

    async def _follow(self, ended: Any) -> None:
        page = self._page
        with page.client:
            try:
                async with aclosing(self._syncs.follow(self._id, 0, actor=await page.who())) as batches:  # type: ignore[type-var]
                    async for events in batches:
                        await page.who()  # a session that has ended is told no more
                        self._take(events)
                if not self._is_over:
                    await ended()
            except Unauthenticated:
                page.log_in_again()
            except FastFlowError as error:
                page.tell_problem(error)
            except asyncio.CancelledError:
                return

    def _take(self, events: Any) -> None:
        for event in events:
            self._take_one(event)
        if events:
            self._shown.show(_progress(self._page.t, self._steps, self._lines, is_over=self._is_over))

    def _take_one(self, event: SyncEvent) -> None:
        data = event.data
        if event.kind == "step":
            self._steps.append(("step", str(data.get("text", ""))))
        elif event.kind == "note":
            self._steps.append(("note", str(data.get("text", ""))))
        elif event.kind == "pipeline":
            self._steps.append(("pipeline", f"{data.get('pipeline')}: {data.get('state')}"))
        elif event.kind == "line":
            self._lines = [*self._lines[1 - _MOST_LINES :], f"{data.get('pipeline')}  {data.get('line')}"]
        elif event.kind == "end":
            self._steps.append(("end", str(data.get("why", ""))))
            self._is_over = True


def _progress(t: Texts, steps: list[tuple[str, str]], lines: list[str], *, is_over: bool) -> Html:
    rows = [
        tag("li", span(cls=f"dot {'good' if kind == 'step' else 'still'}"), Data(text), cls=kind)
        for kind, text in steps
    ]
    told = tag("ol", rows, cls="steps")
    said = (
        tag(
            "details",
            tag("summary", t("sync.uv_says")),
            tag("pre", Data("\n".join(lines)), cls="uv"),
            cls="card-body",
            open=not is_over,
        )
        if lines
        else None
    )
    return card(t("sync.course"), told, said)


def _head(t: Texts, sync: Sync) -> Html:
    return heading(
        t(f"sync.action_{sync.action}"),
        state(t, sync),
        trail=[(f"{BASE}/sync", t("sync.title")), (f"{BASE}/sync", Data(sync.repository))],
        under=Data(sync.subject) if sync.subject else None,
    )


def _note(t: Texts, sync: Sync) -> Html:
    if not sync.why:
        return Html("")
    kind = {SyncState.REFUSED: "bad", SyncState.FAILED: "bad", SyncState.ACTIVATED: "good"}.get(sync.state, "still")
    return div(
        icon("alert" if kind == "bad" else "check"), span(as_told(t, sync.why)), cls=f"note {kind}", role="status"
    )


def _beside(t: Texts, sync: Sync) -> Html:
    rows = facts(
        [
            (t("sync.repository"), Data(sync.repository)),
            (t("sync.commit"), commit(sync.commit)),
            (t("sync.before"), commit(sync.commit_before)),
            (t("sync.author"), Data(sync.author) if sync.author else None),
            (t("sync.asked_by"), Data(sync.requested_by)),
            (t("sync.trigger"), t(f"sync.trigger_{sync.trigger}")),
            (t("sync.reason"), Data(sync.reason) if sync.reason else None),
            (t("sync.forced"), t("sync.yes") if sync.force else None),
            (t("sync.asked_at"), when(sync.requested_at, "clock")),
            (t("sync.took"), lasting(sync.started_at, sync.finished_at) if sync.started_at else None),
        ]
    )
    return card(t("sync.details"), rows)
