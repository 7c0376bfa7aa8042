"""What a query gave, as a table; or why it gave nothing."""

from typing import Any

from fastflow.apps.churn.errors import SqlRefused
from fastflow.apps.churn.ports_sql import SqlAnswer
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, join, span, tag
from fastflow.ui.parts import card, data_text, seconds
from fastflow.ui.texts import Data, Phrase, Texts

_LONGEST = 200
_NUMBERS = ("INT", "DOUBLE", "FLOAT", "DECIMAL", "REAL", "HUGEINT")


def answer_card(t: Texts, answer: SqlAnswer) -> Html:
    """The rows, how many and how quickly."""
    sides = ["right number" if any(word in column["type"] for word in _NUMBERS) else "" for column in answer.columns]
    heads = [
        tag("th", Data(column["name"]), scope="col", cls=side, title=column["type"].lower())
        for column, side in zip(answer.columns, sides, strict=True)
    ]
    rows = [tag("tr", *(_cell(cell, side) for cell, side in zip(row, sides, strict=True))) for row in answer.rows]
    told = t.count("sql.rows", len(answer.rows))
    more = t("sql.more") if answer.truncated else None
    took = span(
        join(Data(seconds(answer.elapsed_ms / 1000)), Data(" · "), told), cls="muted small-text number", role="status"
    )
    table = div(
        tag("table", tag("thead", tag("tr", heads)), tag("tbody", rows), cls="list dense"),
        cls="scrolled sql-rows",
        tabindex="0",
        role="region",
        aria_label=t("sql.answer"),
    )
    note = div(more, cls="card-body muted small-text") if more else None
    return card(t("sql.answer"), table if rows else div(t("sql.no_rows"), cls="card-body muted"), note, aside=took)


def _cell(cell: Any, side: str) -> Html:
    if cell is None:
        return tag("td", Data("NULL"), cls=f"{side} muted")
    text = data_text(cell)
    if len(text) > _LONGEST:
        return tag("td", Data(text[:_LONGEST] + "…"), cls=side, title=text[:5000])
    return tag("td", Data(text), cls=side)


def running(t: Texts, elapsed: int) -> Html:
    """That the query is computed, and since when."""
    return div(icon("clock"), span(t("sql.running", seconds=elapsed), cls="number"), cls="note", role="status")


def refusal(t: Texts, error: SqlRefused) -> Html:
    """What is wrong with the query, in the engine's words, and where."""
    line, column = error.extra.get("line"), error.extra.get("column")
    place: Phrase | None = None if line is None else t("sql.place", line=line, column=column)
    return div(
        icon("alert"),
        div(place, Data(" ") if place else None, as_told(t, error.message) if line is None else Data(error.message)),
        cls="note bad",
        role="alert",
    )
