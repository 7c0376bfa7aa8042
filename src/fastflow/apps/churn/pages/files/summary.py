"""What a file's panel holds: its months as a figure, its columns and first rows as tables."""

from collections.abc import Sequence
from typing import Any

from fastflow.apps.churn.domain.dictionary import LINEAGE, read_dictionary
from fastflow.apps.churn.domain.files import IngestedFile
from fastflow.apps.churn.domain.month import Month
from fastflow.apps.churn.domain.summary import ColumnSummary, MonthSummary
from fastflow.apps.churn.pages.experiments.words import month
from fastflow.apps.churn.pages.files.words import role_told
from fastflow.apps.churn.ports import Rows
from fastflow.ui.charts import plain_number
from fastflow.ui.markup import Html, div, span, tag
from fastflow.ui.parts import card, data_text
from fastflow.ui.plots import Axis, Line, Plot, figure, spanning
from fastflow.ui.shell.listing import head
from fastflow.ui.texts import Data, Texts

_LONGEST = 40
_COUNTED = 1000
"""Up to so many different values are counted; more are estimated."""
_KEYS_WITHOUT_MEAN = ("PRIMARY_KEY", "TIMEBASE")


def months_card(t: Texts, months: Sequence[MonthSummary]) -> Html:
    """Customers of each month, and the share of them that it says are dead."""
    first = Month.parse(months[0].month)
    places = [float(Month.parse(one.month) - first) for one in months]

    def shown(place: float) -> str:
        return month(first + round(place))

    across = Axis(label=t("churn_files.month"), low=0.0, high=max(places[-1], 1.0), show=shown)
    counts = [float(one.rows) for one in months]
    shares = [one.dead / one.rows for one in months]
    told = t(
        "churn_files.months_told", first=shown(0.0), last=shown(places[-1]), n=f"{max(one.rows for one in months):,}"
    )
    customers = Plot(
        title=t("churn_files.by_month"),
        told=told,
        x=across,
        y=Axis(label=t("churn_files.customers"), low=0.0, high=spanning(counts)[1]),
        lines=[Line(name=t("churn_files.customers"), points=list(zip(places, counts, strict=True)))],
    )
    dead = Plot(
        title=t("churn_files.dead_by_month"),
        told=told,
        x=across,
        y=Axis(label=t("churn_files.dead_share"), low=0.0, high=max(spanning(shares)[1], 0.01), show=_percent),
        lines=[Line(name=t("churn_files.dead_share"), points=list(zip(places, shares, strict=True)))],
    )
    plots = div(figure(customers), figure(dead), cls="plots")
    return card(t("churn_files.months"), div(plots, cls="card-body"))


def columns_card(t: Texts, file: IngestedFile, columns: Sequence[ColumnSummary]) -> Html:
    """Each column: its role, and what its values are."""
    roles = {one.name: one.role for one in read_dictionary(file.dictionary).taken()}
    sources = {one.name: one.source for one in read_dictionary(file.dictionary).taken()}
    heads = [
        head(t("churn_files.column")),
        head(t("churn_files.role")),
        head(t("churn_files.missing"), "right"),
        head(t("churn_files.distinct"), "right"),
        head(t("churn_files.range"), "right"),
        head(t("churn_files.mean"), "right"),
        head(t("churn_files.usual"), "right"),
    ]
    rows = [_column(t, one, roles.get(one.name, ""), sources.get(one.name, one.name), file) for one in columns]
    return card(t("churn_files.columns"), _scrolled(t, heads, rows, t("churn_files.columns")), cls="below")


def _column(t: Texts, one: ColumnSummary, role: str, source: str, file: IngestedFile) -> Html:
    renamed = div(t("churn_files.from", name=Data(source)), cls="muted small") if source != one.name else None
    missing = f"{one.missing / file.rows:.1%}" if one.missing else "–"
    distinct = f"{file.customers:,}" if role == "PRIMARY_KEY" else _distinct(one.distinct)
    mean = None if role in _KEYS_WITHOUT_MEAN else one.mean
    return tag(
        "tr",
        tag("td", span(Data(one.name), cls="mono"), renamed),
        tag("td", role_told(t, role) if role else None, div(t(f"churn_files.type_{one.type}"), cls="muted small")),
        tag("td", Data(missing), cls="right number"),
        tag("td", Data(distinct), cls="right number"),
        tag("td", _value(one.least), Data(" – ") if one.least != one.most else None, _end(one), cls="right number"),
        *(tag("td", _value(value), cls="right number") for value in (mean, one.usual)),
    )


def _distinct(count: int) -> str:
    """Many are estimated, to two digits.

    >>> _distinct(24), _distinct(25307)
    ('24', '≈ 25,000')
    """
    if count <= _COUNTED:
        return f"{count:,}"
    return f"≈ {round(count, 2 - len(str(count))):,}"


def _end(one: ColumnSummary) -> Html | Data | None:
    return _value(one.most) if one.least != one.most else None


def rows_card(t: Texts, found: Rows) -> Html:
    """The first rows, as they are kept."""
    shown = [place for place, name in enumerate(found.columns) if name != LINEAGE[0]]
    heads = [head(Data(found.columns[place])) for place in shown]
    rows = [tag("tr", *(tag("td", _value(row[place])) for place in shown)) for row in found.rows]
    return card(t("churn_files.first_rows"), _scrolled(t, heads, rows, t("churn_files.first_rows")), cls="below")


def _scrolled(_t: Texts, heads: Sequence[Html], rows: Sequence[Html], label: str) -> Html:
    table = tag("table", tag("thead", tag("tr", heads)), tag("tbody", rows), cls="list dense")
    return div(table, cls="scrolled sql-rows", tabindex="0", role="region", aria_label=label)


def _value(value: Any) -> Html | Data:
    """A value; what is missing is told so."""
    if value is None:
        return span(Data("–"), cls="muted")
    if isinstance(value, float):
        return Data(plain_number(value))
    text = data_text(value)
    return Data(text) if len(text) <= _LONGEST else span(Data(text[:_LONGEST] + "…"), title=text[:1000])


def _percent(share: float) -> str:
    return f"{share:.1%}" if 0 < share < 0.1 else f"{share:.0%}"
