"""Carrying out one sync: ask the host, fetch, copy, plan, resolve, build, make active. A step that fails leaves the active
version as it is; a process that is killed leaves a row whose lease ends, and another one begins anew."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from fastflow.kernel.pipelines.ports import CodeSource
from fastflow.kernel.sync.domain.errors import CodeUnusable, SyncLost, SyncRefused
from fastflow.kernel.sync.domain.plan import Plan
from fastflow.kernel.sync.domain.repository import Repository
from fastflow.kernel.sync.domain.sync import Sync, SyncState
from fastflow.kernel.sync.ports import (
    CheckedOut,
    CredentialSource,
    FindCopy,
    Remote,
    RepositoryStore,
    SyncStore,
    WakeUp,
)
from fastflow.kernel.sync.service.planning import Planner
from fastflow.kernel.sync.service.switching import Switcher, refusal
from fastflow.kernel.sync.service.telling import Teller
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError, Unavailable
from fastflow.kit.identity import Actor, Role
from fastflow.kit.words import counted

logger = logging.getLogger(__name__)

_RENEW_SECONDS = 15.0
_SHOWN = 5


class SyncWork:
    """Carries out syncs, any number at once.

    Args:
        owner: `host/process`, of the leases.
        preheat: build environments before a version becomes active.
        Others: see their ports.
    """

    def __init__(
        self,
        *,
        owner: str,
        syncs: SyncStore,
        repositories: RepositoryStore,
        remote: Remote,
        credentials: CredentialSource,
        find_copy: FindCopy,
        planner: Planner,
        switcher: Switcher,
        wakeup: WakeUp,
        clock: Clock,
        preheat: bool,
    ) -> None:
        self._owner = owner
        self._syncs = syncs
        self._repositories = repositories
        self._remote = remote
        self._credentials = credentials
        self._find_copy = find_copy
        self._planner = planner
        self._switcher = switcher
        self._wakeup = wakeup
        self._clock = clock
        self._preheat = preheat

    def claim(self, only: str | None = None) -> Sync | None:
        """Take a sync to be carried out; see `SyncStore.claim`."""
        return self._syncs.claim(self._owner, self._clock.now(), only=only)

    def check(self, repository: Repository, stop: threading.Event) -> str | None:
        """Ask the host for the branch's commit and note it, or what kept it from being found out; the commit."""
        try:
            commit = self._remote.ask(repository, self._credentials.find(repository), stop)
        except FastFlowError as error:
            if error.message != repository.problem:
                fields = {"repository": repository.name, "error": error.message}
                logger.warning("sync.not_checked", extra={"fields": fields})
            self._note_check(repository, problem=error.message)
            return None
        self._note_check(repository, commit=commit)
        return commit

    async def carry_out(self, sync: Sync) -> None:
        """See a claimed sync to its end. Never fails because of what it finds; cancelled, it leaves the sync to others."""
        teller = Teller(self._syncs, sync.id, self._wakeup, self._clock)
        stop = threading.Event()
        try:
            async with teller.writing(), self._lease(sync):
                await self._carry_out(sync, teller, stop)
        except SyncLost as error:
            logger.warning("sync.lost", extra={"fields": {"sync": sync.id, "error": error.message}})
        except SyncRefused as error:
            await self._end(sync, SyncState.REFUSED, f"{error.message} {error.hint}", error)
        except FastFlowError as error:
            await self._end(sync, SyncState.FAILED, f"{error.message} {error.hint}".strip(), error)
        except Exception:
            logger.exception("sync.failed", extra={"fields": {"sync": sync.id}})
            await self._end(sync, SyncState.FAILED, "It failed because of a fault of ours; the server's log has it.")
        finally:
            stop.set()

    async def _carry_out(self, sync: Sync, teller: Teller, stop: threading.Event) -> None:
        repository = await asyncio.to_thread(self._repositories.find, sync.repository)
        if repository is None:
            await self._end(sync, SyncState.FAILED, f"The repository {sync.repository} is gone.")
            return
        teller.step("fetch", f"{repository.branch} of {repository.url} is being fetched.")
        fetched = await asyncio.to_thread(self._fetch, repository, stop)
        sync = replace(
            sync,
            commit=fetched.commit,
            subject=fetched.subject,
            author=fetched.author,
            prefix=repository.prefix,
            subfolder=repository.subfolder,
        )
        await self._note(sync, "commit", "subject", "author", "prefix", "subfolder")
        if await asyncio.to_thread(self._is_active, sync):
            await self._end(sync, SyncState.UNCHANGED, f"{fetched.commit[:12]} is active already.")
            return
        if sync.trigger in ("interval", "webhook") and fetched.commit == repository.held_commit:
            why = f"{fetched.commit[:12]} was rolled back from; only a person makes it active again."
            await self._end(sync, SyncState.UNCHANGED, why)  # what the host has may differ from what was pushed
            return
        teller.step("check", f"The files of {fetched.commit[:12]} ({fetched.subject}) are copied.")
        copied = await asyncio.to_thread(self._remote.check_out, repository, fetched.commit, stop)
        sync = replace(sync, tree_hash=_usable(copied, repository))
        await self._note(sync, "tree_hash")
        await self._plan_and_activate(sync, teller)

    async def _plan_and_activate(self, sync: Sync, teller: Teller) -> None:
        teller.step("plan", "It is compared with what is active, and dependencies are resolved.")
        draft = await asyncio.to_thread(self._planner.compare, sync.repository, source_of(sync))
        draft = await self._planner.resolve(draft, teller)
        sync = await self._note_plan(sync, draft.plan)
        if sync.action == "plan":
            await self._end(sync, SyncState.PLANNED, summary(draft.plan))
            return
        if draft.plan.blockers and not sync.force:
            raise refusal(draft.plan.blockers)
        if self._preheat:
            draft = await self._planner.preheat(draft, teller)
            sync = await self._note_plan(sync, draft.plan)
        teller.step("activate", f"{(sync.commit or '')[:12]} becomes the active version.")
        actor = Actor(name=sync.requested_by, role=Role.ADMIN)
        await asyncio.to_thread(teller.write)
        why = summary(draft.plan)
        switch = self._switcher.switch
        await asyncio.to_thread(lambda: switch(sync, draft.plan, actor=actor, owner=self._owner, why=why))

    # -- parts ----------------------------------------------------------------------------------------------------------

    def _fetch(self, repository: Repository, stop: threading.Event) -> Any:
        try:
            fetched = self._remote.fetch(repository, self._credentials.find(repository), stop)
        except FastFlowError as error:
            self._note_check(repository, problem=error.message)
            raise
        self._note_check(repository, commit=fetched.commit)
        return fetched

    def _note_check(self, repository: Repository, *, commit: str | None = None, problem: str | None = None) -> None:
        self._repositories.note_check(repository.name, at=self._clock.now(), commit=commit, problem=problem)

    def _is_active(self, sync: Sync) -> bool:
        """Whether exactly this is active, and its files are here."""
        active = {one.repository: one for one in self._syncs.load_active()}.get(sync.repository)
        if active is None or (active.commit, active.prefix, active.subfolder) != (
            sync.commit,
            sync.prefix,
            sync.subfolder,
        ):
            return False
        return self._find_copy(active.tree_hash) is not None

    async def _note(self, sync: Sync, *names: str) -> None:
        values = {name: getattr(sync, name) for name in names}
        await asyncio.to_thread(lambda: self._syncs.note(sync.id, self._owner, **values))

    async def _note_plan(self, sync: Sync, plan: Plan) -> Sync:
        sync = replace(sync, plan=plan.to_json())
        await self._note(sync, "plan")
        return sync

    async def _end(self, sync: Sync, state: SyncState, why: str, problem: FastFlowError | None = None) -> None:
        now = self._clock.now()
        try:
            await asyncio.to_thread(lambda: self._syncs.end(sync.id, self._owner, state, why, at=now, problem=problem))
        except (SyncLost, Unavailable) as error:  # whoever has it now, or comes next, goes on
            logger.warning("sync.not_ended", extra={"fields": {"sync": sync.id, "error": error.message}})
            return
        fields = {"repository": sync.repository, "sync": sync.id, "why": why}
        logger.info(f"sync.{state.value}", extra={"fields": fields})  # noqa: G004 - one of a few fixed words
        self._wakeup.tell_web(f"sync {sync.id}")

    @asynccontextmanager
    async def _lease(self, sync: Sync) -> AsyncIterator[None]:
        """Keep the lease for as long as the block lasts; when it is lost, the block ends with SyncLost."""
        working = asyncio.current_task()
        assert working is not None
        lost = False

        async def renew() -> None:
            nonlocal lost
            while True:
                await asyncio.sleep(_RENEW_SECONDS)
                try:
                    kept = await asyncio.to_thread(self._syncs.renew, sync.id, self._owner, self._clock.now())
                except Unavailable:  # it lasts for three more tries
                    continue
                if not kept:
                    lost = True
                    working.cancel()
                    return

        renewing = asyncio.create_task(renew())  # noqa: TID251 - awaited below
        try:
            yield
        except asyncio.CancelledError:
            if lost and working.uncancel() == 0:
                raise SyncLost(f"The sync {sync.id} is in other hands.") from None
            raise
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)


def source_of(sync: Sync) -> CodeSource:
    """The version that the sync is about."""
    assert sync.commit is not None
    assert sync.tree_hash is not None
    return CodeSource(
        repository=sync.repository,
        commit=sync.commit,
        tree_hash=sync.tree_hash,
        prefix=sync.prefix,
        subfolder=sync.subfolder,
    )


def summary(plan: Plan) -> str:
    """What a plan comes to, in one sentence."""
    words = []
    for change in ("added", "changed", "removed"):
        names = [one.name for one in plan.pipelines if one.change == change]
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            words.append(f"{change} {', '.join(names[:_SHOWN])}{more}")
    told = "; ".join(words) or "no pipeline differs"
    if plan.blockers:
        told += f"; {counted(len(plan.blockers), 'blocker')}"
    return f"{told[0].upper()}{told[1:]}."


def _usable(copied: CheckedOut, repository: Repository) -> str:
    if copied.tree_hash is None:
        told = "; ".join(str(fault).rstrip(".") for fault in copied.faults[:_SHOWN])
        raise CodeUnusable(
            f"The commit holds what cannot be taken: {told}.",
            hint=" ".join(dict.fromkeys(fault.hint for fault in copied.faults[:_SHOWN])),
            fields={fault.place or repository.name: fault.message for fault in copied.faults},
        )
    return copied.tree_hash
