"""Assembles syncing: the active versions that the catalogue reads, the services, and the syncer for the runner process."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastflow.kernel.db.engine import Database
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.pipelines.infra.archives import SharedSnapshots
from fastflow.kernel.pipelines.infra.folder import PipelinesFolder
from fastflow.kernel.pipelines.infra.snapshots import DiskSnapshots
from fastflow.kernel.pipelines.ports import CodeSource, Sources
from fastflow.kernel.runs.wiring import read_host_id
from fastflow.kernel.sync.domain.repository import SETTINGS_NAME, Definition, Repository
from fastflow.kernel.sync.domain.together import Followers, GraphJudge, LeftBehind
from fastflow.kernel.sync.infra.active import ActiveSources, FixedSources, HiddenSources
from fastflow.kernel.sync.infra.credentials import SecretCredentials, Secrets
from fastflow.kernel.sync.infra.git import Git
from fastflow.kernel.sync.infra.github_app import PUBLIC_API, GitHubTokens
from fastflow.kernel.sync.infra.mirror import GitRemote
from fastflow.kernel.sync.infra.repository_store import SqlRepositoryStore
from fastflow.kernel.sync.infra.sync_store import SqlSyncStore
from fastflow.kernel.sync.ports import Code, Environments, Expect, Flows, Runs, Schedules, WakeUp
from fastflow.kernel.sync.service import (
    Planner,
    RepositoryService,
    Switcher,
    Syncer,
    SyncService,
    SyncWork,
    WebhookService,
)
from fastflow.kit.clock import Clock, SystemClock
from fastflow.kit.ids import new_id

Snapshots = DiskSnapshots | SharedSnapshots


@dataclass(frozen=True, kw_only=True)
class SyncRules:
    """The installation's own rules, as plain values.

    Attributes:
        protocols: schemes that are fetched by.
        seconds: how long one command of Git may take.
        max_bytes: of a repository, and of the files of one commit.
        interval: seconds between two looks at a repository that has none of its own; None: never.
        preheat: build environments before a version becomes active.
    """

    protocols: tuple[str, ...] = ("https", "ssh")
    seconds: float = 300.0
    max_bytes: int = 500 * 2**20
    interval: float | None = None
    preheat: bool = True
    github_api_url: str = PUBLIC_API
    github_app_id: str | None = None
    github_installation_id: str | None = None
    github_private_key_path: Path | None = None


@dataclass(frozen=True, kw_only=True)
class SyncRoom:
    """The services of the room, and what makes its syncer."""

    repositories: RepositoryService
    syncs: SyncService
    webhooks: WebhookService
    work: SyncWork
    switcher: Switcher
    repository_store: SqlRepositoryStore
    store: SqlSyncStore
    rules: SyncRules
    clock: Clock

    def adopt(self, definition: Definition | None) -> Repository | None:
        """Bring the repository that the settings describe to what they say; None: they describe none."""
        return self.repositories.adopt(definition, SETTINGS_NAME)

    def make_syncer(self) -> Syncer:
        """What carries out syncs, in the runner."""
        return Syncer(
            work=self.work,
            service=self.syncs,
            repositories=self.repository_store,
            syncs=self.store,
            switcher=self.switcher,
            interval=self.rules.interval,
            clock=self.clock,
        )


def build_sources(database: Database, *, is_hidden: bool = False) -> ActiveSources:
    """The active versions of repositories, as the catalogue reads them; hidden, it sees none of them."""
    return HiddenSources(database) if is_hidden else ActiveSources(database)


def build_sync(
    database: Database,
    *,
    sources: ActiveSources,
    snapshots: Snapshots,
    pipelines: Code,
    preview: Callable[[Sources], Code],
    environments: Environments,
    schedules: Schedules,
    runs: Runs,
    flows: Flows,
    secrets: Secrets,
    wakeup: WakeUp,
    expect: Expect,
    data_dir: Path,
    rules: SyncRules,
    graph_judges: Sequence[GraphJudge] = (),
    followers: Followers = lambda _pipelines: {},
    left_behind: LeftBehind = lambda _gone: (),
    is_elsewhere: Callable[[Pipeline], bool] = lambda _pipeline: False,
    why_not: Callable[[], str | None] = lambda: None,
    is_on_nodes: Callable[[Pipeline], bool] = lambda _pipeline: False,
    clock: Clock | None = None,
) -> SyncRoom:
    """Syncing on the product's database.

    Args:
        database: migrated.
        sources: as the catalogue reads them.
        snapshots: the copies of code.
        pipelines: the catalogue.
        preview: the catalogue as it would be with other sources.
        environments: resolves and builds.
        schedules: what code declares of them.
        runs: stops runs.
        flows: ends what waits in them.
        secrets: has credentials.
        wakeup: tells the other processes.
        expect: hears from them.
        data_dir: its folder `git` holds mirrors; its id tells this server from others.
        rules: the installation's.
        graph_judges: look at all pipelines together.
        followers: finds what runs after what.
        left_behind: tells what else hangs on pipelines that go.
        is_elsewhere: tells the pipelines whose runs start from an image.
        why_not: what speaks against building anything now.
        is_on_nodes: tells the pipelines whose environments are made by a cluster's nodes.
        clock: None: the machine's own.
    """
    clock = clock or SystemClock()
    store, repository_store = SqlSyncStore(database), SqlRepositoryStore(database)
    remote = _remote(data_dir / "git", snapshots, rules)
    credentials = SecretCredentials(
        secrets,
        GitHubTokens(rules.github_api_url, clock),
        app_id=rules.github_app_id,
        installation_id=rules.github_installation_id,
        private_key_path=rules.github_private_key_path,
    )

    def preview_of(active: Sequence[CodeSource]) -> Code:
        return preview(FixedSources(active))

    planner = Planner(
        code=pipelines,
        preview=preview_of,
        sources=sources,
        environments=environments,
        schedules=schedules,
        store=store,
        graph_judges=graph_judges,
        followers=followers,
        left_behind=left_behind,
        is_elsewhere=is_elsewhere,
        why_not=why_not,
        is_on_nodes=is_on_nodes,
    )
    switcher = Switcher(
        store=store,
        code=pipelines,
        schedules=schedules,
        runs=runs,
        flows=flows,
        wakeup=wakeup,
        changed=sources.forget,
        clock=clock,
    )
    repositories = RepositoryService(
        store=repository_store,
        syncs=store,
        remote=remote,
        credentials=credentials,
        planner=planner,
        switcher=switcher,
        wakeup=wakeup,
        clock=clock,
        protocols=rules.protocols,
    )
    syncs = SyncService(
        store=store,
        repositories=repositories,
        repository_store=repository_store,
        remote=remote,
        find_copy=snapshots.find,
        planner=planner,
        switcher=switcher,
        wakeup=wakeup,
        expect=expect,
        clock=clock,
    )
    return SyncRoom(
        repositories=repositories,
        syncs=syncs,
        webhooks=WebhookService(repository_store, credentials, syncs, clock),
        work=SyncWork(
            owner=f"{read_host_id(data_dir)}/{new_id()}",
            syncs=store,
            repositories=repository_store,
            remote=remote,
            credentials=credentials,
            find_copy=snapshots.find,
            planner=planner,
            switcher=switcher,
            wakeup=wakeup,
            clock=clock,
            preheat=rules.preheat,
        ),
        switcher=switcher,
        repository_store=repository_store,
        store=store,
        rules=rules,
        clock=clock,
    )


def _remote(folder: Path, snapshots: Snapshots, rules: SyncRules) -> GitRemote:
    path_variable = os.environ.get("PATH", os.defpath)  # noqa: TID251 - where Git is found
    return GitRemote(
        folder,
        Git(folder / "home", path_variable=path_variable, protocols=rules.protocols, seconds=rules.seconds),
        snapshots,
        is_shared=snapshots.is_shared if isinstance(snapshots, SharedSnapshots) else None,
        max_bytes=rules.max_bytes,
    )


def look_at_sync(database: Database) -> tuple[Sequence[Repository], Sequence[str]]:
    """The repositories there are, and the names of those of which something is active, for who only looks."""
    repositories = SqlRepositoryStore(database).load_page(after="", limit=500)
    return repositories, [version.repository for version in SqlSyncStore(database).load_active()]


def is_in_repository(database: Database, data_dir: Path, name: str) -> bool:
    """Whether an active version has a pipeline of that name, as far as its files are on this machine; for who only looks."""
    for source in ActiveSources(database).active():
        copy = DiskSnapshots(data_dir / "code").find(source.tree_hash)
        if copy is not None and PipelinesFolder(copy, source).locate(name) is not None:
            return True
    return False
