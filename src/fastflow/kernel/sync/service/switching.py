"""Making a version active, and what follows from it. The first is one transaction; the second may be repeated until it is
done, by whoever comes first."""

import logging
from collections.abc import Callable, Sequence

from fastflow.kernel.runs.domain.errors import RunEnded, RunNotFound
from fastflow.kernel.schedules.ports import DECLARED_MESSAGE
from fastflow.kernel.sync.domain.errors import SyncRefused
from fastflow.kernel.sync.domain.plan import Blocker, Plan
from fastflow.kernel.sync.domain.sync import NewEvent, Sync
from fastflow.kernel.sync.ports import EVENT_MESSAGE, Code, Flows, Runs, Schedules, SyncStore, WakeUp
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError
from fastflow.kit.identity import Actor, Role
from fastflow.kit.words import counted

logger = logging.getLogger(__name__)

_SHOWN = 3
_MAX_SHOWN = 400


class Switcher:
    """Makes versions active.

    Args:
        store: of syncs.
        code: the catalogue as it is.
        schedules: of pipelines.
        runs: stops runs.
        flows: ends the steps that wait in them.
        wakeup: tells the other processes.
        changed: called after an activation in this process.
        clock: tells the time.
    """

    def __init__(
        self,
        *,
        store: SyncStore,
        code: Code,
        schedules: Schedules,
        runs: Runs,
        flows: Flows,
        wakeup: WakeUp,
        changed: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._store = store
        self._code = code
        self._schedules = schedules
        self._runs = runs
        self._flows = flows
        self._wakeup = wakeup
        self._changed = changed
        self._clock = clock

    def switch(self, sync: Sync, plan: Plan, *, actor: Actor, owner: str | None, why: str) -> None:
        """Make the sync's version active and do what follows.

        Args:
            sync: with everything that is known of its version.
            plan: of it.
            actor: who asked for it.
            owner: of its lease; None: it is not in the queue.
            why: the outcome in words.

        Raises:
            SyncRefused: it is not forced, and there are blockers; or runs of pipelines that go were submitted meanwhile.
            SyncLost, SyncOvertaken: see `SyncStore.activate`.
        """
        if plan.blockers and not sync.force:
            raise refusal(plan.blockers)
        hindering = self._store.activate(sync, owner, actor, at=self._clock.now(), why=why, removed=plan.removed)
        if hindering:
            raise SyncRefused(
                f"Runs of pipelines that go were submitted meanwhile: {', '.join(hindering[:_SHOWN])}.",
                extra={"runs": list(hindering)},
            )
        self._changed()
        logger.info(
            "sync.activated",
            extra={"fields": {"repository": sync.repository, "commit": sync.commit, "sync": sync.id, "by": actor.name}},
        )
        try:
            self.settle(sync, plan.removed)
        except FastFlowError as error:  # the runner does it again
            logger.warning("sync.not_settled", extra={"fields": {"sync": sync.id, "error": error.message}})
        self._wakeup.wake_runner(DECLARED_MESSAGE)
        self._wakeup.tell_web(EVENT_MESSAGE.format(sync.id))

    def settle(self, sync: Sync, removed: Sequence[str]) -> None:
        """Do what follows from an activation: of pipelines that are gone, end the waiting steps of flows and stop the runs
        when it was forced, and remove the schedules that their code declared. Idempotent."""
        there = {located.name for located in self._code.places()} if removed else set()
        gone = [name for name in removed if name not in there]
        told: list[str] = []
        if sync.force and gone:
            told += self._end_steps(sync, gone)  # first: the end of a run would start what comes next
            told += self._stop_runs(sync, gone)
        for schedule in self._schedules.drop(gone, actor=_actor(sync)) if gone else ():
            told.append(f"The schedule {schedule.label} went with its code.")
        now = self._clock.now()
        if told:
            self._store.add_events(sync.id, [NewEvent(at=now, kind="note", data={"text": text}) for text in told])
        self._store.mark_settled(sync.id, now)

    def settle_left(self) -> None:
        """Settle what crashes left."""
        for sync in self._store.load_unsettled():
            removed = [one["name"] for one in (sync.plan or {}).get("pipelines", ()) if one["change"] == "removed"]
            self.settle(sync, removed)

    def _end_steps(self, sync: Sync, gone: Sequence[str]) -> list[str]:
        ended = self._flows.end_removed(gone, actor=_actor(sync), why=_why(sync))
        return [f"What waited of the step {step.name} of the flow {step.flow_id} is ended." for step in ended]

    def _stop_runs(self, sync: Sync, gone: Sequence[str]) -> list[str]:
        told = []
        for name, runs in self._store.load_active_runs(gone, limit=10_000).items():
            for run_id in runs:
                try:
                    self._runs.cancel(run_id, actor=_actor(sync), reason=_why(sync))
                except (RunEnded, RunNotFound):
                    continue
                told.append(f"The run {run_id} of {name} is stopped.")
        return told


def refusal(blockers: Sequence[Blocker]) -> SyncRefused:
    """The error that names what speaks against it."""
    told = "; ".join(_shown(blocker) for blocker in blockers[:_SHOWN])
    more = f" (and {len(blockers) - _SHOWN} more)" if len(blockers) > _SHOWN else ""
    return SyncRefused(
        f"{counted(len(blockers), 'thing')} {'speaks' if len(blockers) == 1 else 'speak'} against it: {told}{more}.",
        fields={f"{one.file}:{one.line}" if one.line else one.file or one.pipeline: one.message for one in blockers},
        extra={"blockers": [vars(blocker) for blocker in blockers]},
    )


def _shown(blocker: Blocker) -> str:
    """In one line."""
    text = " ".join(str(blocker).split())
    return text.rstrip(".") if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]} …"


def _why(sync: Sync) -> str:
    return f"its pipeline went with the sync {sync.id}"


def _actor(sync: Sync) -> Actor:
    return Actor(name=sync.requested_by, role=Role.ADMIN)
