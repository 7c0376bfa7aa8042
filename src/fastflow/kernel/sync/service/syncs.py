"""Syncs as people ask for them and look at them: by hand, back to an earlier version, status, history, live."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastflow.kernel.sync.domain.errors import NoRepository, SyncNotFound, SyncRefused, VersionNotFound
from fastflow.kernel.sync.domain.repository import Repository
from fastflow.kernel.sync.domain.sync import Action, ActiveVersion, Sync, SyncEvent, SyncState, Trigger
from fastflow.kernel.sync.ports import (
    EVENT_MESSAGE,
    WAKE_MESSAGE,
    Expect,
    FindCopy,
    Remote,
    RepositoryStore,
    SyncStore,
    WakeUp,
)
from fastflow.kernel.sync.service.planning import Planner
from fastflow.kernel.sync.service.repositories import RepositoryService
from fastflow.kernel.sync.service.switching import Switcher
from fastflow.kernel.sync.service.working import source_of, summary
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError, Forbidden, InvalidInput
from fastflow.kit.identity import SYSTEM, Actor, Role
from fastflow.kit.ids import new_id, parse_id
from fastflow.kit.pages import DEFAULT_PAGE_SIZE, Page, decode_cursor, encode_cursor

POLL_SECONDS = 1.0
"""How often a waiter looks by itself, should a signal be lost."""
_MANY = 500
_READ_AT_MOST = 10
"""Pipelines that a rollback reads to say what is in them: at 15 ms each on a slow machine it stays quick."""
_SHORTEST_COMMIT = 4


@dataclass(frozen=True, kw_only=True)
class RepositoryStatus:
    """How a repository stands.

    Attributes:
        active: None: nothing of it is active.
        sync: the one under way, else the latest; None: there was none.
        events: the last things that a sync under way told.
    """

    repository: Repository
    active: ActiveVersion | None
    sync: Sync | None
    events: Sequence[SyncEvent]


class _Never:
    """A `Stop` for work that is seen to its end."""

    def is_set(self) -> bool:
        """See `Stop.is_set`."""
        return False


class SyncService:
    """Syncs. Every method that changes something is one transaction with its audit entry."""

    def __init__(
        self,
        *,
        store: SyncStore,
        repositories: RepositoryService,
        repository_store: RepositoryStore,
        remote: Remote,
        find_copy: FindCopy,
        planner: Planner,
        switcher: Switcher,
        wakeup: WakeUp,
        expect: Expect,
        clock: Clock,
    ) -> None:
        self._store = store
        self._repositories = repositories
        self._repository_store = repository_store
        self._remote = remote
        self._find_copy = find_copy
        self._planner = planner
        self._switcher = switcher
        self._wakeup = wakeup
        self._expect = expect
        self._clock = clock

    # -- ask ------------------------------------------------------------------------------------------------------------

    def request(
        self,
        repository: str | None,
        *,
        actor: Actor,
        plan_only: bool = False,
        force: bool = False,
        reason: str | None = None,
    ) -> Sequence[Sync]:
        """Ask for syncs of one repository, or of all; the runner carries them out.

        Raises:
            NoRepository: there is none at all.
            RepositoryNotFound: there is none of that name.
            Forbidden: the actor's role is lower than operator, or limited to some pipelines.
        """
        _require_all(actor)
        wanted = [self._repositories.get(repository, actor=actor)] if repository is not None else self._all()
        action: Action = "plan" if plan_only else "sync"
        trigger: Trigger = "cli" if actor.name.startswith("cli:") else "api"
        asked = [self._ask(one, action, trigger, actor, force=force, reason=reason) for one in wanted]
        self._wakeup.wake_runner(WAKE_MESSAGE)
        return asked

    def request_by_interval(self, repository: Repository) -> Sync:
        """Ask because the branch has a new commit."""
        sync = self._ask(repository, "sync", "interval", SYSTEM)
        self._wakeup.wake_runner(WAKE_MESSAGE)
        return sync

    def request_by_webhook(self, repository: Repository, pusher: str | None, address: str | None) -> Sync:
        """Ask because its host says that the branch was pushed."""
        actor = Actor(name=f"webhook:{repository.name}", role=Role.OPERATOR, address=address)
        sync = self._ask(repository, "sync", "webhook", actor, reason=f"pushed by {pusher}" if pusher else None)
        self._wakeup.wake_runner(WAKE_MESSAGE)
        return sync

    def _all(self) -> Sequence[Repository]:
        found = self._repository_store.load_page(after="", limit=_MANY)
        if not found:
            raise NoRepository("There is no repository to sync with.")
        return found

    def _ask(
        self,
        repository: Repository,
        action: Action,
        trigger: Trigger,
        actor: Actor,
        *,
        force: bool = False,
        reason: str | None = None,
    ) -> Sync:
        sync = Sync(
            id=new_id(),
            repository=repository.name,
            action=action,
            trigger=trigger,
            requested_by=actor.name[:200],
            requested_at=self._clock.now(),
            reason=reason,
            force=force,
            prefix=repository.prefix,
            subfolder=repository.subfolder,
        )
        return self._store.request(sync, actor=actor)

    # -- go back --------------------------------------------------------------------------------------------------------

    def rollback(
        self,
        repository: str | None,
        commit: str | None,
        *,
        actor: Actor,
        force: bool = False,
        reason: str | None = None,
    ) -> Sync:
        """Make a version active again that was active before; at once, without asking its host.

        The version that was rolled back from is held: neither interval nor webhook make it active again.

        Args:
            repository: None: the only one there is.
            commit: its beginning; None: the last version other than the active one.
            actor: needs the role operator for all pipelines.
            force: go on in spite of blockers.
            reason: for the history.

        Raises:
            NoRepository, RepositoryNotFound, InvalidInput: it is not clear which repository, or there is none.
            VersionNotFound: it was never active, or its files are gone.
            SyncRefused: it is active already; or something speaks against it, and it is not forced.
            SyncOvertaken: another version became active this moment.
        """
        _require_all(actor)
        which = self._one(repository, actor)
        active = {one.repository: one for one in self._store.load_active()}.get(which.name)
        version = self._version(which.name, commit, active)
        version = self._with_files(which, version)
        plan = self._planner.compare(which.name, source_of(version), reads_at_most=_READ_AT_MOST).plan
        now = self._clock.now()
        sync = Sync(
            id=new_id(),
            repository=which.name,
            action="rollback",
            trigger="cli" if actor.name.startswith("cli:") else "api",
            requested_by=actor.name[:200],
            requested_at=now,
            reason=reason,
            force=force,
            commit_before=active.commit if active else None,
            commit=version.commit,
            subject=version.subject,
            author=version.author,
            tree_hash=version.tree_hash,
            prefix=version.prefix,
            subfolder=version.subfolder,
            plan=plan.to_json(),
            started_at=now,
        )
        self._switcher.switch(sync, plan, actor=actor, owner=None, why=f"Back to it: {summary(plan)}")
        return self._find(sync.id)

    def _one(self, repository: str | None, actor: Actor) -> Repository:
        if repository is not None:
            return self._repositories.get(repository, actor=actor)
        found = self._all()
        if len(found) > 1:
            names = ", ".join(one.name for one in found)
            raise InvalidInput(
                "It is not clear which repository is meant.",
                code="ambiguous_repository",
                hint=f"Name one of {names}.",
                fields={"repository": "is missing"},
            )
        return found[0]

    def _version(self, repository: str, commit: str | None, active: ActiveVersion | None) -> Sync:
        if commit is not None and (
            len(commit) < _SHORTEST_COMMIT or not all(char in "0123456789abcdef" for char in commit.lower())
        ):
            raise InvalidInput(
                f"{commit[:80]!r} is not a commit.",
                code="invalid_commit",
                hint=f"Give {_SHORTEST_COMMIT} or more of its hexadecimal digits, as `GET /sync/history` shows them.",
                fields={"commit": "is not a commit"},
            )
        found = self._store.find_version(repository, None if commit is None else commit.lower())
        is_now = active is not None and commit is not None and active.commit.startswith(commit.lower())
        if is_now and (found is None or _is_same(found, active)):
            raise SyncRefused(f"{commit} is the active version of {repository} already.", hint="Name another commit.")
        if found is None:
            which = "no earlier version" if commit is None else f"never been at a commit {commit}"
            raise VersionNotFound(f"The repository {repository} has {which}.")
        return found

    def _with_files(self, repository: Repository, version: Sync) -> Sync:
        """The version with its files here: they are kept; else what was fetched once still has them."""
        assert version.tree_hash is not None
        if self._find_copy(version.tree_hash) is not None:
            return version
        assert version.commit is not None
        as_then = replace(repository, subfolder=version.subfolder)
        try:
            copied = self._remote.check_out(as_then, version.commit, _Never())
        except FastFlowError as error:
            raise VersionNotFound(f"The files of {version.commit[:12]} are gone: {error.message}") from error
        if copied.tree_hash is None:
            raise VersionNotFound(f"The files of {version.commit[:12]} cannot be taken any more.")
        return replace(version, tree_hash=copied.tree_hash)

    # -- look -----------------------------------------------------------------------------------------------------------

    def status(self, *, actor: Actor) -> Sequence[RepositoryStatus]:
        """How every repository stands."""
        actor.require_somewhere(Role.VIEWER)
        active = {one.repository: one for one in self._store.load_active()}
        current = self._store.load_current()
        found = self._repository_store.load_page(after="", limit=_MANY)
        return [
            RepositoryStatus(
                repository=one,
                active=active.get(one.name),
                sync=_scoped(current[one.name], actor) if one.name in current else None,
                events=[event for event in self._progress(current.get(one.name)) if _is_shown(event.data, actor)],
            )
            for one in found
        ]

    def _progress(self, sync: Sync | None) -> Sequence[SyncEvent]:
        """The last step and what became of each pipeline in it, of a sync under way."""
        if sync is None or sync.state is not SyncState.RUNNING:
            return ()
        events = self._store.load_events(sync.id, after_id=0, limit=10_000)
        last = max((number for number, event in enumerate(events) if event.kind == "step"), default=0)
        told = [event for event in events[last:] if event.kind != "line"]
        line = next((event for event in reversed(events[last:]) if event.kind == "line"), None)
        return [*told, line] if line is not None else told

    def get(self, sync_id: str, *, actor: Actor) -> Sync:
        """The sync, with what its plan says of pipelines in the actor's scope.

        Raises:
            InvalidInput: not an id.
            SyncNotFound: there is none.
        """
        actor.require_somewhere(Role.VIEWER)
        return _scoped(self._find(parse_id(sync_id, "sync_id")), actor)

    def list(
        self, repository: str | None = None, *, actor: Actor, cursor: str | None = None, limit: int = DEFAULT_PAGE_SIZE
    ) -> Page[Sync]:
        """One page, latest first.

        Raises:
            InvalidInput: the cursor was not given out by this list.
        """
        actor.require_somewhere(Role.VIEWER)
        before = parse_id(str(decode_cursor(cursor, (str,))[0]), "cursor") if cursor else None
        found = self._store.load_page(repository, before_id=before, limit=limit + 1)
        items = [_scoped(sync, actor) for sync in found[:limit]]
        return Page(items=items, next_cursor=encode_cursor(items[-1].id) if len(found) > limit else None)

    # -- await ----------------------------------------------------------------------------------------------------------

    async def wait(self, sync_ids: Sequence[str], seconds: float, *, actor: Actor) -> Sequence[Sync]:
        """The syncs as soon as all have ended, or as they are after `seconds`; raises as `get`."""
        deadline = time.monotonic() + seconds
        signals = [self._expect(EVENT_MESSAGE.format(sync_id)) for sync_id in sync_ids]
        try:
            while True:
                found = [await asyncio.to_thread(self.get, sync_id, actor=actor) for sync_id in sync_ids]
                waiting = [signal for signal, sync in zip(signals, found, strict=True) if not sync.state.has_ended]
                remaining = deadline - time.monotonic()
                if not waiting or remaining <= 0:
                    return found
                await waiting[0].wait(min(POLL_SECONDS, remaining))
        finally:
            for signal in signals:
                signal.close()

    async def follow(self, sync_id: str, after_id: int, *, actor: Actor) -> AsyncIterator[Sequence[SyncEvent]]:
        """What the sync tells after an event, as it comes, until it has ended; an empty list when nothing came for a while.
        Those of pipelines outside the actor's scope are left out. Raises as `get`."""
        sync = await asyncio.to_thread(self.get, sync_id, actor=actor)
        signal = self._expect(EVENT_MESSAGE.format(sync.id))
        try:
            while True:
                ended = (await asyncio.to_thread(self._find, sync.id)).state.has_ended
                found = await asyncio.to_thread(self._events_after, sync.id, after_id)
                if found:
                    after_id = found[-1].id
                    yield [event for event in found if _is_shown(event.data, actor)]
                elif ended:
                    return
                elif not await signal.wait(POLL_SECONDS):
                    yield ()
        finally:
            signal.close()

    def _events_after(self, sync_id: str, after_id: int) -> Sequence[SyncEvent]:
        return self._store.load_events(sync_id, after_id=after_id, limit=_MANY)

    def _find(self, sync_id: str) -> Sync:
        found = self._store.find(sync_id)
        if found is None:
            raise SyncNotFound(f"There is no sync {sync_id}.")
        return found


def _is_same(sync: Sync, active: ActiveVersion | None) -> bool:
    """Whether making the sync's version active would change nothing."""
    names = ("commit", "tree_hash", "prefix", "subfolder")
    return active is not None and all(getattr(sync, name) == getattr(active, name) for name in names)


def _require_all(actor: Actor) -> None:
    actor.require(Role.OPERATOR)
    if actor.pipelines is not None:
        raise Forbidden(
            f"{actor.name} is limited to some pipelines; a sync may change all of them.",
            code="scope_too_narrow",
            hint="Use a token without a scope.",
        )


def _is_shown(data: Mapping[str, Any], actor: Actor) -> bool:
    name = data.get("pipeline")
    return (
        actor.reach() is None or (isinstance(name, str) and actor.may_touch(name)) or "step" in data or "state" in data
    )


def _scoped(sync: Sync, actor: Actor) -> Sync:
    """Without what concerns pipelines outside the actor's scope."""
    if actor.reach() is None:
        return sync
    plan = None if sync.plan is None else dict(sync.plan)
    if plan is not None:
        for part, key in (("pipelines", "name"), ("schedules", "pipeline"), ("blockers", "pipeline")):
            plan[part] = [one for one in plan.get(part, ()) if actor.may_touch(one[key])]
        plan["warnings"] = []
    return replace(sync, plan=plan, why="" if sync.state is SyncState.REFUSED else sync.why.partition(":")[0])
