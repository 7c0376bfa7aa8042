"""The overview: what runs, what waits and why, what failed, what comes next."""

from urllib.parse import quote, urlencode

from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.schedules.domain.schedule import Schedule
from fastflow.kit.identity import Role
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import card, empty, heading, lasting, short, size, when
from fastflow.ui.rooms.overview.machine import Machine
from fastflow.ui.rooms.overview.snapshot import Counted, Overview, Snapshot
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Phrase, Texts

_MACHINE_SECONDS = 15.0


class OverviewPage:
    """Builds the page.

    Args:
        overview: what is shown.
    """

    def __init__(self, overview: Overview) -> None:
        self._overview = overview

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        shown = await page.ask(self._overview.look, page.actor)
        Fragment(heading(page.t("overview.title")))
        content = Fragment(_content(page, shown))

        async def refresh() -> None:
            actor = await page.who()
            content.show(_content(page, await page.ask(self._overview.look, actor)))

        page.live(refresh, kinds=("state", "progress"), every=_MACHINE_SECONDS)


def _content(page: Page, shown: Snapshot) -> Html:
    t = page.t
    return join(
        _stats(t, shown),
        div(
            div(
                _running(t, shown),
                _queued(t, shown) if shown.queued.count else None,
                _failed(t, shown),
            ),
            div(
                _start(page, shown),
                _due(t, shown),
                _machine(t, shown.machine),
            ),
            cls="columns",
        ),
    )


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
            span(tag("strong", Data(run.pipeline_name)), tag("small", Data(shown.reasons[run.id].text)), cls="main"),
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
            else Data(last.reason_text)
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


def _start(page: Page, shown: Snapshot) -> Html:
    t = page.t
    names = [name for name in shown.recent if page.may(Role.OPERATOR, name)]
    everything = link(f"{BASE}/pipelines", t("overview.all_pipelines"))
    if not names:
        return card(t("overview.start"), tag("p", t("overview.start_none"), cls="card-body muted"), aside=everything)
    rows = [
        link(
            f"{BASE}/pipelines/{quote(name, safe='')}",
            span(tag("strong", Data(name)), cls="main"),
            icon("play", "muted"),
            cls="row",
        )
        for name in names
    ]
    return card(t("overview.start"), div(rows, cls="rows"), aside=everything)


def _due(t: Texts, shown: Snapshot) -> Html:
    title = t("overview.next")
    if not shown.due:
        return card(title, tag("p", t("overview.next_none"), cls="card-body muted"))
    return card(title, div([_due_row(schedule) for schedule in shown.due], cls="rows"))


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
