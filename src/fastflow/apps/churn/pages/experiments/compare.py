"""Two to four experiments beside each other: what differs in them, and what came out."""

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from fastflow.apps.churn.domain.comparing import Difference, difference, same_test
from fastflow.apps.churn.domain.experiment import Experiment
from fastflow.apps.churn.pages.experiments.manifest import PATH
from fastflow.apps.churn.pages.experiments.words import (
    figure_name,
    names_of_figures,
    path_of,
    shown_figure,
    state,
    trail,
    value_text,
)
from fastflow.apps.churn.service.experiments import ExperimentFilter, Experiments
from fastflow.kit.pages import MAX_PAGE_SIZE
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import card, empty, heading, pill
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.forms import many_field
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts

_Figures = Mapping[str, float]
_Ends = Mapping[str, tuple[float, float]]


class ComparePage:
    """Builds the page.

    Args:
        experiments: where they come from.
    """

    def __init__(self, experiments: Experiments) -> None:
        self._experiments = experiments

    async def build(self, page: Page) -> None:
        """Put it on the page; `?ids=1,2` names those that are compared."""
        t = page.t
        wanted = [int(part) for part in page.query.get("ids", "").split(",") if part.isascii() and part.isdigit()]
        offered = await page.ask(self._experiments.list, ExperimentFilter(), actor=page.actor, limit=MAX_PAGE_SIZE)
        options = {str(one.experiment_id): f"#{one.experiment_id} {one.experiment_name}" for one in offered.items}
        compared: Sequence[Experiment] = []
        if wanted:
            compared = await page.ask(self._experiments.compare, wanted, actor=page.actor)
        figures = await page.ask(self._experiments.figures, actor=page.actor)
        intervals = await page.ask(self._experiments.intervals, actor=page.actor)
        Fragment(heading(t("experiments.compare"), trail=trail(t), under=t("experiments.compare_about")))
        with ui.element("div").classes("card narrow form-card"):
            chosen = many_field(
                page, t("experiments.which"), options, [each for each in map(str, wanted) if each in options],
                about=t("experiments.which_about"),
            )  # fmt: skip

            async def show() -> None:
                page.go(f"{PATH}/-/compare?ids={','.join(chosen.value or ())}")

            with ui.element("div").classes("actions"):
                button(page, t("experiments.show"), show, cls="primary")
        if compared:
            told = [figures.get(one.experiment_id, {}) for one in compared]
            ends = [intervals.get(one.experiment_id, {}) for one in compared]
            Fragment(join(_settings(t, compared), _figures(t, compared, told, ends)), cls="below")


def _settings(t: Texts, compared: Sequence[Experiment]) -> Html:
    flat = [_flat(one.content()) for one in compared]
    names = [name for name in dict.fromkeys(name for each in flat for name in each) if _differs(name, flat)]
    rows = [
        tag(
            "tr",
            tag("th", Data(name), scope="row"),
            [tag("td", value_text(each.get(name)), cls="mono") for each in flat],
        )
        for name in names
    ]
    body = _side_by_side(t, compared, rows) if rows else empty("check", t("experiments.all_same"))
    return card(t("experiments.differing"), body)


def _figures(t: Texts, compared: Sequence[Experiment], figures: Sequence[_Figures], ends: Sequence[_Ends]) -> Html:
    rows = [
        tag(
            "tr",
            tag("th", figure_name(t, name), scope="row", title=name),
            [tag("td", _figure(t, name, figures, ends, at)) for at in range(len(compared))],
        )
        for name in names_of_figures(figures)
    ]
    if not rows:
        return card(t("experiments.figures"), empty("experiment", t("experiments.no_figures")), cls="below")
    is_same = all(same_test(compared[0], one) for one in compared)
    about = t("experiments.compared_same" if is_same else "experiments.compared_otherwise")
    note = tag("p", about, cls="muted small card-body")
    return card(t("experiments.figures"), _side_by_side(t, compared, rows), note, cls="below")


def _figure(t: Texts, name: str, figures: Sequence[_Figures], ends: Sequence[_Ends], at: int) -> Html:
    """A figure with its interval, and how it differs from the first experiment's."""
    shown = span(shown_figure(name, figures[at].get(name)), cls="number")
    if name not in ends[at]:
        return shown
    low, high = (shown_figure(name, end) for end in ends[at][name])
    interval = div(Data(f"{low} – {high}"), cls="muted small number")
    if not at or name not in ends[0]:
        return join(shown, interval)
    apart = difference(name, figures[0][name], figures[at][name], (ends[0][name], ends[at][name]))
    return join(shown, interval, None if apart is None else _apart(t, apart))


def _apart(t: Texts, apart: Difference) -> Html:
    kind = {"better": "good", "worse": "bad", "even": "still"}[apart.verdict]
    words = t(f"experiments.is_{apart.verdict}")
    reach = Data(f"{apart.value:+.3f} ({apart.low:+.3f} – {apart.high:+.3f})")
    return div(pill(kind, words), Data(" "), span(reach, cls="muted small number"))


def _side_by_side(t: Texts, compared: Sequence[Experiment], rows: Sequence[Html]) -> Html:
    heads = [
        tag(
            "th",
            link(BASE + path_of(one.experiment_id), Data(f"#{one.experiment_id} {one.experiment_name}")),
            div(state(t, one)),
            scope="col",
        )
        for one in compared
    ]
    head = tag("thead", tag("tr", tag("td"), heads))
    table = tag("table", head, tag("tbody", rows), cls=f"list side-by-side of-{len(compared)}")
    return div(table, cls="table-wrap", tabindex=0, role="region", aria_label=t("experiments.compare"))


def _flat(content: Mapping[str, Any]) -> dict[str, Any]:
    """Settings beside the fields, each by its own name."""
    return {
        **{name: value for name, value in content.items() if name != "hyperparameters"},
        **content["hyperparameters"],
    }


def _differs(name: str, flat: Sequence[Mapping[str, Any]]) -> bool:
    return any(each.get(name) != flat[0].get(name) for each in flat)
