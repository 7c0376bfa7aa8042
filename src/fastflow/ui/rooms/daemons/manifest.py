"""The room of daemons: pipelines that are services, how each stands, and what can be done with it."""

from collections.abc import Sequence
from pathlib import Path

from fastflow.kernel.daemons.service import DaemonService
from fastflow.kernel.runs.service import RunService
from fastflow.ui.manifest import Manifest, NavEntry, PageSpec
from fastflow.ui.rooms.daemons.finding import find_daemons


def manifest(daemons: DaemonService, runs: RunService) -> Manifest:
    """What it brings."""

    def load() -> Sequence[PageSpec]:
        from fastflow.ui.rooms.daemons.detail import DaemonPage
        from fastflow.ui.rooms.daemons.table import DaemonTable

        return [
            PageSpec(path="/daemons", title="daemons.title", build=DaemonTable(daemons).build),
            PageSpec(path="/daemons/{name}", title="daemons.one_title", build=DaemonPage(daemons, runs).build),
        ]

    nav = NavEntry(path="/daemons", label="daemons.title", icon="daemon", order=42, key="v")
    return Manifest(
        name="daemons",
        texts=Path(__file__).parent / "texts.toml",
        load=load,
        nav=[nav],
        finders=[find_daemons(daemons)],
    )
