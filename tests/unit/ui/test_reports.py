"""A report as a file of its own and on paper: whole, escaped, and the same bytes for the same content."""

import re
from html.parser import HTMLParser

import pytest

from fastflow.ui.plots import Axis, Line, Plot, bar_cell, draw
from fastflow.ui.reports.blocks import Block, Card, Cards, Column, Fact, Facts, Plots, Report, Section, Table, Text
from fastflow.ui.reports.colours import filled_in, light_colours
from fastflow.ui.reports.html import document, file_name
from fastflow.ui.reports.pdf import pdf, standing_alone
from fastflow.ui.texts import Data, Phrase

EVIL = Data('<script src="x">#import "y": * $a$ \\')


@pytest.fixture
def report() -> Report:
    axis = Axis(label=Phrase("Months"), low=0.0, high=1.0)
    lines = [Line(name=Data("a & b"), points=[(0.0, 1.0), (1.0, 0.2)]), Line(name=EVIL, points=[(0.0, 0.5)])]
    plot = Plot(title=Phrase("Survival"), told=Phrase("falls"), x=axis, y=axis, lines=lines)
    table = Table(
        title=Phrase("Rows"),
        columns=[Column(head=Phrase("Name")), Column(head=Phrase("n"), is_number=True), Column(head=Phrase("Bar"))],
        rows=[[EVIL, Data("3"), bar_cell(0.4)]],
        note=Phrase("A note."),
    )
    blocks: list[Block] = [
        Text(words=EVIL, kind="bad"),
        Facts(rows=[Fact(name=Phrase("AUC"), value=Data("0.8"), note=EVIL), Fact(name=Phrase("n"), value=Data("4"))]),
        Plots(plots=[plot, plot]),
        table,
        Cards(title=Phrase("Customers"), cards=[Card(name=EVIL, note=Data("-"), value=Data("9 %"), lines=[EVIL])]),
    ]
    section = Section(key="all", title=Phrase("Everything"), blocks=blocks)
    return Report(title=EVIL, about=Data("Experiment 3"), language="de", sections=[section])


class Elements(HTMLParser):
    """Counts what opens and closes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_document_when_made_then_it_needs_no_other_file_and_runs_nothing(report: Report) -> None:
    made = document(report)
    elements = Elements()
    elements.feed(made)
    assert not elements.open
    names = [name for name, _ in elements.seen]
    assert not {"script", "link", "img", "iframe", "object"} & set(names)
    assert not any(key in {"src", "href", "onload"} for _, attributes in elements.seen for key in attributes)
    assert "url(" not in made
    assert (names.count("svg"), names.count("table"), names.count("figure")) == (3, 1, 2)
    assert '<html lang="de">' in made


def test_document_when_styled_then_every_colour_that_it_names_is_in_it(report: Report) -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", document(report), re.DOTALL)
    assert set(re.findall(r"var\((--[a-z0-9-]+)\)", style)) <= set(re.findall(r"(--[a-z0-9-]+):", style))
    assert len(light_colours()) > 30


def test_pdf_when_made_twice_then_its_bytes_are_equal_and_nothing_in_it_was_taken_for_markup(report: Report) -> None:
    made = pdf(report)
    assert made.startswith(b"%PDF-")
    assert made == pdf(report)


def test_pdf_when_a_report_has_no_sections_then_it_is_a_page_all_the_same() -> None:
    empty = Report(title=Data("x"), about=Data("y"), language="en")
    assert pdf(empty).startswith(b"%PDF-")


def test_drawing_when_it_stands_alone_then_no_name_of_a_colour_is_left_in_it(report: Report) -> None:
    plots = next(block for block in report.sections[0].blocks if isinstance(block, Plots))
    made = standing_alone(draw(plots.plots[0]), "plot")
    assert "var(" not in made
    assert 'xmlns="http://www.w3.org/2000/svg"' in made


def test_colours_when_a_sheet_names_one_that_is_not_there_then_that_is_an_error() -> None:
    with pytest.raises(KeyError):
        filled_in("a { color: var(--nowhere) }", {})


@pytest.mark.parametrize(("title", "name"), [("Spring: A/B", "spring-a-b"), ("../../x", "x"), ("äöü", "report")])
def test_file_name_when_made_out_of_a_title_then_it_is_harmless(title: str, name: str) -> None:
    assert file_name(title) == name
