"""The process executor: runs on this machine, each under a supervisor forked from a zygote."""

import asyncio
import json
import logging
import os
import pwd
import signal
import socket
import struct
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.kernel.executors.port import Exit, Handle, Reason, RunKey, RunSpec, ToldEvent
from fastflow.kernel.executors.process.attempt import Attempt, exit_from_record, read_exit
from fastflow.kernel.executors.process.cgroups import CgroupTree, find_tree, remove_eventually
from fastflow.kernel.executors.process.spec import (
    Surroundings,
    build_order,
    find_run_user,
    prepare_folders,
    remove_folder,
)
from fastflow.kernel.executors.process.stable import ZygoteStable
from fastflow.kernel.executors.process.zygotes import SIDECAR, ZygoteFactory, own_interpreter

log = logging.getLogger(__name__)

START_SECONDS = 60.0
"""How long a supervisor may take until the user's process exists; only a machine out of breath takes that long."""
LAUNCH_TRIES = 3
_DOCTOR_HINT = "`fastflow doctor` tells what isolation this machine allows."
_SIZE = struct.Struct("!I")


class ProcessExecutor:
    """Runs as processes of this machine.

    Args:
        data_dir: the product's data folder; attempts live in its `supervised/`.
        run_user: whom runs act as when the server is root; None finds an unused id.
        warm_environments: environments kept warm at once; 0 starts every run cold.
        warm_idle: seconds after its last run when a warm environment is let go.
        hidden: more folders and files that no run may see (logs, keys, `.env`).
        readable, writable: paths outside a run's own folders that it may use.
        without: means of isolation to leave alone although the machine offers them (`user`, `mount`, `pid`, `ipc`,
            `network`, `landlock`).
    """

    kind = "process"

    def __init__(
        self,
        *,
        data_dir: Path,
        run_user: str | None = None,
        warm_environments: int = 4,
        warm_idle: float = 900.0,
        hidden: Sequence[Path] = (),
        readable: Sequence[Path] = (),
        writable: Sequence[Path] = (),
        without: Collection[str] = (),
    ) -> None:
        self._data_dir = data_dir
        self._supervised = data_dir / "supervised"
        self._hidden = [data_dir, *hidden, *_home()]
        self._readable = list(readable)
        self._writable = list(writable)
        self._without = frozenset(without)
        self._why: dict[str, str] = {}
        self._user = find_run_user(run_user)
        self._factory = ZygoteFactory(
            user=self._user,
            reach=[SIDECAR, data_dir, *readable, *writable],
            log_path=data_dir / "run" / "zygotes.log",
        )
        self._stable = ZygoteStable(self._factory, limit=warm_environments, idle=warm_idle)
        self._attempts: dict[RunKey, Attempt] = {}
        self._around: Surroundings | None = None
        self._tree = CgroupTree(name="unopened")

    # -- life cycle ------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Find out what isolation works, set up control groups, start the first zygote."""
        self._supervised.mkdir(parents=True, exist_ok=True, mode=0o755)
        (self._data_dir / "run").mkdir(exist_ok=True)
        name = f"fastflow-{_folder_tag(self._data_dir)}"
        self._tree = await asyncio.to_thread(find_tree, name)
        found = await self._factory.probe(self._supervised)
        self._why = {**found.pop("why"), **dict.fromkeys(sorted(self._without), "switched off")}
        plan = {name: works and name not in self._without for name, works in found.items()}
        self._factory.plan = plan
        self._around = Surroundings(
            user=self._user, hidden=self._hidden, readable=self._readable, writable=self._writable, plan=plan
        )
        await self._stable.cold(Path(own_interpreter()))
        self._sweep_groups()

    def _sweep_groups(self) -> None:
        if self._tree.version is None:
            return
        leftovers = (
            self._tree.leftovers()
        )  # first: a run that another process launches now makes its folder before its group
        for name in leftovers - {path.name for path in self._supervised.iterdir()}:
            self._tree.remove(name)

    async def close(self) -> None:
        """Let go of zygotes and connections; runs go on under their supervisors."""
        await self._stable.close()
        for attempt in list(self._attempts.values()):
            await attempt.close()

    # -- the port --------------------------------------------------------------------------------------------------

    async def launch(self, spec: RunSpec) -> Handle:
        """Start the supervisor and the user's process; see the port."""
        around = self._opened()
        folder = self._folder(spec.key)
        try:
            prepare_folders(spec, folder, self._user)
            group = self._tree.create(folder.name, spec.limits)
            order = build_order(spec, folder, around, group, self._tree)
            log_descriptor = os.open(spec.log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise LaunchFailed(f"The run's folders could not be made: {error}.") from error
        members = [os.open(path, os.O_WRONLY | os.O_CLOEXEC) for path in (group.member_files if group else ())]
        try:
            attempt, told = await self._start(spec, folder, order, [log_descriptor, *members])
        finally:
            for descriptor in (log_descriptor, *members):
                os.close(descriptor)
        if told is None:
            raise LaunchFailed(_start_failure(attempt), hint="")
        return Handle(
            key=spec.key,
            started_at=datetime.fromtimestamp(told["at"], UTC),
            isolation=told["isolation"],
        )

    async def _start(
        self, spec: RunSpec, folder: Path, order: Mapping[str, Any], descriptors: Sequence[int]
    ) -> tuple[Attempt, Mapping[str, Any] | None]:
        for attempt_number in range(LAUNCH_TRIES):
            zygote = await self._stable.choose(spec)
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            ours.setblocking(False)
            try:
                await zygote.fork([theirs.fileno(), *descriptors], network=spec.network)
            except OSError as error:
                log.warning("executor.zygote_died", extra={"zygote": zygote.name, "why": str(error)})
                self._stable.forget(zygote)
                ours.close()
                continue
            finally:
                theirs.close()
            attempt = Attempt(spec.key, folder)
            body = json.dumps(order).encode()
            try:
                await asyncio.get_running_loop().sock_sendall(ours, _SIZE.pack(len(body)) + body)
            except OSError:
                ours.close()
            else:
                attempt.attach(ours)
                told = await self._await_start(attempt)
                if told is not None or (folder / "ctl" / "started").exists():
                    self._attempts[spec.key] = attempt
                    return attempt, told
            if attempt.refused:
                raise LaunchFailed(f"The supervisor could not be started: {attempt.refused}.", hint=_DOCTOR_HINT)
            # the zygote died before its child had begun: nothing has started, so another try is safe
            log.warning("executor.start_again", extra={"run_id": spec.key.run_id, "attempt": attempt_number + 1})
            (folder / "ctl" / "control.sock").unlink(missing_ok=True)
        raise LaunchFailed("No helper process stayed alive long enough to start the run.")

    async def _await_start(self, attempt: Attempt) -> Mapping[str, Any] | None:
        try:
            return await asyncio.wait_for(asyncio.shield(attempt.started), START_SECONDS)
        except TimeoutError as error:
            if await self.seal(attempt.key):
                raise LaunchFailed(f"The supervisor did not start within {START_SECONDS:g} s.") from error
            await self.stop(attempt.key, reason="setup", reason_text="the start took too long", grace=0)
            return await attempt.started

    async def machine_cpus(self) -> float | None:
        """This machine's processors; see the port."""
        return os.cpu_count()

    async def wait(self, key: RunKey) -> Exit:
        """The run's end; see the port."""
        attempt = await self._attempt(key)
        record = await asyncio.shield(attempt.exit)
        if record is None:
            record = read_exit(attempt.control)
        if record is not None:
            return exit_from_record(key, record)
        await asyncio.to_thread(self._kill_leftovers, key)
        started = (attempt.control / "started").exists()
        return Exit(
            key=key,
            reason="lost" if started else "setup",
            reason_text=_lost_text(attempt.control) if started else "the supervisor ended before it started the script",
            exit_code=None,
            started_at=None,
            finished_at=datetime.now(UTC),
        )

    async def follow(self, key: RunKey, after_offset: int) -> AsyncIterator[ToldEvent]:
        """What the run tells; see the port."""
        attempt = await self._attempt(key)
        async for event in attempt.events(after_offset):
            yield event

    async def stop(self, key: RunKey, *, reason: Reason, reason_text: str, grace: float) -> None:
        """Ask the supervisor to end the run; see the port."""
        attempt = await self._attempt(key)
        await attempt.send({"stop": {"reason": reason, "reason_text": reason_text, "grace": grace}})

    async def find_all(self) -> Sequence[RunKey]:
        """Every attempt with a control folder; see the port."""
        found = []
        for path in sorted(self._supervised.iterdir()):
            run_id, _dot, token = path.name.rpartition(".")
            if run_id and token.isdigit():
                found.append(RunKey(run_id=run_id, token=int(token)))
        return found

    async def seal(self, key: RunKey) -> bool:
        """Make sure that the attempt never starts, unless it has; see the port."""
        control = self._folder(key) / "ctl"
        control.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            os.close(os.open(control / "started", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return (control / "started").stat().st_size == 0 and (control / "sealed").exists()
        (control / "sealed").touch()
        return True

    async def discard(self, key: RunKey) -> None:
        """Remove what the attempt left; see the port."""
        attempt = self._attempts.pop(key, None)
        if attempt is not None:
            await attempt.close()
        await asyncio.to_thread(self._remove, key)

    def _remove(self, key: RunKey) -> None:
        remove_folder(self._folder(key))
        if self._tree.version is not None and not remove_eventually(self._tree, self._folder(key).name):
            log.warning("executor.cgroup_stays", extra={"run_id": key.run_id})

    def describe(self) -> Mapping[str, Any]:
        """What is in force on this machine; see the port."""
        plan = self._around.plan if self._around else {}
        names = ("user", "mount", "pid", "ipc", "network")
        return {
            "kind": self.kind,
            "run_user": self._user.uid if self._user.uid is not None else f"{os.geteuid()} (the server's own)",
            "namespaces": [name for name in names if plan.get(name)],
            "landlock": bool(plan.get("landlock")),
            "files": "view" if plan.get("mount") else ("landlock" if plan.get("landlock") else "open"),
            "missing": dict(self._why),
            "cgroup": self._tree.version,
            "cgroup_limits": sorted(self._tree.bases),
            "cgroup_why": self._tree.why,
            "memory_limit": "cgroup" if self._tree.enforces("memory") else "rlimit and watching",
            "pids_limit": "cgroup" if self._tree.enforces("pids") else ("rlimit" if plan.get("user") else "none"),
            "cpu_limit": "cgroup" if self._tree.enforces("cpu") else "none",
            "warm": self._stable.describe(),
        }

    # -- inside ------------------------------------------------------------------------------------------------------

    def _opened(self) -> Surroundings:
        if self._around is None:
            raise RuntimeError("open() was not called")
        return self._around

    def _folder(self, key: RunKey) -> Path:
        return self._supervised / f"{key.run_id}.{key.token}"

    async def _attempt(self, key: RunKey) -> Attempt:
        attempt = self._attempts.get(key)
        if attempt is None:
            attempt = self._attempts[key] = Attempt(key, self._folder(key))
            if not await attempt.connect():
                attempt.settle()
        return attempt

    def _kill_leftovers(self, key: RunKey) -> None:
        """End every process of an attempt whose supervisor is gone: by its control group, and by its run id."""
        mark = f"FASTFLOW_RUN_ID={key.run_id}".encode()
        pids = self._tree.members(self._folder(key).name) if self._tree.version is not None else set()
        for entry in os.scandir("/proc"):
            if entry.name.isdigit() and int(entry.name) not in pids and _has_variable(entry.path, mark):
                pids.add(int(entry.name))
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # ended meanwhile


def _has_variable(process: str, mark: bytes) -> bool:
    try:
        return mark in Path(process, "environ").read_bytes().split(b"\0")
    except OSError:
        return False  # ended meanwhile, or not ours


def _start_failure(attempt: Attempt) -> str:
    record = read_exit(attempt.control)
    return str(record["reason_text"]) if record else "the supervisor ended before it started the script"


def _lost_text(control: Path) -> str:
    booted = float(Path("/proc/uptime").read_text().split()[0])
    age = datetime.now(UTC).timestamp() - (control / "started").stat().st_mtime
    if age > booted:
        return "the machine restarted while the script was running"
    return "the run's supervisor was killed, so nobody saw how the script ended; what was left of it has been ended"


def _home() -> list[Path]:
    try:
        home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return []
    return [home] if home.is_dir() and home != Path("/") else []


def _folder_tag(folder: Path) -> str:
    status = folder.stat()
    return f"{status.st_dev:x}-{status.st_ino:x}"
