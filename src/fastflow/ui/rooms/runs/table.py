"""The table of runs: filters in the address, so that every view is a link; pages by key, so that the millionth is quick."""

from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlencode

from fastflow.kernel.runs.domain.run import Run, RunFilter
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.service import RunService
from fastflow.kit.clock import Clock
from fastflow.kit.ids import parse_tail
from fastflow.kit.pages import Page as RunPageOf
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import choice, empty, heading, lasting, short, status, when
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Phrase, Texts

_PAGE = 50
_PERIODS = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}
_TRIGGERS = ("api", "cli", "ui", "schedule", "webhook", "rerun", "retry", "replay", "daemon")
_FILTERS = ("pipeline", "state", "trigger", "period", "id", "group")


class RunTable:
    """Builds the page.

    Args:
        runs: where they come from.
        clock: tells where a period begins.
    """

    def __init__(self, runs: RunService, clock: Clock) -> None:
        self._runs = runs
        self._clock = clock

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t = page.t
        cursor = page.query.get("cursor")
        wanted = self._wanted(page)
        found = await page.ask(self._runs.list, wanted, actor=page.actor, cursor=cursor, limit=_PAGE)
        Fragment(join(heading(t("runs.title")), _filters(page)))
        shown = Fragment(_table(page, found))

        async def refresh() -> None:
            again = self._wanted(page)
            latest = await page.ask(self._runs.list, again, actor=await page.who(), limit=_PAGE)
            shown.show(_table(page, latest))

        if cursor is None:
            page.live(refresh, pipeline_name=page.query.get("pipeline") or None)

    def _wanted(self, page: Page) -> RunFilter:
        given = page.query
        period = _PERIODS.get(given.get("period", ""))
        state = given.get("state", "")
        tail = given.get("id", "").strip()
        return RunFilter(
            pipeline_name=given.get("pipeline") or None,
            status=RunStatus(state) if state in RunStatus.__members__ else None,
            trigger=given.get("trigger") or None,
            since=None if period is None else self._clock.now() - period,
            failure_group=given.get("group") or None,
            id_tail=parse_tail(tail, "id") if tail else None,
        )


def _filters(page: Page) -> Html:
    t, given = page.t, page.query
    states = [(status.value, t(f"status.{status.value}")) for status in RunStatus]
    triggers = [(name, t(f"trigger.{name}")) for name in _TRIGGERS]
    periods = [(name, t(f"runs.last_{name}")) for name in _PERIODS]
    is_filtered = any(given.get(name) for name in _FILTERS)
    return tag(
        "form",
        tag(
            "input", type="search", name="pipeline", value=given.get("pipeline", ""), placeholder=t("runs.pipeline"),
            aria_label=t("runs.pipeline"),
        ),
        choice("state", states, given.get("state"), t("runs.all_states"), t("runs.state")),
        choice("trigger", triggers, given.get("trigger"), t("runs.all_triggers"), t("runs.started_by")),
        choice("period", periods, given.get("period"), t("runs.all_times"), t("runs.queued")),
        tag("input", type="search", name="id", value=given.get("id", ""), placeholder=t("runs.by_id"), aria_label=t("runs.by_id")),
        tag("input", type="hidden", name="group", value=given["group"]) if given.get("group") else None,
        link(f"{BASE}/runs", t("runs.clear"), cls="button") if is_filtered else None,
        cls="filters", action=f"{BASE}/runs",
    )  # fmt: skip


def _table(page: Page, found: RunPageOf[Run]) -> Html:
    t, given = page.t, page.query
    if not found.items:
        is_filtered = any(given.get(name) for name in _FILTERS)
        if is_filtered:
            return div(empty("search", t("runs.none_fit")), cls="card")
        to_pipelines = link(f"{BASE}/pipelines", t("runs.to_pipelines"), cls="button")
        return div(empty("runs", t("runs.none"), t("runs.none_hint"), to_pipelines), cls="card")
    kept = {name: given[name] for name in _FILTERS if given.get(name)}
    newest = f"{BASE}/runs?{urlencode(kept)}" if kept else f"{BASE}/runs"
    return join(
        div(run_rows(t, found.items), cls="card table-wrap"),
        div(
            link(newest, t("runs.newest"), cls="button") if given.get("cursor") else span(),
            link(f"{BASE}/runs?{urlencode({**kept, 'cursor': found.next_cursor})}", t("runs.older"), cls="button")
            if found.next_cursor
            else None,
            cls="pager",
        ),
    )


def run_rows(t: Texts, runs: Sequence[Run], *, with_pipeline: bool = True) -> Html:
    """Runs as a table whose rows lead to them."""
    head = [
        tag("th", t("runs.pipeline"), scope="col") if with_pipeline else None,
        tag("th", t("runs.state"), scope="col"),
        tag("th", t("runs.started_by"), scope="col", cls="wide-only"),
        tag("th", t("runs.queued"), scope="col"),
        tag("th", t("runs.duration"), scope="col", cls="right"),
        tag("th", t("runs.id"), scope="col", cls="wide-only"),
    ]
    return tag(
        "table",
        tag("thead", tag("tr", head)),
        tag("tbody", [_row(t, run, with_pipeline=with_pipeline) for run in runs]),
        cls="list stacks",
    )


def _row(t: Texts, run: Run, *, with_pipeline: bool) -> Html:
    path = f"{BASE}/runs/{run.id}"
    state = status(t, run)
    return tag(
        "tr",
        tag("td", link(path, Data(run.pipeline_name), cls="first")) if with_pipeline else None,
        tag("td", state if with_pipeline else link(path, state, cls="first")),
        tag("td", trigger(t, run), cls="wide-only muted"),
        tag("td", when(run.queued_at), cls="muted"),
        tag("td", lasting(run.started_at, run.finished_at), cls="right"),
        tag("td", tag("code", short(run.id), cls="muted"), cls="wide-only"),
        data_href=path,
    )


def trigger(t: Texts, run: Run) -> Phrase | Data:
    """What submitted the run."""
    key = f"trigger.{run.trigger}"
    return t(key) if t.has(key) else Data(run.trigger)
