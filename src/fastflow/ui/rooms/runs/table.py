"""The table of runs: filters in the address, so that every view is a link; pages by key, so that the millionth is quick.

It is sorted by submission alone, in either direction: that is what every index on runs ends with. Any other order, such
as by duration, would make the database sort all that fit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastflow.kernel.executors.port import Reason
from fastflow.kernel.flows.ports import Membership
from fastflow.kernel.flows.service import FlowService
from fastflow.kernel.runs.domain.run import Run, RunFilter
from fastflow.kernel.runs.domain.states import REASONS, TRIGGERS, RunStatus
from fastflow.kernel.runs.service import RunService
from fastflow.kit.clock import Clock
from fastflow.kit.identity import Actor
from fastflow.kit.ids import parse_tail
from fastflow.kit.pages import Page as RunPageOf
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import choice, empty, heading, lasting, short, status, when
from fastflow.ui.rooms.runs.bulk import BulkRuns
from fastflow.ui.rooms.runs.bulk_bar import BulkBar
from fastflow.ui.rooms.runs.in_flows import find_flows, membership
from fastflow.ui.shell.listing import address, head, kept, pager, table_card
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Phrase, Texts

_PAGE = 50
_PERIODS = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}
_FILTERS = ("pipeline", "state", "trigger", "period", "id", "group", "since", "until")
_KEPT = (*_FILTERS, "order")


@dataclass(frozen=True, kw_only=True)
class _Found:
    """Runs, and by id the flows of those that are in one."""

    page: RunPageOf[Run]
    flows: Mapping[str, Membership]


class RunTable:
    """Builds the page.

    Args:
        runs: where they come from.
        bulk: does the same with many.
        flows: tells which of them belong to a flow.
        clock: tells where a period begins.
    """

    def __init__(self, runs: RunService, bulk: BulkRuns, flows: FlowService, clock: Clock) -> None:
        self._runs = runs
        self._bulk = bulk
        self._flows = flows
        self._clock = clock

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t = page.t
        cursor = page.query.get("cursor")
        found = await page.ask(self._load, page, page.actor, cursor)
        Fragment(join(heading(t("runs.title")), _filters(page)))
        if found.page.items:
            BulkBar(page, self._bulk, lambda: self._wanted(page))
        shown = Fragment(_table(page, found))

        async def refresh() -> None:
            shown.show(_table(page, await page.ask(self._load, page, await page.who(), None)))

        if cursor is None:
            page.live(refresh, pipeline_name=page.query.get("pipeline") or None)

    def _load(self, page: Page, actor: Actor, cursor: str | None) -> _Found:
        wanted, oldest = self._wanted(page), _is_oldest_first(page)
        found = self._runs.list(wanted, actor=actor, cursor=cursor, limit=_PAGE, oldest_first=oldest)
        return _Found(page=found, flows=find_flows(self._flows, found.items, actor))

    def _wanted(self, page: Page) -> RunFilter:
        given = page.query
        period = _PERIODS.get(given.get("period", ""))
        status, reason = read_state(given.get("state", ""))
        tail = given.get("id", "").strip()
        return RunFilter(
            pipeline_name=given.get("pipeline") or None,
            status=status,
            reason=reason,
            trigger=given.get("trigger") or None,
            since=_instant(given.get("since")) if period is None else self._clock.now() - period,
            until=_instant(given.get("until")),
            failure_group=given.get("group") or None,
            id_tail=parse_tail(tail, "id") if tail else None,
        )


def _is_oldest_first(page: Page) -> bool:
    return page.query.get("order") == "oldest"


def _instant(text: str | None) -> datetime | None:
    """A time with its zone, as links of ours name it; anything else is none."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None


def _address(page: Page, **changed: str) -> str:
    """The address of this view with something changed; empty: left away."""
    return address("/runs", {**kept(page, _KEPT), **changed})


def offered_states(t: Texts) -> Sequence[tuple[str, Phrase]]:
    """Every badge that a run can have; a failure for no special reason is called as all failures are."""
    reasons = [reason for reason in REASONS if reason != "exit"]
    return [(each, t(f"status.{each}")) for each in (*(status.value for status in RunStatus), *reasons)]


def read_state(text: str) -> tuple[RunStatus | None, Reason | None]:
    """The status, and the reason if only failures for that one are meant; neither: any run."""
    reason = next((each for each in REASONS if each == text), None)
    if reason is not None:
        return RunStatus.FAILED, reason
    return (RunStatus(text) if text in RunStatus.__members__ else None), None


def offered_triggers(t: Texts) -> Sequence[tuple[str, Phrase]]:
    """All that runs are submitted by."""
    return [(name, t(f"trigger.{name}")) for name in TRIGGERS]


def _filters(page: Page) -> Html:
    t, given = page.t, page.query
    periods = [(name, t(f"runs.last_{name}")) for name in _PERIODS]
    is_filtered = any(given.get(name) for name in _FILTERS)
    return tag(
        "form",
        tag(
            "input", type="search", name="pipeline", value=given.get("pipeline", ""), placeholder=t("runs.pipeline"),
            aria_label=t("runs.pipeline"),
        ),
        choice("state", offered_states(t), given.get("state"), t("runs.all_states"), t("runs.state")),
        choice("trigger", offered_triggers(t), given.get("trigger"), t("runs.all_triggers"), t("runs.started_by")),
        choice("period", periods, given.get("period"), t("runs.all_times"), t("runs.queued")),
        tag("input", type="search", name="id", value=given.get("id", ""), placeholder=t("runs.by_id"), aria_label=t("runs.by_id")),
        [
            tag("input", type="hidden", name=name, value=given[name])
            for name in ("group", "order", "since", "until")
            if given.get(name)
        ],
        link(f"{BASE}/runs", t("runs.clear"), cls="button") if is_filtered else None,
        cls="filters", action=f"{BASE}/runs",
    )  # fmt: skip


def _table(page: Page, shown: _Found) -> Html:
    t, given, found = page.t, page.query, shown.page
    if not found.items:
        is_filtered = any(given.get(name) for name in _FILTERS)
        if is_filtered:
            everything = link(f"{BASE}/runs", t("runs.clear"), cls="button")
            return div(empty("search", t("runs.none_fit"), action=everything), cls="card")
        to_pipelines = link(f"{BASE}/pipelines", t("runs.to_pipelines"), cls="button")
        return div(empty("runs", t("runs.none"), t("runs.none_hint"), to_pipelines), cls="card")
    begin, beyond = ("oldest", "newer") if _is_oldest_first(page) else ("newest", "older")
    newest = t(f"runs.{begin}") if given.get("cursor") else None
    return join(
        _rows(page, shown),
        pager("/runs", found.next_cursor, older=t(f"runs.{beyond}"), newest=newest, keeping=kept(page, _KEPT)),
    )


def _rows(page: Page, shown: _Found) -> Html:
    """Runs as a table whose rows lead to them."""
    t = page.t
    everything = tag(
        "input", type="checkbox", name="every-run", aria_label=t("runs.pick_all"), title=t("runs.pick_all")
    )
    heads = [
        head(everything, "pick"),
        head(t("runs.pipeline")),
        head(t("runs.state")),
        head(t("runs.started_by"), "wide-only"),
        _sorted_head(page),
        head(t("runs.duration"), "right"),
        head(t("runs.id"), "wide-only"),
    ]
    return table_card(heads, [_row(t, run, shown.flows.get(run.id)) for run in shown.page.items], cls="picks")


def _sorted_head(page: Page) -> Html:
    t, is_oldest = page.t, _is_oldest_first(page)
    way = link(
        _address(page, order="" if is_oldest else "oldest"),
        t("runs.queued"),
        span(Data(" ↑" if is_oldest else " ↓"), aria_hidden="true"),
        title=t("runs.order_oldest" if is_oldest else "runs.order_newest"),
    )
    return tag("th", way, scope="col", aria_sort="ascending" if is_oldest else "descending")


def _row(t: Texts, run: Run, flow: Membership | None) -> Html:
    path = f"{BASE}/runs/{run.id}"
    box = tag("input", type="checkbox", name="run", value=run.id, aria_label=t("runs.pick", id=short(run.id)))
    return tag(
        "tr",
        tag("td", box, cls="pick"),
        tag("td", link(path, Data(run.pipeline_name), cls="first"), membership(t, flow) if flow else None),
        tag("td", div(status(t, run), attempt(t, run), cls="pair")),
        tag("td", trigger(t, run), cls="wide-only muted"),
        tag("td", when(run.queued_at), cls="muted"),
        tag("td", lasting(run.started_at, run.finished_at), cls="right"),
        tag("td", tag("code", short(run.id), cls="muted"), cls="wide-only"),
        data_href=path,
    )


def attempt(t: Texts, run: Run) -> Html | None:
    """Which attempt it is, of a run that was tried more than once."""
    if run.attempt == 1 and run.retried_by is None:
        return None
    key = "runs.attempt_n" if run.retried_by is None else "runs.attempt_again"
    return span(t(key, n=run.attempt), cls="muted small")


def trigger(t: Texts, run: Run) -> Phrase | Data:
    """What submitted the run."""
    key = f"trigger.{run.trigger}"
    return t(key) if t.has(key) else Data(run.trigger)
