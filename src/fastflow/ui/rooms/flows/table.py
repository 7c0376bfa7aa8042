"""Flows and backfills, the latest first."""

from nicegui import ui

from fastflow.kernel.flows.domain.flow import Counts, FlowStatus
from fastflow.kernel.flows.ports import FlowFilter, FlowView
from fastflow.kernel.flows.service import FlowService
from fastflow.kit.identity import Actor, Role
from fastflow.kit.pages import Page as PageOf
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import choice, empty, heading, lasting, pill, short, when
from fastflow.ui.rooms.flows.pieces import asked, flow_state, meter
from fastflow.ui.shell.controls import way
from fastflow.ui.shell.listing import head, kept, pager, table_card
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Phrase, Texts

_PAGE = 50
_FILTERS = ("kind", "state", "pipeline")
_LOOK_SECONDS = 10.0


class FlowTable:
    """Builds the page.

    Args:
        flows: where they come from.
    """

    def __init__(self, flows: FlowService) -> None:
        self._flows = flows

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t = page.t
        found = await page.ask(self._load, page, page.actor)
        new = way(page, "/flows/-/backfill", t("flows.new_backfill"), drawing="plus", may=page.may(Role.OPERATOR))
        with ui.element("div").classes("bar"):
            Fragment(heading(t("flows.title"), under=t("flows.about")), cls="grow")
            Fragment(div(new, cls="actions"))
        Fragment(_filters(page))
        shown = Fragment(_table(page, found))

        async def refresh() -> None:
            shown.show(_table(page, await page.ask(self._load, page, await page.who())))

        page.live(refresh, every=_LOOK_SECONDS)

    def _load(self, page: Page, actor: Actor) -> PageOf[FlowView]:
        given = page.query
        state = given.get("state", "")
        wanted = FlowFilter(
            kind="backfill" if given.get("kind") == "backfill" else "flow",
            status=FlowStatus(state) if state in list(FlowStatus) else None,
            pipeline_name=given.get("pipeline", "").strip() or None,
        )
        return self._flows.list(wanted, actor=actor, cursor=given.get("cursor"), limit=_PAGE)


def _filters(page: Page) -> Html:
    t, given = page.t, page.query
    is_filtered = any(given.get(name) for name in _FILTERS)
    return tag(
        "form",
        choice("kind", [("backfill", t("flows.backfills"))], given.get("kind"), t("flows.flows"), t("flows.kind")),
        tag(
            "input", type="search", name="pipeline", value=given.get("pipeline", ""), placeholder=t("flows.pipeline"),
            aria_label=t("flows.pipeline"),
        ),
        choice(
            "state", [(each.value, t(f"status.{each}")) for each in FlowStatus], given.get("state"), t("flows.all_states"),
            t("flows.state"),
        ),
        link(f"{BASE}/flows", t("flows.clear"), cls="button") if is_filtered else None,
        cls="filters", action=f"{BASE}/flows",
    )  # fmt: skip


def _table(page: Page, found: PageOf[FlowView]) -> Html:
    t, given = page.t, page.query
    if not found.items:
        if given.get("pipeline") or given.get("state"):
            return div(empty("search", t("flows.none_fit")), cls="card")
        is_backfill = given.get("kind") == "backfill"
        hint = t("flows.none_backfills_hint" if is_backfill else "flows.none_hint")
        return div(empty("flow", t("flows.none_backfills" if is_backfill else "flows.none"), hint), cls="card")
    heads = [
        head(t("flows.begins_with")),
        head(t("flows.state")),
        head(t("flows.progress")),
        head(t("flows.started_by"), "wide-only"),
        head(t("flows.begun")),
        head(t("flows.duration"), "right"),
        head(t("flows.id"), "wide-only"),
    ]
    newest = t("flows.newest") if given.get("cursor") else None
    return join(
        table_card(heads, [_row(t, view) for view in found.items]),
        pager("/flows", found.next_cursor, older=t("flows.older"), newest=newest, keeping=kept(page, _FILTERS)),
    )


def _row(t: Texts, view: FlowView) -> Html:
    flow = view.flow
    path = f"{BASE}/flows/{flow.id}"
    state = pill("waits", t("flows.state_APPROVAL")) if asked(view) else flow_state(t, flow)
    attempt = span(t("flows.attempt_n", n=flow.attempt), cls="muted small") if flow.attempt > 1 else None
    return tag(
        "tr",
        tag("td", link(path, Data(flow.name), cls="first")),
        tag("td", div(state, attempt, cls="pair")),
        tag("td", _progress(t, view), cls="whole"),
        tag("td", trigger(t, flow.trigger), cls="wide-only muted"),
        tag("td", when(flow.created_at), cls="muted"),
        tag("td", lasting(flow.created_at, flow.finished_at), cls="right"),
        tag("td", tag("code", short(flow.id), cls="muted"), cls="wide-only"),
        data_href=path,
    )


def _progress(t: Texts, view: FlowView) -> Html:
    """Of a backfill by its runs, of a flow by its steps."""
    if view.flow.kind == "backfill":
        return meter(t, next(iter(view.counts.values()), Counts()))
    states = [step.state.value.lower() for step in view.steps]
    names = Counts.__dataclass_fields__
    return meter(t, Counts(**{name: sum(_counts_as(state) == name for state in states) for name in names}))


def _counts_as(state: str) -> str:
    return "waiting" if state == "approval" else state


def trigger(t: Texts, name: str) -> Phrase | Data:
    """What began a flow."""
    key = f"trigger.{name}"
    return t(key) if t.has(key) else Data(name)
