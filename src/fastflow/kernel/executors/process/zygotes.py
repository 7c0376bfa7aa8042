"""The warm and cold zygotes that a runner keeps: one per interpreter, and one per environment that is worth it."""

import array
import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastflow.kernel.executors.errors import LaunchFailed

log = logging.getLogger(__name__)

SIDECAR = Path(__file__).resolve().parent.parent / "sidecar"
READY_SECONDS = 60.0
"""How long preloading may take before the warm start is given up."""
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}


@dataclass(frozen=True, kw_only=True)
class RunUser:
    """Whom runs act as. None in both: the server's own user (the server is not root)."""

    uid: int | None
    gid: int | None


@dataclass(kw_only=True)
class Zygote:
    """One running zygote.

    Attributes:
        unfit: why forking it is not safe; None when it is.
        last_used: loop time of the last launch.
    """

    name: str
    process: subprocess.Popen[bytes]
    channel: socket.socket
    warm: bool
    unfit: str | None = None
    modules: tuple[str, ...] = ()
    last_used: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def alive(self) -> bool:
        """Whether its process still runs."""
        return self.process.poll() is None

    async def fork(self, descriptors: Sequence[int], *, network: bool) -> None:
        """Have it fork a supervisor that gets the descriptors, born into a network namespace unless `network`.

        Raises:
            OSError: the zygote has died.
        """
        message = array.array("i", descriptors)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, message)]
        async with self.lock:
            while True:
                try:
                    self.channel.sendmsg([b"network" if network else b"no network"], rights)
                    return
                except BlockingIOError:
                    await _writable(self.channel)

    def end(self) -> None:
        """Let it go; the supervisors it forked are on their own already."""
        self.channel.close()
        self.process.kill()
        self.process.wait()


async def _writable(channel: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_writer(channel.fileno(), tell)
    try:
        await ready
    finally:
        loop.remove_writer(channel.fileno())


class ZygoteFactory:
    """Starts zygotes and one-off sidecar commands as the user runs act as.

    Args:
        user: whom to become (needs root) or nobody else.
        reach: paths that user must be able to reach, whatever folders lie on the way.
        log_path: where their stderr goes.

    Attributes:
        plan: which namespaces runs get; set once the machine has been probed.
    """

    def __init__(self, *, user: RunUser, reach: Sequence[Path], log_path: Path) -> None:
        self.plan: Mapping[str, Any] = {}
        self._user = user
        self._reach = [str(path) for path in reach]
        self._log_path = log_path

    def command(self, argv: Sequence[str], *, reach: Sequence[Path] = (), nice: int = 0) -> list[str]:
        """`argv` as a command line that first becomes the run user, where the server is root."""
        if self._user.uid is None:
            return list(argv)
        order = {
            "uid": self._user.uid,
            "gid": self._user.gid,
            "reach": self._reach + [str(path) for path in reach],
            "argv": list(argv),
            "env": _ENVIRONMENT,
            "nice": nice,
        }
        return [own_interpreter(), "-I", "-S", str(SIDECAR), "enter", json.dumps(order)]

    async def start(self, name: str, python: Path, modules: Sequence[str], *, warm: bool, nice: int = 0) -> Zygote:
        """Start a zygote under `python` and wait until its imports are done.

        Raises:
            LaunchFailed: it ended or did not get ready in time.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        order = {"channel": theirs.fileno(), "modules": list(modules), "warm": warm, "plan": dict(self.plan)}
        flags = ["-I"] if warm else ["-I", "-S"]
        argv = [str(python), *flags, str(SIDECAR), "zygote", json.dumps(order)]
        try:
            with self._log_path.open("ab") as stderr:
                process = subprocess.Popen(  # noqa: ASYNC220  a zygote outlives no loop of its own: it needs no watcher
                    self.command(argv, reach=[interpreter_prefix(python)], nice=nice),
                    stdin=subprocess.DEVNULL,
                    stdout=stderr,
                    stderr=stderr,
                    env=_ENVIRONMENT,
                    cwd="/",
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
        except OSError as error:  # as root a command before it fails; else it is the interpreter itself that is missing
            ours.close()
            raise LaunchFailed(f"The helper process {name} could not be started: {error.strerror}.") from error
        finally:
            theirs.close()
        ours.setblocking(False)
        zygote = Zygote(name=name, process=process, channel=ours, warm=warm, modules=tuple(modules))
        try:
            told = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(ours, 1 << 16), READY_SECONDS)
        except (TimeoutError, OSError) as error:
            zygote.end()
            raise LaunchFailed(f"The helper process {name} did not get ready within {READY_SECONDS:g} s.") from error
        except asyncio.CancelledError:
            zygote.end()
            raise
        if not told:
            zygote.end()
            raise LaunchFailed(f"The helper process {name} ended at its start; {self._log_path} says why.")
        report = json.loads(told)
        zygote.unfit = report["unfit"]
        for module, why in report["failed"].items():
            log.debug("zygote.preload_failed", extra={"zygote": name, "module_name": module, "why": why})
        return zygote

    async def probe(self, tmp: Path) -> dict[str, Any]:
        """What isolation works here for the run user; see `sidecar/probe.py`."""
        argv = [own_interpreter(), "-I", "-S", str(SIDECAR), "probe", json.dumps({"tmp": str(tmp)})]
        process = await asyncio.create_subprocess_exec(
            *self.command(argv, reach=[interpreter_prefix(Path(own_interpreter()))]),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_ENVIRONMENT,
            cwd="/",
        )
        out, err = await process.communicate()
        if process.returncode != 0:
            last = err.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
            raise LaunchFailed(f"The isolation check failed: {last[0]}")
        found: dict[str, Any] = json.loads(out)
        return found


def own_interpreter() -> str:
    """The interpreter below the server's virtual environment."""
    return os.path.realpath(sys.executable)


def real_interpreter(python: Path) -> Path:
    """The interpreter that `python`, possibly a link in an environment, really is."""
    return Path(os.path.realpath(python))


def interpreter_prefix(python: Path) -> Path:
    """The folder of the installation that `python` (possibly a link in an environment) really is."""
    return real_interpreter(python).parent.parent
