"""What came out of an experiment: its key figures, told so that one can judge them, and its tables, each a query away."""

from collections.abc import Mapping
from urllib.parse import urlencode

from fastflow.apps.churn.domain.described import describe_table
from fastflow.apps.churn.domain.ledger import CONTACTS
from fastflow.apps.churn.pages.experiments.words import (
    FIGURES,
    figure_name,
    names_of_figures,
    path_of,
    shown_figure,
)
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import card, empty
from fastflow.ui.shell.page import BASE
from fastflow.ui.texts import Data, Texts


def figures_card(t: Texts, number: int, figures: Mapping[str, float]) -> Html:
    """The few figures that matter, each with what is good; all others behind them; the way to the report."""
    if not figures:
        return card(
            t("experiments.figures"), empty("experiment", t("experiments.no_figures"), t("experiments.no_figures_hint"))
        )
    first = [name for name in FIGURES if name in figures]
    others = [name for name in names_of_figures([figures]) if name not in FIGURES]
    report = link(f"{BASE}{path_of(number)}/report", icon("file"), t("experiments.report"), cls="button small")
    body = [div(tag("dl", [_fact(t, name, figures[name]) for name in first], cls="report-facts"), cls="card-body")]
    if others:
        rows = [
            tag(
                "tr",
                tag("td", figure_name(t, name), title=name),
                tag("td", shown_figure(name, figures[name]), cls="right number"),
            )
            for name in others
        ]
        table = tag("table", tag("tbody", rows), cls="list dense")
        body.append(tag("details", tag("summary", t("experiments.all_figures")), table, cls="card-body"))
    return card(t("experiments.figures"), *body, aside=report)


def _fact(t: Texts, name: str, value: float) -> Html:
    about = span(t(f"experiments.about_{name}"), cls="report-about")
    return div(tag("dt", figure_name(t, name)), tag("dd", span(shown_figure(name, value), cls="value"), about))


def results_card(t: Texts, number: int, results: Mapping[str, int]) -> Html:
    """The tables that hold rows of it: what they are, and a query that shows them."""
    if not results:
        return Html("")
    rows = [
        tag(
            "tr",
            tag(
                "td",
                link(_query(name, number), Data(name), cls="mono"),
                _as_file(t, number) if name == CONTACTS else None,
                div(as_told(t, describe_table(name)), cls="muted small") if describe_table(name) else None,
                cls="wraps",
            ),
            tag("td", Data(f"{count:,}"), cls="right number"),
        )
        for name, count in results.items()
    ]
    heads = tag(
        "tr", tag("th", t("experiments.table"), scope="col"), tag("th", t("experiments.rows"), scope="col", cls="right")
    )
    table = tag("table", tag("thead", heads), tag("tbody", rows), cls="list")
    told = t.count("experiments.n_tables", len(results))
    return card(
        t("experiments.results"),
        tag("details", tag("summary", join(told)), table, cls="card-body"),
    )


def _as_file(t: Texts, number: int) -> Html:
    """The way to the list of contacts as a file."""
    file = f"/experiments/{number}/ledger/contacts.csv"
    return join(Data(" · "), link(file, t("experiments.as_csv"), download=True))


def _query(table: str, number: int) -> str:
    """The page of SQL, with the experiment's rows of a table asked for."""
    own = table.endswith(f"_{number}")  # a table of the experiment alone
    rows = table if own else f"{table} WHERE experiment_id = {number}"
    query = f"SELECT * FROM {rows}"  # noqa: S608 - text for the editor, which refuses what only an attacker would ask
    return f"{BASE}/churn/sql?{urlencode({'q': query})}"
