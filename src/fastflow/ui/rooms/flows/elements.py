"""The runs of one step: an element of a list or a time of a backfill each, with every attempt."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from fastflow.kernel.flows.domain.flow import Element, ElementState
from fastflow.kernel.flows.ports import FlowView
from fastflow.kernel.flows.service import FlowService
from fastflow.kit.identity import Actor
from fastflow.kit.pages import Page as PageOf
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import choice, empty, heading, short
from fastflow.ui.rooms.flows.pieces import meter, step_path, step_state, told
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts

_PAGE = 100
_LOOK_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class _Shown:
    view: FlowView
    found: PageOf[Element]


class ElementsPage:
    """Builds the page.

    Args:
        flows: where they come from.
    """

    def __init__(self, flows: FlowService) -> None:
        self._flows = flows

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        shown = await page.ask(self._look, page, page.actor)
        head = Fragment(_head(page, shown))
        Fragment(_filters(page))
        table = Fragment(_table(page, shown))

        async def refresh() -> None:
            now = await page.ask(self._look, page, await page.who())
            head.show(_head(page, now))
            table.show(_table(page, now))

        page.live(refresh, pipeline_name=page.params["step"], every=_LOOK_SECONDS)

    def _look(self, page: Page, actor: Actor) -> _Shown:
        flow_id, step, state = page.params["flow_id"], page.params["step"], page.query.get("state", "")
        wanted = ElementState(state) if state in list(ElementState) else None
        cursor = page.query.get("cursor")
        found = self._flows.list_elements(flow_id, step, wanted, actor=actor, cursor=cursor, limit=_PAGE)
        return _Shown(view=self._flows.get(flow_id, actor=actor), found=found)


def _head(page: Page, shown: _Shown) -> Html:
    t, flow, name = page.t, shown.view.flow, page.params["step"]
    step = next(each for each in shown.view.steps if each.name == name)
    counts = shown.view.counts.get(name)
    return heading(
        Data(name),
        step_state(t, step.state),
        trail=[(f"{BASE}/flows", t("flows.title")), (f"{BASE}/flows/{flow.id}", Data(flow.name))],
        under=join(tag("p", told(t, step.why)), meter(t, counts) if counts else None),
    )


def _filters(page: Page) -> Html:
    t, state = page.t, page.query.get("state")
    states = [(each.value, t(f"flows.state_{each}")) for each in ElementState]
    return tag(
        "form",
        choice("state", states, state, t("flows.all_states"), t("flows.state")),
        link(page.path, t("flows.clear"), cls="button") if state else None,
        cls="filters",
        action=page.path,
    )


def _table(page: Page, shown: _Shown) -> Html:
    t, found = page.t, shown.found
    if not found.items:
        return div(empty("search", t("flows.no_elements")), cls="card")
    kept = {"state": page.query["state"]} if page.query.get("state") else {}
    path = step_path(shown.view.flow, page.params["step"])
    following = f"{path}?{urlencode({**kept, 'cursor': found.next_cursor or ''})}"
    more = div(span(), link(following, t("flows.more"), cls="button"), cls="pager") if found.next_cursor else None
    return join(div(_rows(t, found.items), cls="card table-wrap"), more)


def _rows(t: Texts, elements: Sequence[Element]) -> Html:
    head = [
        tag("th", t("flows.element"), scope="col"),
        tag("th", t("flows.state"), scope="col"),
        tag("th", t("flows.why"), scope="col"),
        tag("th", t("flows.run"), scope="col"),
    ]
    rows = [_row(t, element) for element in elements]
    return tag("table", tag("thead", tag("tr", head)), tag("tbody", rows), cls="list stacks")


def _row(t: Texts, element: Element) -> Html:
    run = link(f"{BASE}/runs/{element.run_id}", tag("code", short(element.run_id))) if element.run_id else Data("–")
    attempt = span(t("flows.attempt_n", n=element.attempt), cls="muted small") if element.attempt > 1 else None
    old = span(t("flows.replaced"), cls="muted small") if not element.is_current else None
    return tag(
        "tr",
        tag("td", div(tag("strong", Data(element.key or str(element.element + 1))), attempt, old, cls="pair")),
        tag("td", step_state(t, element.state)),
        tag("td", told(t, element.why), cls="muted wraps"),
        tag("td", run),
    )
