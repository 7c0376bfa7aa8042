"""What syncing needs of others: its stores, Git, the credentials, the catalogue, environments, schedules and runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from fastflow.kernel.environments.domain.environment import Environment, EnvironmentCard, EnvironmentRequest, Readiness
from fastflow.kernel.pipelines.domain.faults import Fault
from fastflow.kernel.pipelines.domain.pipeline import FrozenPipeline, Pipeline
from fastflow.kernel.pipelines.ports import CodeSource, Located
from fastflow.kernel.schedules.domain.schedule import Schedule
from fastflow.kernel.schedules.service.declared import DeclaredChange
from fastflow.kernel.sync.domain.repository import Definition, Repository
from fastflow.kernel.sync.domain.sync import ActiveVersion, NewEvent, Sync, SyncEvent, SyncState
from fastflow.kit.errors import FastFlowError
from fastflow.kit.identity import Actor
from fastflow.kit.secret_text import SecretText

WAKE_MESSAGE = "sync"
"""Tells the runner: look at what is to be synced."""
EVENT_MESSAGE = "sync {}"
"""Tells the web processes: this sync told something."""

# -- stores -------------------------------------------------------------------------------------------------------------


class RepositoryStore(Protocol):
    """Repositories; each change is one transaction with its audit entry."""

    def add(self, repository: Repository, *, actor: Actor) -> Repository:
        """Keep a new one.

        Raises:
            RepositoryExists: the name is taken.
        """
        ...

    def change(self, name: str, definition: Definition, **values: Any) -> Repository | None:
        """Give it another description; `values` hold `actor`, `at`, `origin` and `next_sync_at`. None: there is none."""
        ...

    def delete(self, name: str, *, actor: Actor, at: datetime) -> bool:
        """Remove it; what it has active must be taken out before. Whether it was there."""
        ...

    def find(self, name: str) -> Repository | None:
        """The repository; None when there is none."""
        ...

    def load_page(self, *, after: str, limit: int) -> Sequence[Repository]:
        """At most `limit` by name, after the given one."""
        ...

    def note_check(self, name: str, *, at: datetime, commit: str | None, problem: str | None) -> None:
        """Note what its host said: the branch's commit, or what kept it from being found out."""
        ...

    def take_due(self, now: datetime, default_interval: float | None, *, limit: int) -> Sequence[Repository]:
        """Take those whose time has come, moved on by their interval: no other server takes them as well."""
        ...

    def take_delivery(self, name: str, digest: str, *, at: datetime, forget_before: datetime) -> bool:
        """Note a webhook's delivery; False: it was taken before. Older ones than an instant are forgotten."""
        ...


class SyncStore(Protocol):
    """Syncs, what they tell, and the versions that are active."""

    def request(self, sync: Sync, *, actor: Actor) -> Sync:
        """Put it into the queue, audited; one that waits for the same repository and would do the same is answered
        instead."""
        ...

    def claim(self, owner: str, now: datetime, *, only: str | None = None) -> Sync | None:
        """Take the oldest one that waits, or whose server is silent, of a repository that nobody works on; under a lease.

        Args:
            owner: `host/process`; an earlier process of the same host has no lease any more.
            now: aware.
            only: the id of the one that is wanted; None: any.
        """
        ...

    def renew(self, sync_id: str, owner: str, now: datetime) -> bool:
        """Make the lease last on; False: it is lost."""
        ...

    def note(self, sync_id: str, owner: str, **values: Any) -> None:
        """Write what was found out: `commit`, `subject`, `author`, `tree_hash`, `plan`.

        Raises:
            SyncLost: the lease is lost.
        """
        ...

    def end(
        self,
        sync_id: str,
        owner: str,
        state: SyncState,
        why: str,
        *,
        at: datetime,
        problem: FastFlowError | None = None,
    ) -> None:
        """End one that activates nothing, with its `end` event and the code and fields of its problem. Raises as `note`."""
        ...

    def activate(
        self, sync: Sync, owner: str | None, actor: Actor, *, at: datetime, why: str, removed: Sequence[str]
    ) -> Sequence[str]:
        """Make the sync's commit the active version of its repository, or with action `remove` none; end the sync; hold
        what was rolled back from: all in one transaction.

        Args:
            sync: with commit, copy and plan.
            owner: of the lease; None inserts the sync as a new one that has ended (a rollback).
            actor: who asked.
            at: aware.
            why: the outcome in words.
            removed: pipelines that go: unless the sync is forced, none of their runs may wait or run.

        Returns:
            The ids of such runs, which hinder it, and nothing was changed; empty: it is done.

        Raises:
            SyncLost: the lease is lost.
            SyncOvertaken: the active version is not the one that the plan compares with.
        """
        ...

    def mark_settled(self, sync_id: str, at: datetime) -> None:
        """Note that what follows from the activation is done."""
        ...

    def load_unsettled(self) -> Sequence[Sync]:
        """Activations of which something is still to be done."""
        ...

    def find(self, sync_id: str) -> Sync | None:
        """The sync."""
        ...

    def load_page(self, repository: str | None, *, before_id: str | None, limit: int) -> Sequence[Sync]:
        """At most `limit`, latest first, older than the given one."""
        ...

    def load_current(self) -> Mapping[str, Sync]:
        """By repository: the one under way, else the latest."""
        ...

    def find_version(self, repository: str, commit: str | None) -> Sync | None:
        """The latest activation, other than the active one, of a commit given by its beginning; None: of another commit."""
        ...

    def find_refusal(self, repository: str, commit: str, *, since: datetime) -> bool:
        """Whether the commit was refused since an instant."""
        ...

    def load_active(self) -> Sequence[ActiveVersion]:
        """The active versions, by repository."""
        ...

    def load_active_runs(self, pipelines: Sequence[str], *, limit: int) -> Mapping[str, Sequence[str]]:
        """By pipeline: the ids of its runs that wait or run, of those that have any."""
        ...

    def add_events(self, sync_id: str, events: Sequence[NewEvent]) -> None:
        """Keep what it tells."""
        ...

    def load_events(self, sync_id: str, *, after_id: int, limit: int) -> Sequence[SyncEvent]:
        """Events in order, after an id."""
        ...

    def forget(self, before: datetime) -> int:
        """Remove the events of syncs that ended before an instant; how many."""
        ...


# -- the outside --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What convinces a repository's host; never log, store or send it elsewhere.

    Attributes:
        password: or token.
        private_key: for SSH.
    """

    username: str = ""
    password: SecretText | None = None
    private_key: SecretText | None = None
    host_keys: str = ""


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A commit that is here now."""

    commit: str
    subject: str
    author: str


@dataclass(frozen=True, kw_only=True)
class CheckedOut:
    """An immutable copy of a commit's files.

    Attributes:
        tree_hash: of the copy; None: it was not made, because of faults.
        faults: what cannot be taken: links that lead outside, submodules, files kept by LFS.
    """

    tree_hash: str | None
    faults: Sequence[Fault]


class Stop(Protocol):
    """Tells work in a thread that nobody waits for it any more."""

    def is_set(self) -> bool:
        """Whether it is to end."""
        ...


class Remote(Protocol):
    """Git: what is here of the repositories. Every method may take long; one process at a time works on a repository."""

    def ask(self, repository: Definition, credentials: Credentials, stop: Stop) -> str:
        """The branch's commit at the host; nothing is fetched.

        Raises:
            RemoteUnreachable, RemoteGone, RemoteDenied, BranchNotFound, GitMissing, GitFailed: it cannot be found out.
        """
        ...

    def fetch(self, repository: Definition, credentials: Credentials, stop: Stop) -> Fetched:
        """Bring the branch's commit here, whatever was here before. Raises as `ask`, and CodeTooLarge."""
        ...

    def check_out(self, repository: Definition, commit: str, stop: Stop) -> CheckedOut:
        """Make an immutable copy of the commit's files below the repository's subfolder.

        Raises:
            CodeTooLarge: they are more than is taken.
            CodeUnusable: there is no such subfolder.
            GitFailed: the commit is not here.
        """
        ...

    def forget(self, name: str) -> None:
        """Remove what is here of the repository; copies stay. Idempotent."""
        ...


class CredentialSource(Protocol):
    """Where credentials come from."""

    def find(self, repository: Definition) -> Credentials:
        """The repository's credentials, fresh.

        Raises:
            NotFound, Forbidden, InvalidInput, Unavailable: they cannot be had; the message says why, without them.
        """
        ...

    def webhook_secret(self, repository: Definition) -> SecretText | None:
        """What its host signs with; None: nothing is agreed.

        Raises:
            NotFound, Forbidden: the named secret is gone, or pipelines may read it.
        """
        ...

    def check(self, definition: Definition) -> Mapping[str, str]:
        """What is wrong with the secrets that the definition names, by field."""
        ...


# -- rooms below --------------------------------------------------------------------------------------------------------


class Code(Protocol):
    """A catalogue of pipelines: as it is, or as it would be."""

    def places(self) -> Sequence[Located]:
        """Where every pipeline is."""
        ...

    def digests(self, located: Located) -> Mapping[str, str]:
        """Path -> content and mode of the pipeline's files."""
        ...

    def list(self) -> Sequence[Pipeline]:
        """Every pipeline, perhaps with faults."""
        ...

    def look(self, name: str) -> Pipeline:
        """The pipeline, perhaps with faults."""
        ...

    def freeze(self, name: str) -> FrozenPipeline:
        """The pipeline with an immutable copy of its code."""
        ...

    def environment(self, pipeline: Pipeline) -> EnvironmentRequest:
        """What it asks of the environments, to look it up by."""
        ...


Preview = Callable[[Sequence[CodeSource]], Code]
"""The catalogue as it would be with these versions of repositories."""


class Environments(Protocol):
    """Resolving and building."""

    def resolved_hash(self, request: EnvironmentRequest) -> str | None:
        """The hash the request leads to, as far as it is known."""
        ...

    def readiness(self, requests: Sequence[EnvironmentRequest]) -> Sequence[Readiness]:
        """How far each is."""
        ...

    async def lock(self, request: EnvironmentRequest, on_line: Callable[[str], None] | None = None) -> EnvironmentCard:
        """Resolve; raises SetupFailed."""
        ...

    async def ensure(self, request: EnvironmentRequest, on_line: Callable[[str], None] | None = None) -> Environment:
        """Build; raises SetupFailed."""
        ...

    def lock_text(self, environment: str) -> str | None:
        """The lock of an environment, if it is known."""
        ...


class Schedules(Protocol):
    """Schedules, as far as code brings and takes them."""

    def plan(self, pipelines: Sequence[Pipeline] | None = None) -> Sequence[DeclaredChange]:
        """What the declarations of these pipelines would change."""
        ...

    def present(self, pipelines: Sequence[str]) -> Sequence[Schedule]:
        """The schedules of these pipelines, whoever made them."""
        ...

    def drop(self, pipelines: Sequence[str], *, actor: Actor) -> Sequence[Schedule]:
        """Remove what these pipelines, which are gone, declared; what was removed. Idempotent."""
        ...


class Runs(Protocol):
    """Stopping runs."""

    def cancel(self, run_id: str, *, actor: Actor, reason: str | None = None) -> Any:
        """End a run; raises RunEnded when it has ended already."""
        ...


class EndedStep(Protocol):
    """A step of a flow of which something was ended."""

    @property
    def flow_id(self) -> str:
        """The flow's, or the backfill's."""
        ...

    @property
    def name(self) -> str:
        """The pipeline's."""
        ...


class Flows(Protocol):
    """Ending what waits in flows."""

    def end_removed(self, pipelines: Sequence[str], *, actor: Actor, why: str) -> Sequence[EndedStep]:
        """End the waiting steps of pipelines that are gone. Idempotent."""
        ...


class WakeUp(Protocol):
    """Signals; a lost one is made good by polling."""

    def wake_runner(self, message: str) -> None:
        """Tell the runners."""
        ...

    def tell_web(self, message: str) -> None:
        """Tell the web processes."""
        ...


class Expectation(Protocol):
    """An interest in one message."""

    async def wait(self, seconds: float) -> bool:
        """Whether the message came; waits for it at most so long."""
        ...

    def close(self) -> None:
        """End the interest."""
        ...


Expect = Callable[[str], Expectation]
FindCopy = Callable[[str], Path | None]
"""The folder of a copy, by its hash."""
