"""The experiments, newest first, with their windows and key figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from nicegui import ui

from fastflow.apps.churn.domain.experiment import STATUSES, Experiment
from fastflow.apps.churn.pages.experiments.manifest import PATH
from fastflow.apps.churn.pages.experiments.words import figure, instant, path_of, state, window
from fastflow.apps.churn.service.database import GUARDED_BY
from fastflow.apps.churn.service.demo import Demo
from fastflow.apps.churn.service.experiments import ExperimentFilter, Experiments
from fastflow.kit.identity import Actor, Role
from fastflow.kit.pages import Page as PageOf
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import choice, empty, heading, when
from fastflow.ui.shell.controls import button, way
from fastflow.ui.shell.listing import Listing, head
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts

_PAGE = 50
_LOOK_SECONDS = 5.0


@dataclass(frozen=True)
class _Row:
    experiment: Experiment
    figures: Mapping[str, float]


class ExperimentTable:
    """Builds the page.

    Args:
        experiments: where they come from.
        demo: makes one on example data, where there is none.
    """

    def __init__(self, experiments: Experiments, demo: Demo) -> None:
        self._experiments = experiments
        self._demo = demo

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t = page.t
        status, name = page.query.get("status", ""), page.query.get("name", "")
        wanted = ExperimentFilter(status=status if status in STATUSES else None, name=name or None)
        listing = Listing(
            page,
            PATH,
            partial(self._look, wanted),
            heads=[
                head(t("experiments.experiment")),
                head(t("experiments.status")),
                head(t("experiments.windows")),
                head(t("experiments.figure_churn_roc_auc"), "right"),
                head(t("experiments.figure_cox_harrell_c"), "right wide-only"),
                head(t("experiments.changed"), "wide-only"),
            ],
            row=partial(_row, t),
            none=empty("experiment", t("experiments.none"), t("experiments.none_hint")),
            older=t("experiments.older"),
            keeps=("status", "name"),
        )
        await listing.read()
        may = page.may(Role.OPERATOR, GUARDED_BY)
        with ui.element("div").classes("bar"):
            Fragment(heading(t("experiments.title"), under=t("experiments.about")), cls="grow")
            compare = link(f"{BASE}{PATH}/-/compare", t("experiments.compare"), cls="button")
            new = way(page, f"{PATH}/-/new", t("experiments.new"), drawing="plus", may=may)
            Fragment(div(compare, new, cls="actions"))
        Fragment(_filters(t, wanted))
        listing.put(kinds=("state",), every=_LOOK_SECONDS)
        if not (wanted.status or wanted.name or listing.count):
            self._offer_demo(page, may)

    def _offer_demo(self, page: Page, may: bool) -> None:
        """Where there is no experiment at all: one click makes one and computes it."""

        async def start() -> None:
            made = await page.ask(self._demo.start, actor=await page.who())
            page.go(path_of(made.experiment_id))

        t = page.t
        with ui.element("div").classes("card below demo"):
            head = div(tag("h2", t("experiments.example")), cls="card-head")
            Fragment(join(head, div(t("experiments.demo_about"), cls="card-body muted")))
            with ui.element("div").classes("card-body actions"):
                button(page, t("experiments.demo"), start, drawing="play", may=may)

    def _look(self, wanted: ExperimentFilter, actor: Actor, cursor: str | None) -> PageOf[_Row]:
        found = self._experiments.list(wanted, actor=actor, cursor=cursor, limit=_PAGE)
        figures = self._experiments.figures(actor=actor)
        rows = [_Row(each, figures.get(each.experiment_id, {})) for each in found.items]
        return PageOf(items=rows, next_cursor=found.next_cursor)


def _filters(t: Texts, wanted: ExperimentFilter) -> Html:
    statuses = [(each, t(f"experiments.is_{each}")) for each in STATUSES]
    return tag(
        "form",
        tag(
            "input",
            type="search",
            name="name",
            value=wanted.name or "",
            placeholder=t("experiments.name"),
            aria_label=t("experiments.name"),
        ),
        choice("status", statuses, wanted.status, t("experiments.any_status"), t("experiments.status")),
        tag("button", t("experiments.filter"), cls="button", type="submit"),
        cls="filters",
        method="get",
        action=BASE + PATH,
    )


def _row(t: Texts, row: _Row) -> Html:
    one = row.experiment
    path = BASE + path_of(one.experiment_id)
    return tag(
        "tr",
        tag(
            "td",
            link(path, Data(one.experiment_name), cls="first"),
            div(Data(f"#{one.experiment_id} · {one.model_type} · {one.feature_set}"), cls="muted small"),
        ),
        tag("td", span(state(t, one), title=one.reason or None)),
        tag(
            "td",
            div(window(one.training), cls="number"),
            div(window(one.backtest), cls="muted small number"),
            cls="unbroken",
        ),
        tag("td", figure(row.figures.get("churn_roc_auc")), cls="right number"),
        tag("td", figure(row.figures.get("cox_harrell_c")), cls="right number wide-only"),
        tag("td", when(instant(one.updated_at)), cls="muted wide-only"),
        data_href=path,
    )
