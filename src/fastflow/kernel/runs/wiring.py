"""Assembles runs: the service for the web process and the command line, the dispatcher for the runner process, whose parts
are imported there alone."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.wakeups import Receiver, Sender, Signals, make_receiver, open_sender, web_socket
from fastflow.kernel.environments.service import EnvironmentService
from fastflow.kernel.executors.port import Executor, RunsElsewhere, StartsFromImage
from fastflow.kernel.runs.domain.commands import LOST_AFTER_SECONDS, WATCH_SECONDS
from fastflow.kernel.runs.infra.at_end import AtEnd
from fastflow.kernel.runs.infra.comparing import KeptParts
from fastflow.kernel.runs.infra.inputs import DiskInputs
from fastflow.kernel.runs.infra.read_store import SqlReadStore
from fastflow.kernel.runs.infra.submit_store import SqlSubmitStore
from fastflow.kernel.runs.ports import Catalogue, CodeCopies, Handing, NeededCode, SecretVersions
from fastflow.kernel.runs.service import RunPolicy, RunService
from fastflow.kit.clock import Clock, SystemClock
from fastflow.kit.ids import new_id

if TYPE_CHECKING:
    from fastflow.kernel.runs.dispatcher import Dispatcher
    from fastflow.kernel.runs.infra.code import Snapshots

    class Code(Snapshots, CodeCopies, Protocol):
        """The copies of pipelines' code, to be run and to be removed."""


@dataclass(frozen=True, kw_only=True)
class RunsRoom:
    """The service of the room and how it hears from the runner.

    Attributes:
        signals: feed it every message the web process receives: `receiver` does.
        sender: wakes the runner.
    """

    runs: RunService
    signals: Signals
    sender: Sender
    database: Database
    run_dir: Path

    def receiver(self, *listeners: Callable[[str], None]) -> Receiver:
        """Hears the runner's messages in a web process; open it in the event loop, close it at the end.

        Args:
            listeners: who else is told, in the loop's thread.
        """

        def tell(message: str) -> None:
            self.signals.notify(message)
            for listener in listeners:
                listener(message)

        return make_receiver(self.database, self.run_dir, web_socket(), tell)


def build_runs(
    database: Database,
    *,
    catalogue: Catalogue,
    environments: EnvironmentService,
    secrets: SecretVersions,
    data_dir: Path,
    policy: RunPolicy,
    at_end: Sequence[AtEnd] = (),
    clock: Clock | None = None,
) -> RunsRoom:
    """Runs on the product's database.

    Args:
        database: migrated.
        catalogue: the pipelines.
        environments: which are built.
        secrets: their versions.
        data_dir: the sockets are in its `run` folder.
        policy: the installation's rules.
        at_end: features that act when a run ends; the same as the dispatcher's.
        clock: None: the machine's own.
    """
    run_dir = data_dir / "run"
    signals = Signals()
    sender = open_sender(database, run_dir)
    service = RunService(
        submits=SqlSubmitStore(database, at_end=at_end),
        reads=SqlReadStore(database),
        catalogue=catalogue,
        environments=environments,
        secrets=secrets,
        comparison=KeptParts(catalogue, environments),
        wakeup=sender,
        expect=signals.expect,
        clock=clock or SystemClock(),
        policy=policy,
        inputs=DiskInputs(data_dir / "inputs"),
    )
    return RunsRoom(runs=service, signals=signals, sender=sender, database=database, run_dir=run_dir)


def build_dispatcher(
    database: Database,
    *,
    snapshots: "Code",
    environments: EnvironmentService,
    secrets: SecretVersions,
    executors: Mapping[str, Executor],
    data_dir: Path,
    logs_dir: Path,
    max_concurrent_runs: int,
    log_max_bytes: int | None = None,
    log_retention_runs: int | None = None,
    log_retention_days: float | None = None,
    code_retention_days: float = 30.0,
    lost_after: float = LOST_AFTER_SECONDS,
    url: str | None = None,
    min_free_disk_mb: int = 0,
    at_end: Sequence[AtEnd] = (),
    handing: Handing | None = None,
    trace_share: float | None = None,
    is_code_needed: NeededCode | None = None,
    clock: Clock | None = None,
) -> "Dispatcher":
    """The dispatcher of this data directory's runner.

    Args:
        database: migrated.
        snapshots: the pipelines' code.
        environments: builds what is missing.
        secrets: values for launches.
        executors: by kind; the dispatcher opens and closes them.
        data_dir: holds artifacts, sockets and the host's id.
        logs_dir: one log for each run.
        max_concurrent_runs: over all runners of the database.
        log_max_bytes: size at which a log is cut; None means never.
        log_retention_runs: see `DispatcherParts`.
        log_retention_days: see `DispatcherParts`.
        code_retention_days: days after its last use when a copy of code that no run needs is removed.
        lost_after: seconds of silence after which the runs of another host are given up.
        url: where the other servers of the database reach this one.
        min_free_disk_mb: free space below which no new run is started.
        at_end: features that act when a run ends, in the order in which they act.
        handing: gathers what a run of a flow is given of the runs before it.
        trace_share: see `SpecMaker`.
        is_code_needed: of copies of code, those that something else than runs needs.
        clock: None: the machine's own.
    """
    from fastflow.kernel.runs.dispatcher import Dispatcher, DispatcherParts
    from fastflow.kernel.runs.dispatcher.launch import SpecMaker
    from fastflow.kernel.runs.dispatcher.retention import Retention
    from fastflow.kernel.runs.infra.code import SnapshotMaker
    from fastflow.kernel.runs.infra.disk import DiskFloor
    from fastflow.kernel.runs.infra.files import RunFolder
    from fastflow.kernel.runs.infra.lease_store import SqlLeaseStore
    from fastflow.kernel.runs.infra.retention_store import SqlRetentionStore

    clock = clock or SystemClock()
    inputs = DiskInputs(data_dir / "inputs")
    files = RunFolder(logs_dir, data_dir / "artifacts", clock)
    images = {kind: executor for kind, executor in executors.items() if isinstance(executor, StartsFromImage)}
    elsewhere = {kind for kind, executor in executors.items() if isinstance(executor, RunsElsewhere)}
    return Dispatcher(
        DispatcherParts(
            host=read_host_id(data_dir),
            store=SqlLeaseStore(database, lost_after=lost_after, watch_seconds=WATCH_SECONDS, at_end=at_end),
            executors=executors,
            specs=SpecMaker(
                SnapshotMaker(snapshots, environments, images, elsewhere),
                secrets,
                files,
                log_max_bytes,
                handing,
                trace_share,
                inputs,
            ),
            files=files,
            retention=Retention(
                SqlRetentionStore(database, read_host_id(data_dir)),
                files,
                clock,
                code=snapshots,
                code_unused=timedelta(days=code_retention_days),
                also_needed=is_code_needed,
                inputs=inputs,
            ),
            wakeup=open_sender(database, data_dir / "run"),
            clock=clock,
            max_concurrent=max_concurrent_runs,
            log_retention_runs=log_retention_runs,
            log_retention_days=log_retention_days,
            url=url,
            why_not=DiskFloor({"DATA_DIR": data_dir, "LOGS_DIR": logs_dir}, min_free_disk_mb),
        )
    )


def read_host_id(data_dir: Path) -> str:
    """The data directory's identity, made at the first call; it stays when the directory moves to another machine."""
    path = data_dir / "host_id"
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        fresh = path.with_name(f"host_id.{new_id()}")  # threads of one process may come here at once, too
        data_dir.mkdir(parents=True, exist_ok=True)
        fresh.write_text(new_id(), encoding="ascii")
        try:
            os.link(fresh, path)  # of two processes that come here at once the first one wins
        except FileExistsError:
            return path.read_text(encoding="ascii").strip()
        finally:
            fresh.unlink()
        return path.read_text(encoding="ascii").strip()
