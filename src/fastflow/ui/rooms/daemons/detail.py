"""One daemon: its instances with their health, the log of the one that is looked at, what happened, its runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from nicegui import ui

from fastflow.kernel.daemons.domain.records import DaemonEvent, Wish
from fastflow.kernel.daemons.service import DaemonService, DaemonView
from fastflow.kernel.runs.domain.run import Run, RunFilter
from fastflow.kernel.runs.service import RunService
from fastflow.kit.identity import Actor, Role
from fastflow.ui.markup import Child, Html, div, link, span, tag
from fastflow.ui.parts import card, empty, facts, heading, lasting, short, status, when
from fastflow.ui.rooms.daemons.words import health, instances_told, state, trouble
from fastflow.ui.shell.controls import button, confirm
from fastflow.ui.shell.forms import typed_length
from fastflow.ui.shell.log_view import LogView
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Phrase, Texts

_LOOK_SECONDS = 2.0
_EVENTS = 30
_RUNS = 8


@dataclass(frozen=True, kw_only=True)
class _Shown:
    view: DaemonView
    events: Sequence[DaemonEvent]
    runs: Sequence[Run]

    @property
    def newest(self) -> str | None:
        """The run whose log says most: of the newest instance, else of the last one there was."""
        living = [each.run.id for each in self.view.instances if each.run is not None]
        return max(living) if living else (self.runs[0].id if self.runs else None)


class DaemonPage:
    """Builds the page.

    Args:
        daemons: the daemon, and what can be done with it.
        runs: its instances are runs.
    """

    def __init__(self, daemons: DaemonService, runs: RunService) -> None:
        self._daemons = daemons
        self._runs = runs

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t, name = page.t, page.params["name"]
        shown = await page.ask(self._look, name, page.actor)
        ui.page_title(f"{name} · {t('daemons.title')} · Fast-Flow")
        with ui.element("div").classes("bar"):
            head = Fragment(_head(t, shown.view), cls="grow")
            actions = _Actions(page, self._daemons, shown.view)
        note = Fragment(trouble(t, shown.view))
        with ui.element("div").classes("columns"):
            with ui.element("div"):
                instances = Fragment(_instances(t, shown.view))
                log = _Log(page, shown.newest)
                events = Fragment(_events(t, shown.events), cls="below")
            beside = Fragment(_beside(t, shown))

        async def refresh() -> None:
            now = await page.ask(self._look, name, await page.who())
            head.show(_head(t, now.view))
            actions.show(now.view)
            note.show(trouble(t, now.view))
            instances.show(_instances(t, now.view))
            log.show(now.newest)
            events.show(_events(t, now.events))
            beside.show(_beside(t, now))

        async def look_at(run_id: str) -> None:
            log.choose(run_id)

        instances.on_press(page, {"log": look_at})
        actions.changed = refresh
        page.live(refresh, pipeline_name=name, every=_LOOK_SECONDS)

    def _look(self, name: str, actor: Actor) -> _Shown:
        view = self._daemons.get(name, actor=actor)
        wanted = RunFilter(pipeline_name=name, trigger="daemon")
        return _Shown(
            view=view,
            events=self._daemons.list_events(name, actor=actor, limit=_EVENTS).items,
            runs=self._runs.list(wanted, actor=actor, limit=_RUNS).items,
        )


class _Actions:
    """What can be done with the daemon as it is."""

    def __init__(self, page: Page, daemons: DaemonService, view: DaemonView) -> None:
        self._page = page
        self._daemons = daemons
        self._name = view.daemon.pipeline_name
        self.changed = _nothing
        t, may = page.t, page.may(Role.OPERATOR, self._name)
        with ui.element("div").classes("actions"):
            self._start = button(page, t("daemons.start"), self._do_start, drawing="play", may=may, cls="primary")
            self._restart = button(page, t("daemons.restart"), self._do_restart, drawing="again", may=may)
            self._pause = button(
                page, t("daemons.pause"), self._do_pause, drawing="pause", may=may, title=t("daemons.pause_about")
            )
            self._stop = button(page, t("daemons.stop"), self._do_stop, drawing="stop", may=may, cls="danger")
        self.show(view)

    def show(self, view: DaemonView) -> None:
        """Offer what fits it now."""
        wish = view.daemon.wish
        self._start.set_visibility(wish != "running" or view.daemon.next_start_at is not None)
        self._restart.set_visibility(wish == "running")
        self._pause.set_visibility(wish == "running")
        self._stop.set_visibility(wish != "stopped")

    async def _do_start(self) -> None:
        await self._wish("running")

    async def _do_pause(self) -> None:
        await self._wish("paused")

    async def _do_stop(self) -> None:
        t = self._page.t
        question, yes, no = t("daemons.stop_question", name=self._name), t("daemons.stop"), t("daemons.keep")
        if await confirm(question, t("daemons.stop_text"), yes=yes, no=no):
            await self._wish("stopped")

    async def _do_restart(self) -> None:
        page = self._page
        await page.ask(self._daemons.restart, self._name, actor=await page.who())
        page.tell(page.t("daemons.restarting"))
        await self.changed()

    async def _wish(self, wish: Wish) -> None:
        page = self._page
        await page.ask(self._daemons.wish, self._name, wish, actor=await page.who())
        await self.changed()


async def _nothing() -> None:
    """Before the page is whole nothing follows."""


class _Log:
    """The log of one instance: the newest, until another one is chosen."""

    def __init__(self, page: Page, run_id: str | None) -> None:
        self._page = page
        self._run_id: str | None = None
        self._is_chosen = False
        self._head = Fragment(Html(""), cls="below")
        self._place = ui.element("div").classes("daemon-log")
        self.show(run_id)

    def show(self, newest: str | None) -> None:
        """Follow the newest."""
        if not self._is_chosen:
            self._put(newest)

    def choose(self, run_id: str) -> None:
        """Stay with this one."""
        self._is_chosen = True
        self._put(run_id)

    def _put(self, run_id: str | None) -> None:
        if run_id is None or run_id == self._run_id:
            return
        t, self._run_id = self._page.t, run_id
        way = link(f"{BASE}/runs/{run_id}", tag("code", short(run_id)), cls="underlined")
        self._head.show(div(t("daemons.log_of"), Data(" "), way, cls="muted small log-of"))
        self._place.clear()
        with self._place:
            LogView(t, run_id)


def _head(t: Texts, view: DaemonView) -> Html:
    return heading(
        Data(view.daemon.pipeline_name),
        state(t, view),
        span(instances_told(t, view), cls="muted"),
        trail=[(f"{BASE}/daemons", t("daemons.title"))],
    )


def _instances(t: Texts, view: DaemonView) -> Html:
    living = [each for each in view.instances if not each.has_ended]
    if not living:
        return card(t("daemons.instances"), empty("daemon", t("daemons.no_instances")))
    head = [
        tag("th", t("daemons.number"), scope="col"),
        tag("th", t("daemons.health"), scope="col"),
        tag("th", t("daemons.run"), scope="col"),
        tag("th", t("daemons.port"), scope="col", cls="wide-only"),
        tag("th", t("daemons.since"), scope="col"),
        tag("th", span(t("daemons.look_at_log"), cls="unseen"), scope="col"),
    ]
    rows = [
        tag(
            "tr",
            tag("td", Data(f"#{each.number}"), cls="number"),
            tag("td", health(t, each), div(Data(each.stopping), cls="muted small") if each.stopping else None),
            tag("td", link(f"{BASE}/runs/{each.run.id}", tag("code", short(each.run.id)), cls="underlined") if each.run else Data("–")),
            tag("td", Data(each.port) if each.port else Data("–"), cls="number wide-only"),
            tag("td", when(each.run.started_at) if each.run and each.run.started_at else Data("–"), cls="muted"),
            tag(
                "td",
                tag(
                    "button", t("daemons.look_at_log"), cls="button small", type="button", data_act="log", data_of=each.run.id,
                    aria_label=t("daemons.log_about", n=each.number),
                ) if each.run else None,
                cls="right end-cell",
            ),
        )
        for each in sorted(living, key=lambda each: each.number)
    ]  # fmt: skip
    table = tag("table", tag("thead", tag("tr", head)), tag("tbody", rows), cls="list stacks")
    return card(t("daemons.instances"), div(table, cls="table-wrap"))


def _events(t: Texts, events: Sequence[DaemonEvent]) -> Html:
    if not events:
        return card(t("daemons.events"), empty("clock", t("daemons.no_events")))
    rows = [
        div(
            span(t(f"daemons.event_{key}") if t.has(f"daemons.event_{key}") else Data(each.kind), cls="outcome muted small"),
            span(tag("small", Data(each.text)), cls="main"),
            link(f"{BASE}/runs/{each.run_id}", tag("code", short(each.run_id)), cls="side wide-only") if each.run_id else None,
            span(when(each.at), cls="side"),
            cls="row",
        )
        for each in events
        for key in [each.kind.replace("-", "_")]
    ]  # fmt: skip
    return card(t("daemons.events"), div(rows, cls="rows"))


def _beside(t: Texts, shown: _Shown) -> Html:
    view, daemon, spec = shown.view, shown.view.daemon, shown.view.spec
    name = quote(daemon.pipeline_name, safe="")
    rows: list[tuple[Phrase | Data, Child]] = [
        (t("daemons.pipeline"), link(f"{BASE}/pipelines/{name}", Data(daemon.pipeline_name), cls="underlined")),
        (t("daemons.wish"), t(f"daemons.wish_{daemon.wish}")),
        (t("daemons.changed"), span(when(daemon.changed_at), Data(f" · {daemon.changed_by}"))),
        (t("daemons.crashes"), span(Data(daemon.crashes), cls="number") if daemon.crashes else None),
        (t("daemons.restarts"), span(Data(view.last.restarts), cls="number") if view.last else None),
        (t("daemons.next"), when(daemon.next_start_at)),
        (t("daemons.loop_since"), when(daemon.crash_loop_since)),
    ]
    if spec is not None:
        rows += [
            (t("daemons.wanted"), span(Data(spec.instances), cls="number")),
            (t("daemons.replace"), t(f"daemons.replace_{spec.replace.replace('-', '_')}")),
            (t("daemons.probe"), tag("code", Data(spec.health)) if spec.health else None),
            (t("daemons.heartbeat"), Data(typed_length(spec.heartbeat)) if spec.heartbeat else None),
            (
                t("daemons.back_off"),
                t("daemons.from_to", least=typed_length(spec.delay), most=typed_length(spec.max_delay)),
            ),
            (t("daemons.stable"), Data(typed_length(spec.stable))),
        ]
    return div(card(t("daemons.details"), facts(rows)), _runs(t, name, shown.runs))


def _runs(t: Texts, name: str, runs: Sequence[Run]) -> Html:
    everything = link(f"{BASE}/runs?pipeline={name}&trigger=daemon", t("daemons.all_runs"))
    if not runs:
        return card(t("daemons.runs"), tag("p", t("daemons.no_runs"), cls="card-body muted"), aside=everything)
    rows = [
        link(
            f"{BASE}/runs/{run.id}",
            span(status(t, run), cls="grow"),
            span(lasting(run.started_at, run.finished_at), cls="side"),
            span(when(run.queued_at), cls="side"),
            cls="row",
        )
        for run in runs
    ]
    return card(t("daemons.runs"), div(rows, cls="rows"), aside=everything)
