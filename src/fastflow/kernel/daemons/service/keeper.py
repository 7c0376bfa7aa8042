"""What runs in the runner process: keeps so many instances of each daemon running as its settings say.

Everything is in the database. A keeper that is killed leaves decided instances behind, and the next one submits them under the
same idempotency key, so each is one run; the runs themselves go on without any keeper. Of several servers one looks after a
daemon at a time, under a lease; each probes the instances on its own machine.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fastflow.kernel.daemons.domain.deciding import Decision, decide
from fastflow.kernel.daemons.domain.declared import read_daemon
from fastflow.kernel.daemons.domain.records import Daemon, DaemonSpec, Instance
from fastflow.kernel.daemons.ports import WAKE_MESSAGE, DaemonStore, Pipelines, Probe, Runs
from fastflow.kernel.runs.domain.errors import IdempotencyMismatch, RunEnded
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError, Unavailable
from fastflow.kit.identity import SYSTEM

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_PAUSE_AFTER_ERROR = 2.0
_CODE_EVERY = timedelta(seconds=5)
_TRY_AGAIN = timedelta(seconds=10)
_SETTLED_SECONDS = 1.0
"""Without any probe an instance is well when its process has lived so long."""


@dataclass(frozen=True)
class _Declared:
    """What the code says of a daemon.

    Attributes:
        spec: None: the pipeline is gone, or is no daemon.
        tree_hash: None: its code cannot be read as it is now, so nothing is replaced.
        is_known: False: its settings are broken and were never seen whole, so it is left alone.
    """

    spec: DaemonSpec | None = None
    tree_hash: str | None = None
    is_known: bool = True


class DaemonKeeper:
    """One server's keeper.

    Args:
        store: the daemons.
        runs: where instances are submitted and cancelled.
        pipelines: whose settings declare daemons.
        probe: asks instances.
        clock: tells the time.
        host: id of the data directory: instances that run there are probed.
        owner: id of this process, holder of its leases.
    """

    def __init__(
        self,
        *,
        store: DaemonStore,
        runs: Runs,
        pipelines: Pipelines,
        probe: Probe,
        clock: Clock,
        host: str,
        owner: str,
    ) -> None:
        self._store = store
        self._runs = runs
        self._pipelines = pipelines
        self._probe = probe
        self._clock = clock
        self._host = host
        self._owner = owner
        self._declared: dict[str, _Declared] = {}
        self._declared_at: datetime | None = None
        self._probed_at: dict[tuple[str, int], datetime] = {}
        self._signal = asyncio.Event()
        self._complaint = ""

    def notify(self, message: str) -> None:
        """Take a wake-up message; an `OnMessage`. Those that concern no daemon are for others."""
        if message == WAKE_MESSAGE:
            self._signal.set()

    async def run(self) -> None:
        """Look after daemons until cancelled; an error is logged and does not end it."""
        while True:
            pause = _LOOK_SECONDS
            try:
                await self.look()
                self._complaint = ""
            except Unavailable as error:
                if error.message != self._complaint:
                    logger.warning("daemons.wait", extra={"fields": {"error": error.message}})
                self._complaint = error.message
                pause = _PAUSE_AFTER_ERROR
            except Exception:
                logger.exception("daemons.failed")
                pause = _PAUSE_AFTER_ERROR
            try:
                async with asyncio.timeout(pause):
                    await self._signal.wait()
            except TimeoutError:
                continue
            self._signal.clear()

    async def look(self) -> None:
        """One round: see what is declared, probe, decide and do."""
        await asyncio.to_thread(self._read_code)
        known = await asyncio.to_thread(self._store.load)
        probed = [
            self._probe_one(spec, instance)
            for daemon, instances in known
            if (spec := self._declared_of(daemon).spec) is not None
            for instance in instances
        ]
        if any(
            await asyncio.gather(*probed)
        ):  # at once: one that hangs keeps no other waiting for more than its own time
            known = await asyncio.to_thread(self._store.load)
        for daemon, instances in known:
            await asyncio.to_thread(self._advance, daemon, instances)

    def _declared_of(self, daemon: Daemon) -> _Declared:
        return self._declared.get(daemon.pipeline_name, _Declared())

    # -- the code -----------------------------------------------------------------------------------------------------

    def _read_code(self) -> None:
        now = self._clock.now()
        if self._declared_at is not None and abs(now - self._declared_at) < _CODE_EVERY:
            return
        found: dict[str, _Declared] = {}
        for pipeline in self._pipelines.list():
            spec, problems = read_daemon(pipeline.daemon, pipeline.params_schema)
            before = self._declared.get(pipeline.name)
            if problems or not pipeline.is_healthy:  # a fault in the code neither stops nor replaces what runs
                is_told = spec is not None and not problems
                found[pipeline.name] = (
                    replace(before, tree_hash=None)
                    if before
                    else _Declared(spec if is_told else None, is_known=is_told)
                )
            elif spec is not None:
                found[pipeline.name] = _Declared(spec, self._tree_hash(pipeline.name))
        self._declared, self._declared_at = found, now
        self._store.declare(sorted(name for name, each in found.items() if each.spec is not None), now)

    def _tree_hash(self, name: str) -> str | None:
        try:
            return self._pipelines.freeze(name).tree_hash
        except FastFlowError as error:
            logger.warning("daemon.code_unreadable", extra={"fields": {"pipeline": name, "error": error.message}})
            return None

    # -- health -------------------------------------------------------------------------------------------------------

    async def _probe_one(self, spec: DaemonSpec, instance: Instance) -> bool:
        """Ask the instance if it is its turn; whether that changed anything."""
        run = instance.run
        if run is None or run.status is not RunStatus.RUNNING or run.started_at is None or run.host != self._host:
            return False
        if instance.stopping is not None or not self._is_due(spec, instance):
            return False
        after, told = await self._examine(spec, instance, run.started_at)
        if after == instance:
            return False
        await asyncio.to_thread(self._store.probed, after, self._clock.now(), told)
        return True

    def _is_due(self, spec: DaemonSpec, instance: Instance) -> bool:
        """An instance that is starting is asked at every look."""
        key, now = (instance.pipeline_name, instance.number), self._clock.now()
        before = self._probed_at.get(key)
        if before is not None and instance.health != "starting" and (now - before).total_seconds() < spec.interval:
            return False
        self._probed_at[key] = now
        return True

    async def _examine(self, spec: DaemonSpec, instance: Instance, started_at: datetime) -> tuple[Instance, str | None]:
        now = self._clock.now()
        problem = await self._problem(spec, instance, started_at, now)
        if problem is None:
            told = "it is healthy" if instance.health != "healthy" else None
            if told is None and spec.health is None and spec.heartbeat is None:
                return instance, None  # nothing to note: it lives
            return replace(instance, health="healthy", health_at=now, misses=0), told
        if instance.health != "healthy":
            return instance, None
        misses = instance.misses + 1
        if misses < spec.misses and spec.health is not None:
            return replace(instance, misses=misses), None
        return replace(instance, health="unhealthy", misses=misses), problem

    async def _problem(self, spec: DaemonSpec, instance: Instance, started_at: datetime, now: datetime) -> str | None:
        """What speaks against its being well; None: nothing."""
        port, health = instance.port, spec.health
        if health is not None and port is not None and not await self._probe.ask(port, health):
            return f"port {port} does not answer {health!r}"
        if spec.heartbeat is not None and instance.run is not None:
            told_at = await asyncio.to_thread(self._store.last_told, instance.run.id)
            if told_at is None or (now - told_at).total_seconds() > spec.heartbeat:
                return f"it told nothing for {spec.heartbeat:g} s"
        if spec.health is None and spec.heartbeat is None and (now - started_at).total_seconds() < _SETTLED_SECONDS:
            return "it has just begun"
        return None

    # -- steps --------------------------------------------------------------------------------------------------------

    def _advance(self, daemon: Daemon, instances: Sequence[Instance]) -> None:
        declared, now = self._declared_of(daemon), self._clock.now()
        if not declared.is_known:
            return
        left: list[Instance] = []
        unasked: list[Instance] = []

        def deciding(row: Daemon, instances: Sequence[Instance]) -> Decision:
            # what was decided by somebody who was killed before it was done
            left[:] = [each for each in instances if each.run is None]
            unasked[:] = [each for each in instances if each.stopping and each.run and _is_unasked(each.run)]
            return decide(row, declared.spec, instances, declared.tree_hash, now)

        if not deciding(daemon, instances).changes(daemon) and not left and not unasked:
            return  # as almost always: nothing is written
        decision = self._store.advance(daemon.pipeline_name, self._owner, deciding, now)
        if decision is None:
            return
        for gone in decision.forget:
            self._probed_at.pop((gone.pipeline_name, gone.number), None)
        for instance in [*unasked, *decision.stop]:
            self._stop(instance)
        for instance in left:
            self._resume(instance, declared.spec, decision.daemon, now)
        for instance in decision.start:
            self._submit(instance, declared.spec, now)

    def _stop(self, instance: Instance) -> None:
        if instance.run is not None:
            self._cancel(instance.run.id, instance.stopping)

    def _cancel(self, run_id: str, why: str | None) -> None:
        try:
            self._runs.cancel(run_id, actor=SYSTEM, reason=why)
        except RunEnded:
            return

    def _resume(self, instance: Instance, spec: DaemonSpec | None, daemon: Daemon, now: datetime) -> None:
        """Finish what somebody else has begun: the instance is decided, and perhaps submitted."""
        run = self._runs.find_by_key(instance.pipeline_name, _key(instance))
        if run is not None:
            self._store.submitted(instance, run)  # the next look stops it, if it is not wanted any more
        elif spec is None:
            self._store.give_up(instance, "the pipeline is no daemon any more", retry_at=now, at=now)
        elif daemon.wish == "stopped":
            self._store.give_up(instance, "the daemon was stopped before it began", retry_at=now, at=now)
        else:
            self._submit(instance, spec, now)

    def _submit(self, instance: Instance, spec: DaemonSpec | None, now: datetime) -> None:
        """Submit a decided instance; a second time finds the first one's run."""
        if spec is None:  # of such a daemon nothing is decided to start
            return
        try:
            run = self._runs.submit(
                instance.pipeline_name,
                spec.params,
                actor=SYSTEM,
                trigger="daemon",
                idempotency_key=_key(instance),
                daemon={"instance": instance.number, **({} if instance.port is None else {"port": instance.port})},
            )
        except Unavailable:
            raise
        except IdempotencyMismatch:  # somebody else was quicker, under other settings: the next look finds its run
            return
        except FastFlowError as error:
            self._store.give_up(instance, f"it cannot be started: {error.message}", retry_at=now + _TRY_AGAIN, at=now)
            return
        if not self._store.submitted(instance, run):  # given up meanwhile by another server
            self._cancel(run.id, "the daemon does not want it any more")


def _key(instance: Instance) -> str:
    return f"daemon:{instance.number}"


def _is_unasked(run: Run) -> bool:
    return not run.has_ended and run.cancel_requested_at is None
