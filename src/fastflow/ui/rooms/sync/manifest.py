"""The room of repositories."""

from collections.abc import Sequence
from pathlib import Path

from fastflow.kernel.sync.service import RepositoryService, SyncService
from fastflow.ui.manifest import Manifest, NavEntry, PageSpec
from fastflow.ui.rooms.sync.finding import find_repositories


def manifest(syncs: SyncService, repositories: RepositoryService) -> Manifest:
    """What it brings: how repositories stand, what they are, and each sync with its progress and its plan."""

    def load() -> Sequence[PageSpec]:
        from fastflow.ui.rooms.sync.detail import SyncPage
        from fastflow.ui.rooms.sync.form import RepositoryForms
        from fastflow.ui.rooms.sync.status import StatusPage

        forms = RepositoryForms(repositories)
        return [
            PageSpec(path="/sync", title="sync.title", build=StatusPage(syncs).build),
            PageSpec(path="/sync/-/new", title="sync.new", build=forms.build_new),
            PageSpec(path="/sync/repositories/{name}", title="sync.repository", build=forms.build_edit),
            PageSpec(path="/sync/{sync_id}", title="sync.one_title", build=SyncPage(syncs).build),
        ]

    nav = NavEntry(path="/sync", label="sync.title", icon="sync", order=70, key="y")
    return Manifest(
        name="sync",
        texts=Path(__file__).parent / "texts.toml",
        load=load,
        nav=[nav],
        finders=[find_repositories(repositories)],
    )
