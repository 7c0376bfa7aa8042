"""A report on paper: typeset by Typst out of a template of ours; what reports hold is handed over as data, never as markup."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fastflow.ui.markup import Html
from fastflow.ui.plots import Plot, draw
from fastflow.ui.reports.blocks import Block, Card, Cards, Cell, Checks, Facts, Plots, Report, Table, Text
from fastflow.ui.reports.colours import STATIC, filled_in, light_colours

_TEMPLATE = Path(__file__).parent / "paper.typ"
_MAY_BREAK = "\u200b"
"""Names of columns are long words: in a narrow cell they go on in the next line."""
_FONT = "Libertinus Serif"
"""The typesetter brings it along: the same report gives the same bytes on every machine."""


def pdf(report: Report) -> bytes:
    """The report as PDF, A4; equal reports give equal bytes. Takes up to a second or two: call it in a thread."""
    import typst

    made = typst.compile(
        _TEMPLATE.read_bytes(),
        sys_inputs={"report": json.dumps(_report(report), ensure_ascii=False)},
        ignore_system_fonts=True,
    )
    assert isinstance(made, bytes)  # one file: PDF is not written page by page
    return made


def _report(report: Report) -> Mapping[str, Any]:
    sections = [
        {"title": section.title, "blocks": [_block(each) for each in section.blocks]} for section in report.sections
    ]
    return {"title": report.title, "about": report.about, "language": report.language, "sections": sections}


def _block(block: Block) -> Mapping[str, Any]:
    match block:
        case Text():
            return {"kind": "text", "words": block.words, "tone": block.kind}
        case Checks():
            rows = [[each.mark, each.told, each.name, each.words] for each in block.rows]
            return {"kind": "checks", "rows": rows}
        case Facts():
            return {
                "kind": "facts",
                "rows": [[each.name, each.value, each.note or "", each.about or ""] for each in block.rows],
            }
        case Table():
            return {
                "kind": "table",
                "title": block.title,
                "head": [each.head for each in block.columns],
                "numbers": [each.is_number for each in block.columns],
                "rows": [[_cell(cell) for cell in row] for row in block.rows],
                "note": block.note or "",
            }
        case Plots():
            return {"kind": "plots", "plots": [_plot(each) for each in block.plots]}
        case Cards():
            return {"kind": "cards", "title": block.title, "cards": [_card(each) for each in block.cards]}


def _plot(plot: Plot) -> Mapping[str, Any]:
    colours = light_colours()
    legend = [[colours["--muted" if number == 0 else f"--series-{number}"], name] for number, name in plot.legend]
    return {
        "title": plot.title,
        "about": plot.about or "",
        "svg": standing_alone(draw(plot), "plot"),
        "legend": legend,
        "told": plot.told,
    }


def _card(card: Card) -> Mapping[str, Any]:
    return {"name": card.name, "note": card.note, "value": card.value, "lines": list(card.lines)}


def _cell(cell: Cell) -> Mapping[str, str]:
    if isinstance(cell, Html):
        return {"svg": standing_alone(cell, "cells")}
    return {"words": cell.replace("_", f"_{_MAY_BREAK}")}


def standing_alone(drawing: Html, cls: str) -> str:
    """A drawing as a file of its own, with its colours in it.

    Args:
        drawing: an `svg` element.
        cls: the class that the style sheet expects around it.
    """
    head, _, rest = drawing.partition(">")
    inside = rest.removesuffix("</svg>")
    return f'{head} xmlns="http://www.w3.org/2000/svg"><style>{_style()}</style><g class="{cls}">{inside}</g></svg>'


@cache
def _style() -> str:
    return filled_in((STATIC / "report.css").read_text("utf-8"), {"--sans": f'"{_FONT}"', "--muted": "#52525b"})
