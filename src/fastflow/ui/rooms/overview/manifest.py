"""The first page."""

from collections.abc import Sequence
from pathlib import Path

from fastflow.kernel.failures.service import FailureService
from fastflow.kernel.flows.service import FlowService
from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kernel.runs.service import RunService
from fastflow.kernel.schedules.service import ScheduleService
from fastflow.kit.clock import Clock
from fastflow.ui.manifest import Manifest, NavEntry, PageSpec


def manifest(
    runs: RunService,
    failures: FailureService,
    schedules: ScheduleService,
    pipelines: PipelineCatalog,
    flows: FlowService,
    data_dir: Path,
    clock: Clock,
) -> Manifest:
    """What it brings: the overview."""

    def load() -> Sequence[PageSpec]:
        from fastflow.ui.rooms.overview.heat import HeatMap
        from fastflow.ui.rooms.overview.pages import OverviewPage
        from fastflow.ui.rooms.overview.snapshot import Overview

        overview = Overview(runs, failures, schedules, pipelines, flows, data_dir, clock)
        page = OverviewPage(overview, HeatMap(runs, clock), runs)
        return [PageSpec(path="/", title="overview.title", build=page.build)]

    nav = NavEntry(path="/", label="overview.title", icon="overview", order=10, key="h")
    return Manifest(name="overview", texts=Path(__file__).parent / "texts.toml", load=load, nav=[nav])
