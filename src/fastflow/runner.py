"""The runner process: the dispatcher with its executors, one for each data directory.

As a module (`python -m fastflow.runner`) it is the runner child of `fastflow serve`. It may be killed at any moment:
runs go on under their supervisors, and the next runner takes them over.
"""

import argparse
import asyncio
import contextlib
import fcntl
import json
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import uvloop

from fastflow.kernel.audit.service import AuditLog
from fastflow.kernel.daemons.service import DaemonKeeper
from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.wakeups import RUNNER_SOCKET, make_receiver
from fastflow.kernel.executors.port import Executor
from fastflow.kernel.failures.service import FailureSorter
from fastflow.kernel.flows.service import FlowKeeper
from fastflow.kernel.metrics.service import MetricsKeeper
from fastflow.kernel.notifications.service import Notifier
from fastflow.kernel.pipelines.service import WarmUp
from fastflow.kernel.runs.dispatcher import Dispatcher
from fastflow.kernel.schedules.service import Scheduler
from fastflow.kernel.sync.service import Syncer
from fastflow.kernel.tracing.service import TraceKeeper
from fastflow.kernel.upkeep.service import Upkeep
from fastflow.kit.errors import Conflict, FastFlowError, InvalidInput
from fastflow.kit.log_lines import configure_logging
from fastflow.serve import KEY_MADE, RUNNER_LOCK, Reporter
from fastflow.settings import Settings, load_settings

_log = logging.getLogger("fastflow.runner")

_REPORT_SECONDS = 5.0
_AUDIT_SECONDS = 86_400.0
_WORKBENCH_SECONDS = 1.0
_LOCK_LOOK_SECONDS = 0.05
_EXIT_CONFIGURATION = 78
"""EX_CONFIG of sysexits.h: starting again would fail again; see `serve.py`."""


class RunnerProduct(Protocol):
    """What the runner process needs of the product."""

    @property
    def settings(self) -> Settings:
        """Where things are."""
        ...

    @property
    def database(self) -> Database:
        """Migrated."""
        ...

    @property
    def audit(self) -> AuditLog:
        """The audit log."""
        ...

    def make_executors(self) -> Mapping[str, Executor]:
        """The executors by kind, not open yet."""
        ...

    def make_dispatcher(self, executors: Mapping[str, Executor]) -> Dispatcher:
        """The dispatcher over them."""
        ...

    def make_scheduler(self) -> Scheduler:
        """What starts runs at their schedules' due times."""
        ...

    def make_daemon_keeper(self) -> DaemonKeeper:
        """What keeps daemons running."""
        ...

    def make_failure_sorter(self) -> FailureSorter:
        """What puts failed runs into groups."""
        ...

    def make_flow_keeper(self) -> FlowKeeper:
        """What looks at flows that are due."""
        ...

    def make_syncer(self) -> Syncer:
        """What makes commits of repositories active."""
        ...

    def make_warm_up(self) -> WarmUp:
        """Builds environments ahead of runs."""
        ...

    def look_after_workbenches(self) -> None:
        """Take in what runs of workbenches left."""
        ...

    def make_upkeep(self) -> Upkeep:
        """What removes what has outlived its time."""
        ...

    def make_notifier(self) -> Notifier:
        """What watches for alerts and sends them."""
        ...

    def make_trace_keeper(self) -> TraceKeeper:
        """What sends the traces of ended runs."""
        ...

    def make_metrics_keeper(self) -> MetricsKeeper:
        """What adds ended runs to the totals."""
        ...


class RunnerBusy(Conflict):
    """Another runner works on this data directory."""

    default_code = "runner_busy"
    default_hint = "One runner serves a data directory: stop the other one, or give this one a DATA_DIR of its own."


async def run_forever(
    product: RunnerProduct, *, on_ready: Callable[[], None] | None = None, patience_seconds: float = 10.0
) -> None:
    """Serve the queue until SIGTERM or SIGINT; runs that are going on then go on without us.

    Args:
        product: the product.
        on_ready: called once recovery is done and the queue is served.
        patience_seconds: how long another runner of this data directory may take to end.

    Raises:
        RunnerBusy: another runner has this data directory.
    """
    run_dir = product.settings.data_dir / "run"
    async with _only_one(run_dir, patience_seconds):
        executors = product.make_executors()
        dispatcher = product.make_dispatcher(executors)
        scheduler = product.make_scheduler()
        keeper = product.make_flow_keeper()
        syncer = product.make_syncer()
        daemons = product.make_daemon_keeper()

        def notify(message: str) -> None:
            dispatcher.notify(message)
            scheduler.notify(message)
            keeper.notify(message)
            syncer.notify(message)
            daemons.notify(message)

        receiver = make_receiver(product.database, run_dir, RUNNER_SOCKET, notify)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, dispatcher.stop)
        await receiver.open()
        beside = [
            asyncio.create_task(each)  # noqa: TID251  cancelled and awaited below
            for each in (
                _report(run_dir / "runner.json", dispatcher, executors, on_ready),
                _preheat(product, dispatcher),
                _schedule(scheduler, dispatcher),
                _sort_failures(product, dispatcher),
                _keep_daemons(daemons, dispatcher),
                _notify(product, dispatcher),
                _keep_flows(keeper, dispatcher),
                _sync(syncer, dispatcher),
                _keep_audit(product, dispatcher),
                _keep_up(product, dispatcher),
                _keep_metrics(product, dispatcher),
                _send_traces(product, dispatcher),
                _keep_workbenches(product, dispatcher),
            )
        ]
        try:
            await dispatcher.run()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await receiver.close()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


async def _report(
    path: Path, dispatcher: Dispatcher, executors: Mapping[str, Executor], on_ready: Callable[[], None] | None
) -> None:
    """Tell that the queue is served, and write the file by which the web process sees that this one lives."""
    await dispatcher.ready.wait()
    _log.info("runner.ready", extra={"fields": {"pid": os.getpid()}})
    if on_ready is not None:
        on_ready()
    while True:
        told = {
            "pid": os.getpid(),
            "executors": {kind: dict(executor.describe()) for kind, executor in executors.items()},
        }
        try:
            _write_report(path, told)
        except OSError as error:
            _log.warning("runner.report_failed", extra={"fields": {"error": error.strerror}})
        await asyncio.sleep(_REPORT_SECONDS)


async def _schedule(scheduler: Scheduler, dispatcher: Dispatcher) -> None:
    """Once the queue is served, start what schedules are due to start."""
    await dispatcher.ready.wait()
    try:
        await scheduler.run()
    finally:
        scheduler.stop()


async def _keep_daemons(keeper: DaemonKeeper, dispatcher: Dispatcher) -> None:
    """Once the queue is served, keep daemons running."""
    await dispatcher.ready.wait()
    await keeper.run()


async def _sort_failures(product: RunnerProduct, dispatcher: Dispatcher) -> None:
    """Once the queue is served, put failed runs into groups."""
    await dispatcher.ready.wait()
    await product.make_failure_sorter().run()


async def _notify(product: RunnerProduct, dispatcher: Dispatcher) -> None:
    """Once the queue is served, watch for what is worth a message, and send."""
    await dispatcher.ready.wait()
    await product.make_notifier().run()


async def _send_traces(product: RunnerProduct, dispatcher: Dispatcher) -> None:
    """Once the queue is served, send the traces of ended runs."""
    await dispatcher.ready.wait()
    await product.make_trace_keeper().run()


async def _keep_metrics(product: RunnerProduct, dispatcher: Dispatcher) -> None:
    """Once the queue is served, add ended runs to the totals."""
    await dispatcher.ready.wait()
    await product.make_metrics_keeper().run()


async def _keep_flows(keeper: FlowKeeper, dispatcher: Dispatcher) -> None:
    """Once the queue is served, look at flows that are due."""
    await dispatcher.ready.wait()
    try:
        await keeper.run()
    finally:
        keeper.stop()


async def _sync(syncer: Syncer, dispatcher: Dispatcher) -> None:
    """Once the queue is served, follow the repositories."""
    await dispatcher.ready.wait()
    await syncer.run()


async def _keep_audit(product: RunnerProduct, dispatcher: Dispatcher) -> None:
    """At the start and once a day: prune the audit log, and put its anchor into our own log."""
    await dispatcher.ready.wait()
    while True:
        try:
            await asyncio.to_thread(product.audit.keep)
        except FastFlowError as error:
            _log.warning("audit.not_kept", extra={"fields": {"why": error.message}})
        await asyncio.sleep(_AUDIT_SECONDS)


async def _keep_workbenches(product: RunnerProduct, dispatcher: Dispatcher) -> None:
    """Once the queue is served, take in what runs of workbenches left; at the start, what ended while nobody was here."""
    await dispatcher.ready.wait()
    while True:
        await asyncio.to_thread(product.look_after_workbenches)
        await asyncio.sleep(_WORKBENCH_SECONDS)


async def _keep_up(product: RunnerProduct, dispatcher: Dispatcher) -> None:
    """At the start and once an hour: remove what has outlived its time."""
    await dispatcher.ready.wait()
    await product.make_upkeep().run()


async def _preheat(product: RunnerProduct, dispatcher: Dispatcher) -> None:
    """Once the queue is served, build environments ahead of runs, for as long as the runner lives."""
    await dispatcher.ready.wait()
    if product.settings.uv_pre_heat:
        await product.make_warm_up().keep_warm()


def _write_report(path: Path, told: Mapping[str, Any]) -> None:
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(json.dumps(told, default=str), encoding="utf-8")
    fresh.replace(path)


@contextlib.asynccontextmanager
async def _only_one(run_dir: Path, patience_seconds: float) -> AsyncIterator[None]:
    """Hold the data directory's runner lock; the kernel lets go of it however this process ends.

    A runner that is just ending is waited for: a lock tells nobody when it becomes free.
    """
    deadline = time.monotonic() + patience_seconds
    with _open_lock(run_dir.parent / RUNNER_LOCK) as lock:
        while not _try_lock(lock):
            if time.monotonic() >= deadline:
                lock.seek(0)
                owner = lock.read().strip() or "unknown"
                raise RunnerBusy(f"Another runner (process {owner}) serves {run_dir.parent}.")
            await asyncio.sleep(_LOCK_LOOK_SECONDS)
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _open_lock(path: Path) -> IO[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("a+", encoding="ascii")


def _try_lock(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the runner process; the exit code. What it was told by argument is described in `serve.py`."""
    parser = argparse.ArgumentParser(prog="python -m fastflow.runner")
    parser.add_argument("--ready-fd", type=int, help="a pipe that is told once the queue is served")
    given = parser.parse_args(arguments)
    reporter = Reporter(given.ready_fd)
    try:
        settings = load_settings()
        configure_logging("runner", settings.log_level, settings.log_format)
        from fastflow.bootstrap import build_product  # the command line imports this module and has a product already

        product = build_product(settings)
        product.secrets.verify_key()  # before a run is touched: one that cannot have its secrets would fail for good
        if product.made_key_file is not None:
            reporter.say(KEY_MADE.format(product.made_key_file))
        uvloop.run(run_forever(product, on_ready=reporter.ready))
    except FastFlowError as error:
        reporter.fail(error.message, error.hint, error.fields)
        return _EXIT_CONFIGURATION if isinstance(error, InvalidInput | RunnerBusy) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
