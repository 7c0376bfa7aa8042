"""The room of repositories."""

from collections.abc import Sequence
from pathlib import Path

from fastflow.kernel.sync.service import SyncService
from fastflow.ui.manifest import Manifest, NavEntry, PageSpec


def manifest(syncs: SyncService) -> Manifest:
    """What it brings: how repositories stand, and each sync with its progress and its plan."""

    def load() -> Sequence[PageSpec]:
        from fastflow.ui.rooms.sync.detail import SyncPage
        from fastflow.ui.rooms.sync.status import StatusPage

        return [
            PageSpec(path="/sync", title="sync.title", build=StatusPage(syncs).build),
            PageSpec(path="/sync/{sync_id}", title="sync.one_title", build=SyncPage(syncs).build),
        ]

    nav = NavEntry(path="/sync", label="sync.title", icon="sync", order=70, key="y")
    return Manifest(name="sync", texts=Path(__file__).parent / "texts.toml", load=load, nav=[nav])
