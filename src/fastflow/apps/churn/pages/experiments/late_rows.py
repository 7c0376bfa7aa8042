"""Rows that arrived after an experiment's data, looked for when somebody asks: comparing panels is not for every refresh."""

from nicegui import ui

from fastflow.apps.churn.domain.month import Month
from fastflow.apps.churn.pages.experiments.words import instant, month
from fastflow.apps.churn.ports_late import LateRow
from fastflow.apps.churn.service.late import Late, LateRows
from fastflow.ui.markup import Html, div, join, link, tag
from fastflow.ui.parts import when
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts

_ROWS_SHOWN = 20


class LateCard:
    """The part of an experiment's page.

    Args:
        page: where it is.
        late: finds them.
        number: the experiment's.
    """

    def __init__(self, page: Page, late: LateRows, number: int) -> None:
        self._page, self._late, self._number = page, late, number
        t = page.t
        with ui.element("section").classes("card below"):
            Fragment(div(tag("h2", t("experiments.late")), cls="card-head"))
            with ui.element("div").classes("card-body"):
                Fragment(tag("p", t("experiments.late_about"), cls="muted"))
                button(page, t("experiments.late_look"), self._look, drawing="search")
            self._found = Fragment(Html(""))

    async def _look(self) -> None:
        page = self._page
        found = await page.ask(self._late.find, self._number, limit=_ROWS_SHOWN, actor=await page.who())
        self._found.show(_told(page.t, found))


def _told(t: Texts, found: Late) -> Html:
    if not found.files:
        return div(t("experiments.late_none"), cls="card-body", role="status")
    since = div(t("experiments.late_since"), Data(" "), when(instant(found.as_of)), cls="card-body", role="status")
    counts = [
        _row(_file(count.file_id), _month(count.month), Data(f"{count.new:,}"), Data(f"{count.corrected:,}"))
        for count in found.counts
    ]
    rows = [_row(Data(row.customer), _month(row.month), _file(row.file_id), _changes(t, row)) for row in found.rows]
    return join(
        since,
        _table(t, ("file", "late_month", "late_new", "late_corrected"), counts),
        div(t("experiments.late_first", n=str(len(rows))), cls="card-body muted") if rows else None,
        _table(t, ("late_customer", "late_month", "file", "late_change"), rows) if rows else None,
    )


def _changes(t: Texts, row: LateRow) -> Html | Data:
    if row.change == "new":
        return join(t("experiments.late_is_new"))
    return Data("; ".join(f"{cell.column} {_value(cell.before)} → {_value(cell.after)}" for cell in row.cells))


def _value(value: object) -> str:
    return "–" if value is None else str(value)


def _month(number: int) -> Data:
    return Data(month(Month.parse(number)))


def _file(number: int) -> Html:
    return link(f"{BASE}/churn/files/{number}", Data(f"#{number}"))


def _row(*cells: Html | Data) -> Html:
    return tag("tr", [tag("td", cell) for cell in cells])


def _table(t: Texts, heads: tuple[str, ...], rows: list[Html]) -> Html:
    head = tag("tr", [tag("th", t(f"experiments.{name}"), scope="col") for name in heads])
    return tag("table", tag("thead", head), tag("tbody", rows), cls="list")
