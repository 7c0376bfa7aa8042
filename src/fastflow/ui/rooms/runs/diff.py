"""What a run differs in from another one: in its parts and in its result."""

import json
from collections.abc import Sequence
from typing import Any

from nicegui import ui

from fastflow.kernel.runs.domain.comparing import FileChange, RunDiff
from fastflow.kernel.runs.domain.run import Run, RunFilter
from fastflow.kernel.runs.service import RunService
from fastflow.kit.identity import Actor
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import card, empty, heading, lasting, short, status, when
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Phrase, Texts

_OFFERED = 20
_MOST_SHOWN = 500
_SIGNS = {"+": "line came", "-": "line gone", "@": "line muted"}


class DiffPage:
    """Builds the page.

    Args:
        runs: compares.
    """

    def __init__(self, runs: RunService) -> None:
        self._runs = runs

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t, other = page.t, page.query.get("with", "").strip()
        run, others, diff = await page.ask(self._look, page.params["run_id"], other, page.actor)
        ui.page_title(f"{t('diff.title')} · {run.pipeline_name} · Fast-Flow")
        trail = [
            (f"{BASE}/runs", t("runs.title")),
            (f"{BASE}/runs/{run.id}", t("artifact.of_run", pipeline=run.pipeline_name, id=short(run.id))),
        ]
        Fragment(
            join(
                heading(t("diff.title"), trail=trail),
                div(
                    div(_told(t, diff) if diff else div(empty("runs", t("diff.choose")), cls="card")),
                    div(_offered(t, run, others, diff)),
                    cls="columns",
                ),
            )
        )

    def _look(self, run_id: str, other: str, actor: Actor) -> tuple[Run, Sequence[Run], RunDiff | None]:
        run = self._runs.get(run_id, actor=actor)
        latest = self._runs.list(RunFilter(pipeline_name=run.pipeline_name), actor=actor, limit=_OFFERED + 1).items
        others = [each for each in latest if each.id != run.id][:_OFFERED]
        return run, others, self._runs.diff(other, run.id, actor=actor) if other else None


def _offered(t: Texts, run: Run, others: Sequence[Run], diff: RunDiff | None) -> Html:
    rows = [
        link(
            f"{BASE}/runs/{run.id}/diff?with={other.id}",
            span(status(t, other)),
            span(tag("code", short(other.id)), cls="main"),
            span(when(other.queued_at), cls="side"),
            cls="row",
            aria_current="true" if diff is not None and diff.left.id == other.id else None,
        )
        for other in others
    ]
    if not rows:
        return card(t("diff.others"), tag("p", t("diff.no_others"), cls="card-body muted"))
    return card(t("diff.others"), div(rows, cls="rows"))


def _told(t: Texts, diff: RunDiff) -> Html:
    found = [_differences(t, diff), _files(t, diff), _packages(t, diff)]
    shown = [each for each in found if each is not None]
    if not shown:
        shown = [div(empty("check", t("diff.same")), cls="card")]
    return join(_sides(t, diff), shown)


def _sides(t: Texts, diff: RunDiff) -> Html:
    def side(label: Phrase, run: Run) -> Html:
        return tag(
            "tr",
            tag("th", label, scope="row"),
            tag("td", link(f"{BASE}/runs/{run.id}", tag("code", short(run.id)))),
            tag("td", status(t, run)),
            tag("td", when(run.queued_at, "clock"), cls="muted"),
            tag("td", lasting(run.started_at, run.finished_at), cls="right"),
        )

    rows = [side(t("diff.left"), diff.left), side(t("diff.right"), diff.right)]
    return div(tag("table", tag("tbody", rows), cls="list"), cls="card table-wrap")


def _differences(t: Texts, diff: RunDiff) -> Html | None:
    if not diff.differences:
        return None
    rows = [
        tag("tr", tag("td", tag("code", Data(each.field))), _value(each.left, "gone"), _value(each.right, "came"))
        for each in diff.differences[:_MOST_SHOWN]
    ]
    return _compared(t, t("diff.fields"), t("diff.field"), rows)


def _files(t: Texts, diff: RunDiff) -> Html | None:
    if diff.files is None:
        return card(t("diff.files"), tag("p", t("diff.code_gone"), cls="card-body muted"))
    if not diff.files:
        return None
    rows = [
        tag(
            "tr",
            tag("td", tag("code", Data(each.path))),
            tag("td", t(f"diff.file_{each.kind}")),
            tag("td", span(Data(_lines(each.added_lines, "+")), cls="came"), Data(" "), span(Data(_lines(each.removed_lines, "−")), cls="gone"), cls="number"),
        )
        for each in diff.files[:_MOST_SHOWN]
    ]  # fmt: skip
    table = div(tag("table", tag("tbody", rows), cls="list dense"), cls="table-wrap")
    lines = [_changed_lines(t, each) for each in diff.files[:_MOST_SHOWN] if each.diff]
    return join(card(t("diff.files"), table), lines)


def _changed_lines(t: Texts, file: FileChange) -> Html:
    """The changed lines of a file; what was taken away and what came is told by its sign as well as by its colour."""
    shown = [
        span(Data(line + "\n"), cls=_SIGNS.get(line[:1], "line"))
        for line in (file.diff or "").split("\n")
    ]  # fmt: skip
    text = tag("pre", shown, cls="source changed", tabindex="0", aria_label=t("diff.lines_of", file=file.path))
    return card(Data(file.path), text, aside=span(t("diff.cut"), cls="muted") if file.is_cut else None)


def _packages(t: Texts, diff: RunDiff) -> Html | None:
    if diff.packages is None:
        return card(t("diff.packages"), tag("p", t("diff.environment_gone"), cls="card-body muted"))
    if not diff.packages:
        return None
    rows = [
        tag("tr", tag("td", tag("code", Data(each.name))), _value(each.left, "gone"), _value(each.right, "came"))
        for each in diff.packages[:_MOST_SHOWN]
    ]
    return _compared(t, t("diff.packages"), t("diff.package"), rows)


def _compared(t: Texts, title: Phrase, what: Phrase, rows: Sequence[Html]) -> Html:
    head = [tag("th", each, scope="col") for each in (what, t("diff.left"), t("diff.right"))]
    table = tag("table", tag("thead", tag("tr", head)), tag("tbody", rows), cls="list dense compared")
    return card(title, div(table, cls="table-wrap"))


def _value(value: Any, cls: str) -> Html:
    if value is None:
        return tag("td", span(Data("–"), cls="muted"))
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return tag("td", tag("code", Data(text), cls=cls))


def _lines(count: int | None, sign: str) -> str:
    return "" if count is None else f"{sign}{count}"
