"""The runner process around the dispatcher: one for each data directory, told to stop, seen to live."""

import asyncio
import json
import os
import signal
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.integration.runs.conftest import Bench

from fastflow.kernel.audit.service import AuditLog
from fastflow.kernel.audit.wiring import build_audit
from fastflow.kernel.daemons.infra.probes import PortProbe
from fastflow.kernel.daemons.infra.store import SqlDaemonStore
from fastflow.kernel.daemons.service import DaemonKeeper
from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.wakeups import Signals, make_receiver, open_sender
from fastflow.kernel.environments.domain.environment import Collected
from fastflow.kernel.executors.port import Executor
from fastflow.kernel.failures.infra.group_store import SqlGroupStore
from fastflow.kernel.failures.infra.log_tails import LogTails
from fastflow.kernel.failures.service import FailureSorter
from fastflow.kernel.flows.infra.engine import FlowEngine
from fastflow.kernel.flows.infra.store import SqlFlowStore
from fastflow.kernel.flows.service import FlowKeeper
from fastflow.kernel.metrics.service import MetricsKeeper
from fastflow.kernel.metrics.wiring import build_metrics
from fastflow.kernel.notifications.infra.daemon_alerts import DaemonAlerts
from fastflow.kernel.notifications.service import Notifier
from fastflow.kernel.notifications.wiring import build_notifications
from fastflow.kernel.pipelines.infra.snapshots import DiskSnapshots
from fastflow.kernel.pipelines.service import WarmUp
from fastflow.kernel.runs.dispatcher import Dispatcher
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.wiring import read_host_id
from fastflow.kernel.schedules.infra.ledger_store import SqlLedger
from fastflow.kernel.schedules.service import Scheduler, SchedulerRules
from fastflow.kernel.sync.service import Syncer
from fastflow.kernel.sync.wiring import SyncRules, build_sources, build_sync
from fastflow.kernel.tracing.service import TraceKeeper
from fastflow.kernel.upkeep.domain.bounds import Bounds
from fastflow.kernel.upkeep.service import Upkeep
from fastflow.kernel.upkeep.wiring import build_upkeep
from fastflow.kit.clock import SystemClock
from fastflow.kit.identity import Actor
from fastflow.runner import RunnerBusy, run_forever
from fastflow.settings import Settings
from fastflow.testing.memory_executor import MemoryExecutor
from fastflow.testing.notification_doubles import MemorySender, PlainCipher
from fastflow.testing.schedule_doubles import MemoryPipelines


@dataclass
class Product:
    settings: Settings
    database: Database
    bench: Bench
    executor: MemoryExecutor

    @property
    def audit(self) -> AuditLog:
        return build_audit(self.database)

    def make_executors(self) -> Mapping[str, Executor]:
        return {"process": self.executor}

    def make_dispatcher(self, executors: Mapping[str, Executor]) -> Dispatcher:
        return self.bench.dispatcher(self.executor, executors=executors)

    def make_scheduler(self) -> Scheduler:
        ledger = SqlLedger(self.database, host="host-1", process="1")
        return Scheduler(
            ledger=ledger, runs=self.bench.service, declared=None, rules=SchedulerRules(), clock=SystemClock()
        )

    def make_daemon_keeper(self) -> DaemonKeeper:
        return DaemonKeeper(
            store=SqlDaemonStore(self.database, DaemonAlerts()),
            runs=self.bench.service,
            pipelines=self.bench.catalogue,
            probe=PortProbe(),
            clock=SystemClock(),
            host="host-1",
            owner="1",
        )

    def make_failure_sorter(self) -> FailureSorter:
        return FailureSorter(store=SqlGroupStore(self.database), tails=LogTails(self.settings.logs_dir), host="host-1")

    def make_notifier(self) -> Notifier:
        room = build_notifications(
            self.database,
            pipelines=MemoryPipelines(),
            cipher=PlainCipher(),
            data_dir=self.settings.data_dir,
            logs_dir=self.settings.logs_dir,
            sender=MemorySender(),
        )
        return room.make_notifier()

    def make_metrics_keeper(self) -> MetricsKeeper:
        return build_metrics(
            self.database,
            data_dir=self.settings.data_dir,
            logs_dir=self.settings.logs_dir,
            max_pipelines=10,
            schedule_grace=60.0,
            clock=SystemClock(),
        ).make_keeper()

    def make_trace_keeper(self) -> TraceKeeper:
        return TraceKeeper(None, None, 0.0, SystemClock())

    def make_flow_keeper(self) -> FlowKeeper:
        return FlowKeeper(
            SqlFlowStore(self.database, FlowEngine(), _admits_nothing),
            self.bench.service,
            self.bench.wakeup,
            SystemClock(),
        )

    def make_syncer(self) -> Syncer:
        nothing: Any = None  # without a repository, nothing else is asked
        return build_sync(
            self.database,
            sources=build_sources(self.database),
            snapshots=DiskSnapshots(self.settings.data_dir / "code"),
            pipelines=nothing,
            preview=nothing,
            environments=nothing,
            schedules=nothing,
            runs=nothing,
            flows=nothing,
            secrets=nothing,
            wakeup=self.bench.wakeup,
            expect=nothing,
            data_dir=self.settings.data_dir,
            rules=SyncRules(),
        ).make_syncer()

    def make_warm_up(self) -> WarmUp:
        raise AssertionError("these runners do not preheat")

    def look_after_workbenches(self) -> None:
        """There are none."""

    def make_upkeep(self) -> Upkeep:
        return build_upkeep(
            self.database,
            Bounds(run_days=None, run_count=None, environment_days=30),
            environments=NoEnvironments(),
            in_use=lambda: (),
            data_dir=self.settings.data_dir,
            logs_dir=self.settings.logs_dir,
            clock=SystemClock(),
        )


class NoEnvironments:
    def collect_garbage(self, unused_days: float, dry_run: bool, keep: Collection[str], actor: Actor) -> Collected:
        return Collected(hashes=[], freed_bytes=0, dry_run=dry_run)


def _admits_nothing(*_what: Any) -> Run:
    raise AssertionError("no flow submits runs here")


@pytest.fixture
def product(settings: Settings, database: Database, bench: Bench) -> Product:
    return Product(
        settings.model_copy(update={"uv_pre_heat": False}),
        database,
        bench,
        MemoryExecutor(lambda executor, spec: executor.end(spec.key)),
    )


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_runner_when_woken_over_its_socket_runs_and_ends_on_sigterm(product: Product) -> None:
    ready = asyncio.Event()
    working = asyncio.ensure_future(run_forever(product, on_ready=ready.set))
    await ready.wait()
    run_dir = product.settings.data_dir / "run"
    sender = open_sender(product.database, run_dir)
    product.bench.wakeup.on_runner = sender.wake_runner
    run = await asyncio.to_thread(product.bench.submit)
    assert (await product.bench.ended(run)).status is RunStatus.SUCCESS
    assert json.loads((run_dir / "runner.json").read_text())["executors"] == {"process": {"kind": "memory"}}
    with pytest.raises(RunnerBusy, match=str(os.getpid())):
        await run_forever(product, patience_seconds=0)
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(10):
        await working
    assert not (run_dir / "runner.sock").exists()
    sender.close()
    (runner,) = product.bench.service.runners()
    assert runner.stopped_at is not None


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_message_when_sent_by_another_machine_is_heard_through_postgresql(
    database: Database, data_dir: Path
) -> None:
    signals = Signals()
    here, elsewhere = data_dir / "here", data_dir / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    receiver = make_receiver(database, here, "web-1.sock", signals.notify)
    signal_ = signals.expect("run 1")
    await receiver.open()
    sender = open_sender(database, elsewhere)
    async with asyncio.timeout(20):
        while not await signal_.wait(0.1):  # the listening connection is made in the background
            await asyncio.to_thread(sender.tell_web, "run 1")
    await receiver.close()
    await receiver.close()
    sender.close()


async def test_host_id_when_asked_by_many_at_once_is_one(data_dir: Path) -> None:
    ids = await asyncio.gather(*(asyncio.to_thread(read_host_id, data_dir) for _ in range(4)))
    assert len(set(ids)) == 1 and read_host_id(data_dir) == ids[0]
    assert [entry for entry in os.listdir(data_dir) if entry.startswith("host_id")] == ["host_id"]
