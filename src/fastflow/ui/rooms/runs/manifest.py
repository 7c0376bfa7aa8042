"""The room of runs."""

from collections.abc import Sequence
from pathlib import Path

from fastflow.kernel.failures.service import FailureService, LetterService
from fastflow.kernel.flows.service import FlowService
from fastflow.kernel.runs.log_service import LogService
from fastflow.kernel.runs.service import RunService
from fastflow.kit.clock import Clock
from fastflow.ui.manifest import Manifest, NavEntry, PageSpec
from fastflow.ui.rooms.runs.finding import find_runs


def manifest(
    runs: RunService,
    logs: LogService,
    failures: FailureService,
    letters: LetterService,
    flows: FlowService,
    clock: Clock,
) -> Manifest:
    """What it brings: the table of runs, and each run."""

    def load() -> Sequence[PageSpec]:
        from fastflow.ui.rooms.runs.artifact import ArtifactPage
        from fastflow.ui.rooms.runs.bulk import BulkRuns
        from fastflow.ui.rooms.runs.detail import RunPage
        from fastflow.ui.rooms.runs.diff import DiffPage
        from fastflow.ui.rooms.runs.table import RunTable

        return [
            PageSpec(
                path="/runs", title="runs.title", build=RunTable(runs, BulkRuns(runs, letters), flows, clock).build
            ),
            PageSpec(path="/runs/{run_id}", title="runs.run_title", build=RunPage(runs, logs, failures, flows).build),
            PageSpec(path="/runs/{run_id}/diff", title="diff.title", build=DiffPage(runs).build),
            PageSpec(path="/runs/{run_id}/artifact", title="artifact.preview", build=ArtifactPage(runs, logs).build),
        ]

    nav = NavEntry(path="/runs", label="runs.title", icon="runs", order=30, key="r")
    return Manifest(
        name="runs", texts=Path(__file__).parent / "texts.toml", load=load, nav=[nav], finders=[find_runs(runs)]
    )
