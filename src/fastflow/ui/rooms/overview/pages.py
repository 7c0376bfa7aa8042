"""The overview: what waits for a person, what runs, what waits and why, what failed, what comes next."""

from collections.abc import Sequence
from urllib.parse import quote, urlencode

from nicegui import ui

from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.service import RunService
from fastflow.kernel.schedules.domain.schedule import Schedule
from fastflow.kit.identity import Actor, Role
from fastflow.ui.hints import as_told
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import card, empty, heading, lasting, short, size, when
from fastflow.ui.rooms.overview.heat import HeatMap, put_heat
from fastflow.ui.rooms.overview.machine import Machine
from fastflow.ui.rooms.overview.questions import put_questions
from fastflow.ui.rooms.overview.quick_start import QuickStart
from fastflow.ui.rooms.overview.snapshot import Counted, Overview, Snapshot
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Phrase, Texts

_MACHINE_SECONDS = 15.0
_NAMED = 3


class OverviewPage:
    """Builds the page.

    Args:
        overview: what is shown.
        heat: how the last days went.
        runs: takes what is started here.
    """

    def __init__(self, overview: Overview, heat: HeatMap, runs: RunService) -> None:
        self._overview = overview
        self._heat = heat
        self._runs = runs

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        shown = await page.ask(self._overview.look, page.actor)
        Fragment(heading(page.t("overview.title")))
        t = page.t
        heat = await page.ask(self._heat.look, page.actor, page.zone)
        stats = Fragment(_stats(t, shown))
        with ui.element("div").classes("columns"):
            main = Fragment(_main(t, shown, page.actor))
            with ui.element("div"):
                start = QuickStart(page, self._runs, _startable(page, shown))
                beside = Fragment(_beside(t, shown), cls="below")
        map_of_hours = Fragment(put_heat(t, heat), cls="below")

        async def refresh() -> None:
            actor = await page.who()
            now = await page.ask(self._overview.look, actor)
            stats.show(_stats(t, now))
            main.show(_main(t, now, actor))
            start.show(_startable(page, now))
            beside.show(_beside(t, now))
            map_of_hours.show(put_heat(t, await page.ask(self._heat.look, actor, page.zone)))

        page.live(refresh, kinds=("state", "progress"), every=_MACHINE_SECONDS)


def _main(t: Texts, shown: Snapshot, actor: Actor) -> Html:
    return join(
        put_questions(t, shown.questions, actor, are_more=shown.are_more_questions) if shown.questions else None,
        _running(t, shown),
        _queued(t, shown) if shown.queued.count else None,
        _failed(t, shown),
    )


def _beside(t: Texts, shown: Snapshot) -> Html:
    return join(_due(t, shown), _machine(t, shown.machine))


def _startable(page: Page, shown: Snapshot) -> Sequence[str]:
    return [name for name in shown.recent if page.may(Role.OPERATOR, name)]


def _stats(t: Texts, shown: Snapshot) -> Html:
    due = shown.due[0].next_due_at if shown.due else None
    return div(
        _stat(t("overview.running"), Data(_number(shown.running)), "/runs?state=RUNNING", "runs", shown.running.count),
        _stat(t("overview.queued"), Data(_number(shown.queued)), "/runs?state=PENDING", "waits", shown.queued.count),
        _stat(t("overview.failed_short"), Data(_number(shown.failed)), "/runs?state=FAILED&period=day", "bad", shown.failed.count),
        div(
            tag("b", when(due) if due else Data("–")),
            tag("small", t("overview.next")),
            cls="stat",
        ),
        cls="stats",
    )  # fmt: skip


def _stat(label: Phrase, number: Data, path: str, kind: str, count: int) -> Html:
    return link(BASE + path, tag("b", number), tag("small", label), cls=f"stat {kind}{' on' if count else ''}")


def _number(counted: Counted) -> str:
    return f"{counted.count}{'+' if counted.is_more else ''}"


def _running(t: Texts, shown: Snapshot) -> Html:
    title = t("overview.running")
    if not shown.running.shown:
        return card(title, empty("runs", t("overview.nothing_running")))
    rows = [_running_row(run) for run in shown.running.shown]
    return card(title, div(rows, cls="rows"), aside=_all(t, "/runs?state=RUNNING", shown.running))


def _running_row(run: Run) -> Html:
    told = run.progress or {}
    share = told.get("progress")
    step = told.get("step")
    meter = (
        div(tag("i", style=f"width: {min(max(float(share), 0.0), 1.0) * 100:.0f}%"), cls="meter runs")
        if isinstance(share, int | float)
        else None
    )
    return link(
        f"{BASE}/runs/{run.id}",
        span(cls="dot runs"),
        span(tag("strong", Data(run.pipeline_name)), tag("small", Data(step)) if step else None, meter, cls="main"),
        tag("code", short(run.id), cls="side wide-only"),
        span(lasting(run.started_at or run.claimed_at, None), cls="side"),
        cls="row",
    )


def _queued(t: Texts, shown: Snapshot) -> Html:
    rows = [
        link(
            f"{BASE}/runs/{run.id}",
            span(cls="dot waits"),
            span(
                tag("strong", Data(run.pipeline_name)), tag("small", as_told(t, shown.reasons[run.id].text)), cls="main"
            ),
            span(lasting(run.queued_at, None), cls="side"),
            cls="row",
        )
        for run in shown.queued.shown
    ]
    return card(t("overview.queued"), div(rows, cls="rows"), aside=_all(t, "/runs?state=PENDING", shown.queued))


def _failed(t: Texts, shown: Snapshot) -> Html:
    title = t("overview.failed")
    if not shown.groups:
        return card(title, empty("check", t("overview.nothing_failed")))
    rows = []
    for group, count, last in shown.groups:
        title_of = (
            Data(group.failure.title)
            if group
            else as_told(t, last.reason_text)
            if last.reason_text
            else t("overview.ungrouped")
        )
        query = urlencode({"group": group.failure.group, "period": "day"}) if group else ""
        rows.append(
            link(
                f"{BASE}/runs?{query}" if group and count > 1 else f"{BASE}/runs/{last.id}",
                span(cls="dot bad"),
                span(tag("strong", Data(last.pipeline_name)), tag("small", title_of), cls="main"),
                span(t.count("overview.times", count), cls="side"),
                span(when(last.finished_at), cls="side wide-only"),
                cls="row",
            )
        )
    return card(title, div(rows, cls="rows"), aside=_all(t, "/runs?state=FAILED&period=day", shown.failed))


def _all(t: Texts, path: str, counted: Counted) -> Html | None:
    return link(BASE + path, t("overview.all")) if counted.count > len(counted.shown) else None


def _due(t: Texts, shown: Snapshot) -> Html:
    title = t("overview.next")
    if not shown.due:
        return card(title, tag("p", t("overview.next_none"), cls="card-body muted"))
    return card(title, _idle(t, shown.idle), div([_due_row(schedule) for schedule in shown.due], cls="rows"))


def _idle(t: Texts, idle: Sequence[Schedule]) -> Html | None:
    """Which schedules start nothing, though they have a due time."""
    if not idle:
        return None
    named = ", ".join(schedule.label for schedule in idle[:_NAMED]) + (" …" if len(idle) > _NAMED else "")
    return tag("p", link(f"{BASE}/schedules", t("overview.idle", named=named)), cls="card-body", data_idle=len(idle))


def _due_row(schedule: Schedule) -> Html:
    return link(
        f"{BASE}/pipelines/{quote(schedule.pipeline_name, safe='')}",
        span(tag("strong", Data(schedule.pipeline_name)), tag("small", Data(schedule.name)), cls="main"),
        span(when(schedule.next_due_at), cls="side"),
        cls="row",
    )


def _machine(t: Texts, machine: Machine) -> Html:
    load = t(
        "overview.of_cores_one" if machine.cores == 1 else "overview.of_cores_many",
        load=f"{machine.load:.1f}",
        n=machine.cores,
    )
    return card(
        t("overview.machine"),
        div(
            _gauge(t("overview.load"), load, machine.load / machine.cores),
            _gauge(
                t("overview.memory"),
                t("overview.free", size=size(machine.memory_free_bytes)),
                1 - machine.memory_free_bytes / max(machine.memory_bytes, 1),
            ),
            _gauge(
                t("overview.disk"),
                t("overview.free", size=size(machine.disk_free_bytes)),
                1 - machine.disk_free_bytes / max(machine.disk_bytes, 1),
            ),
            cls="gauges",
        ),
    )  # fmt: skip


def _gauge(name: Phrase, told: Phrase, share: float) -> Html:
    kind = "bad" if share > 0.95 else "waits" if share > 0.85 else "still"
    return div(
        div(span(name), span(told, cls="muted number"), cls="gauge-head"),
        div(tag("i", style=f"width: {min(max(share, 0.0), 1.0) * 100:.0f}%"), cls=f"meter {kind}"),
    )
