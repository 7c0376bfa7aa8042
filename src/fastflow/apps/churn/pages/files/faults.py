"""What is wrong with a file, as a table: line, column, problem."""

from fastflow.kit.errors import FastFlowError
from fastflow.ui.hints import as_told, problem_as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, span, tag
from fastflow.ui.parts import card
from fastflow.ui.shell.listing import head, table
from fastflow.ui.texts import Data, Texts


def faults_card(t: Texts, error: FastFlowError) -> Html:
    """Every fault that was told; the file as a whole has no line."""
    faults = error.extra.get("faults") or []
    count = int(error.extra.get("fault_count", len(faults)))
    note = div(icon("alert"), span(t.count("churn_files.refused", count)), cls="note bad flush", role="alert")
    if not faults:
        return card(t("churn_files.faults"), note, div(problem_as_told(t, error), cls="card-body"))
    rows = [
        tag(
            "tr",
            tag("td", _place(fault["line"]), cls="right number", data_label=t("churn_files.line")),
            tag("td", _place(fault["column"]), cls="mono"),
            tag("td", as_told(t, str(fault["problem"])), cls="wraps whole"),
        )
        for fault in faults
    ]
    heads = [head(t("churn_files.line"), "right"), head(t("churn_files.column")), head(t("churn_files.problem"))]
    more = t("churn_files.more_faults", n=f"{count - len(faults):,}") if count > len(faults) else None
    below = div(more, cls="card-body muted small-text") if more else None
    hint = div(as_told(t, error.hint), cls="card-body muted small-text") if error.hint else None
    return card(t("churn_files.faults"), note, table(heads, rows), below, hint)


def _place(part: object) -> Data:
    """A line or a column; a fault of the whole file has none."""
    return Data("–" if part is None else str(part))
