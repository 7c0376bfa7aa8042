"""A report as markup: its sections for a page, or the whole of it as one file that needs no other."""

from functools import cache

from fastflow.ui.markup import Html, div, span, tag
from fastflow.ui.plots import figure
from fastflow.ui.reports.blocks import (
    Block,
    Card,
    Cards,
    Check,
    Checks,
    Column,
    Fact,
    Facts,
    Plots,
    Report,
    Section,
    Table,
    Text,
)
from fastflow.ui.reports.colours import STATIC, light_colours
from fastflow.ui.texts import Data


def section_body(section: Section) -> Html:
    """What stands below the title of a section."""
    return div(*(_block(each) for each in section.blocks), cls="report-body")


def document(report: Report) -> str:
    """The whole report as an HTML document of its own: no script, no other file, readable without a network."""
    parts = [
        tag("section", tag("h2", each.title), section_body(each), id=each.key, cls="report-section")
        for each in report.sections
    ]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", report.title),
        tag("style", Html(_style())),
    )
    title = tag("header", tag("h1", report.title), tag("p", report.about))
    body = tag("body", tag("main", title, *parts, cls="report"))
    return f"<!doctype html>\n{tag('html', head, body, lang=report.language)}\n"


def _block(block: Block) -> Html:
    match block:
        case Text():
            return tag("p", block.words, cls=f"report-text {block.kind}")
        case Checks():
            return tag("ul", *(_check(each) for each in block.rows), cls="report-checks")
        case Facts():
            return tag("dl", *(_fact(each) for each in block.rows), cls="report-facts")
        case Table():
            return _table(block)
        case Plots():
            return div(*(figure(each) for each in block.plots), cls="plots")
        case Cards():
            cards = div(*(_card(each) for each in block.cards), cls="report-cards")
            return div(tag("h3", block.title), cards, cls="report-table-block")


def _check(check: Check) -> Html:
    mark = span(check.told, cls="report-mark")
    return tag("li", mark, div(tag("strong", check.name), div(check.words)), cls=check.mark)


def _fact(fact: Fact) -> Html:
    note = None if fact.note is None else span(fact.note, cls="report-beside")
    about = None if fact.about is None else span(fact.about, cls="report-about")
    return div(tag("dt", fact.name), tag("dd", span(fact.value, cls="value"), note, about))


def _card(card: Card) -> Html:
    lines = tag("ul", *(tag("li", each) for each in card.lines)) if card.lines else None
    head = div(span(card.name), span(card.note), cls="head")
    return div(head, div(card.value, cls="value"), lines, cls="report-card")


def _table(table: Table) -> Html:
    head = tag("tr", *(tag("th", each.head, scope="col", cls=_side(each)) for each in table.columns))
    rows = [
        tag("tr", *(tag("td", cell, cls=_side(column)) for cell, column in zip(row, table.columns, strict=True)))
        for row in table.rows
    ]
    grid = tag("table", tag("thead", head), tag("tbody", *rows), cls="report-table")
    note = None if table.note is None else tag("p", table.note, cls="report-note")
    # tabindex: what scrolls sideways can be scrolled by keys too
    scrolled = div(grid, cls="report-scroll", tabindex="0", role="region", aria_label=table.title)
    return div(tag("h3", table.title), scrolled, note, cls="report-table-block")


def _side(column: Column) -> str:
    return "number" if column.is_number else ""


@cache
def _style() -> str:
    colours = "; ".join(f"{name}: {value}" for name, value in light_colours().items())
    sheets = "\n".join((STATIC / name).read_text("utf-8") for name in ("report.css", "document.css"))
    return f":root {{ {colours} }}\n{sheets}"


def file_name(text: str) -> Data:
    """A name for a file, out of a title.

    >>> file_name('Spring: "A/B" test')
    'spring-a-b-test'
    """
    kept = "".join(each if each.isascii() and each.isalnum() else " " for each in text.lower())
    return Data("-".join(kept.split())[:80] or "report")
