"""What a run measured and used over its time, as curves; kept by the page and read on from where it was."""

from datetime import datetime

from fastflow.kernel.runs.domain.run import Run, RunEvent
from fastflow.kernel.runs.service import RunService
from fastflow.kit.identity import Actor
from fastflow.ui.charts import Curve, Point, chart, plain_number, thinned
from fastflow.ui.markup import Html, div, tag
from fastflow.ui.parts import card, seconds, size
from fastflow.ui.texts import Data, Texts

_MOST_CURVES = 24
_MOST_POINTS = 2000
_KINDS = ("metric", "sample")


class Curves:
    """The curves of one run, as a page has them.

    Args:
        runs: tell what the run told.
        run_id: which.
    """

    def __init__(self, runs: RunService, run_id: str) -> None:
        self._runs = runs
        self._run_id = run_id
        self._seen = 0
        self._begin: datetime | None = None
        self._metrics: dict[str, list[Point]] = {}
        self._memory: list[Point] = []
        self._cpu: list[Point] = []
        self._before: Point | None = None
        self.left_out = 0

    def look(self, actor: Actor, run: Run) -> None:
        """Take in what the run has told since."""
        self._begin = self._begin or run.started_at or run.claimed_at
        for event in self._runs.latest_events(self._run_id, _KINDS, actor=actor, after_id=self._seen):
            self._seen = event.id
            self._take(event)

    def _take(self, event: RunEvent) -> None:
        self._begin = self._begin or event.at
        at = max(0.0, (event.at - self._begin).total_seconds())
        if event.kind == "sample":
            self._take_sample(at, event)
            return
        for name, value in event.data.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            if name not in self._metrics and len(self._metrics) >= _MOST_CURVES:
                self.left_out += 1
                continue
            _add(self._metrics.setdefault(name, []), (at, float(value)))

    def _take_sample(self, at: float, event: RunEvent) -> None:
        memory, cpu = event.data.get("memory_bytes"), event.data.get("cpu_seconds")
        if isinstance(memory, int | float):
            _add(self._memory, (at, float(memory)))
        if isinstance(cpu, int | float):
            before, self._before = self._before or (0.0, 0.0), (at, float(cpu))
            if at > before[0]:
                _add(self._cpu, (at, max(0.0, (cpu - before[1]) / (at - before[0]))))

    def metrics(self, t: Texts) -> Html | None:
        """Metrics that were told more than once."""
        shown = [(name, points) for name, points in self._metrics.items() if len(points) > 1]
        if not shown:
            return None
        curves = [
            chart(t, Curve(name=Data(name), points=points, show=plain_number, show_time=seconds))
            for name, points in shown
        ]
        more = tag("p", t("runs.curves_left_out", n=_MOST_CURVES), cls="card-body muted") if self.left_out else None
        return card(t("runs.metric_curves"), div(curves, cls="charts"), more)

    def usage(self, t: Texts) -> Html | None:
        """Memory and processors, as the supervisor looked at them every few seconds."""
        curves = []
        if len(self._memory) > 1:
            curves.append(
                Curve(name=t("runs.memory_now"), points=self._memory, show=size, show_time=seconds, from_zero=True)
            )
        if len(self._cpu) > 1:
            curves.append(
                Curve(name=t("runs.cpu_now"), points=self._cpu, show=_cores, show_time=seconds, from_zero=True)
            )
        if not curves:
            return None
        return card(t("runs.usage"), div([chart(t, curve) for curve in curves], cls="charts"))


def _add(points: list[Point], point: Point) -> None:
    """One more; thinned out before they become too many for an open page."""
    points.append(point)
    if len(points) > _MOST_POINTS:
        points[:] = thinned(points, _MOST_POINTS // 2)


def _cores(value: float) -> str:
    return f"{value:.2f}"
