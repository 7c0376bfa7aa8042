"""The list of pipelines: how far each is, and how its last runs went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from urllib.parse import quote

from fastflow.kernel.environments.domain.environment import Readiness
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kernel.runs.domain.run import Run, RunFilter
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.service import RunService
from fastflow.kit.identity import Actor
from fastflow.ui.markup import Child, Html, div, link, span, tag
from fastflow.ui.parts import empty, heading, kind_of, pill, seconds, when
from fastflow.ui.rooms.pipelines.manifest import States
from fastflow.ui.shell.listing import head, table_card
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts

LAST = 20
_SHOWN_IN_DETAIL = 200
"""So many pipelines get their last runs read; a list longer than that is searched, not looked through."""
_TALLEST = 22


@dataclass(frozen=True, kw_only=True)
class Row:
    """A pipeline with what surrounds it; the runs are the latest first."""

    pipeline: Pipeline
    readiness: Readiness | None
    runs: Sequence[Run]


class PipelineTable:
    """Builds the page.

    Args:
        catalog: the pipelines.
        states: how far their environments are.
        runs: their runs.
    """

    def __init__(self, catalog: PipelineCatalog, states: States, runs: RunService) -> None:
        self._catalog = catalog
        self._states = states
        self._runs = runs

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t = page.t
        rows = await page.ask(self._look, page.actor)
        Fragment(heading(t("pipelines.title")))
        shown = Fragment(_table(t, rows))

        async def refresh() -> None:
            shown.show(_table(t, await page.ask(self._look, await page.who())))

        page.live(refresh)

    def _look(self, actor: Actor) -> Sequence[Row]:
        pipelines = [pipeline for pipeline in self._catalog.list_all() if actor.may_touch(pipeline.name)]
        states = self._states(pipelines)
        return [
            Row(
                pipeline=pipeline,
                readiness=states.get(pipeline.name),
                runs=self._last_runs(pipeline, actor) if number < _SHOWN_IN_DETAIL else (),
            )
            for number, pipeline in enumerate(pipelines)
        ]

    def _last_runs(self, pipeline: Pipeline, actor: Actor) -> Sequence[Run]:
        return self._runs.list(RunFilter(pipeline_name=pipeline.name), actor=actor, limit=LAST).items


def _table(t: Texts, rows: Sequence[Row]) -> Html:
    if not rows:
        return div(empty("pipelines", t("pipelines.none"), t("pipelines.none_hint")), cls="card")
    heads = [
        head(t("pipelines.name")),
        head(t("pipelines.state")),
        head(t("pipelines.recent"), "wide-only"),
        head(t("pipelines.success"), "right wide-only"),
        head(t("pipelines.typical"), "right wide-only"),
        head(t("pipelines.last")),
    ]
    return table_card(heads, [_row(t, row) for row in rows])


def _row(t: Texts, row: Row) -> Html:
    pipeline, runs = row.pipeline, row.runs
    path = f"{BASE}/pipelines/{quote(pipeline.name, safe='')}"
    about = (
        div(Data(pipeline.description), cls="muted cut wide-only", style="max-width: 44ch")
        if pipeline.description
        else None
    )
    last: Child = when(runs[0].queued_at) if runs else t("pipelines.never")
    return tag(
        "tr",
        tag("td", link(path, Data(pipeline.name), cls="first"), _shipped(t, pipeline), about),
        tag("td", state(t, pipeline, row.readiness)),
        tag("td", spark(t, runs), cls="wide-only"),
        tag("td", Data(success_rate(pipeline, runs)), cls="right number wide-only"),
        tag("td", Data(typical(runs)), cls="right number wide-only"),
        tag("td", last, cls="muted"),
        data_href=path,
    )


def _shipped(t: Texts, pipeline: Pipeline) -> Html | None:
    if pipeline.workbench is None:
        return None
    return span(t("pipelines.shipped", name=pipeline.workbench), cls="tag", style="margin-left: 8px")


def state(t: Texts, pipeline: Pipeline, readiness: Readiness | None) -> Html:
    """How far the pipeline is; one that asks for no environment here is as ready as it will be."""
    if not pipeline.is_healthy:
        return pill("bad", t("pipelines.state_broken"))
    known: Mapping[str, tuple[str, str]] = {
        "ready": ("good", "ready"),
        "building": ("runs", "building"),
        "not built": ("still", "not_built"),
        "failed": ("bad", "failed"),
    }
    kind, key = known[readiness.state if readiness else "ready"]
    return pill(kind, t(f"pipelines.state_{key}"))


def spark(t: Texts, runs: Sequence[Run]) -> Html:
    """The last runs, the latest on the right: their colour tells how they went, their height how long they took."""
    longest = max((_length(run) for run in runs), default=0.0) or 1.0
    bars = [
        tag("i", cls=kind_of(run), style=f"height: {max(4, round(_TALLEST * _length(run) / longest))}px")
        for run in reversed(runs)
    ]
    return span(bars, cls="spark", role="img", aria_label=t("pipelines.recent"))


def success_rate(pipeline: Pipeline, runs: Sequence[Run]) -> str:
    """Of those that ended by themselves; none of a daemon, which is not meant to end."""
    if pipeline.daemon is not None:
        return "–"
    judged = [run for run in runs if run.has_ended and run.reason != "cancelled"]
    good = sum(1 for run in judged if run.status is RunStatus.SUCCESS)
    return f"{100 * good / len(judged):.0f} %" if judged else "–"


def typical(runs: Sequence[Run]) -> str:
    """The median of those that went well."""
    lengths = [_length(run) for run in runs if run.status is RunStatus.SUCCESS]
    return seconds(median(lengths)) if lengths else "–"


def _length(run: Run) -> float:
    if run.started_at is None or run.finished_at is None:
        return 0.0
    return (run.finished_at - run.started_at).total_seconds()
