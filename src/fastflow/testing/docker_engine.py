"""A real container engine for tests and benchmarks: the machine's own when it has one, else a private `dockerd`.

A private one has its data, socket and process files in a folder of its own and lives in a network namespace of its own,
so that it changes neither bridges nor packet filters of the machine (with `--bridge=none` it would remove the bridge of
the machine's own engine). Its containers reach one another and nothing else. The one in the cache folder is shared by all
test sessions of the machine: who comes first starts it, who leaves last stops it, so that nothing but what was started
here is ever ended. Tests that restart or break an engine start one for themselves.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

WORKER_IMAGE = "fastflow-worker:bookworm"
MACHINE_SOCKET = Path("/var/run/docker.sock")
START_SECONDS = 60.0
STOP_SECONDS = 60.0
_SCRIPT = Path(__file__).parents[3] / "scripts" / "worker-image.sh"


class DockerEngine:
    """A private `dockerd`.

    Args:
        folder: for everything of it; its path is short enough for a socket.
        live_restore: containers go on while the engine is away.
    """

    def __init__(self, folder: Path, *, live_restore: bool = False) -> None:
        self.folder = folder
        self._live_restore = live_restore

    @property
    def path(self) -> Path:
        """The path of its socket."""
        return self.folder / "docker.sock"

    @property
    def host(self) -> str:
        """Its address."""
        return f"unix://{self.path}"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        try:
            pid = int((self.folder / "dockerd.pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return None
        return pid if str(self.folder).encode() in command and not _has_ended(pid) else None

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            RuntimeError: it is not installed or does not come up; carries the end of its log.
        """
        if shutil.which("dockerd") is None:
            raise RuntimeError("There is no dockerd on this machine (Debian: apt-get install docker.io).")
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o711)
        for note in (self.folder / "dockerd.pid", self.folder / "exec" / "containerd" / "containerd.pid"):
            if note.exists() and _has_ended(int(note.read_text())):
                note.unlink()  # it takes a zombie of an earlier one for alive
        started = subprocess.run(
            ["sh", "-c", 'setsid "$@" </dev/null >>"$0" 2>&1 & echo $!', str(self.folder / "log"), *self._command()],
            check=True,
            capture_output=True,
            text=True,
            cwd="/",
        )
        pid = int(started.stdout)  # no child of ours: it outlives this process
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.path):
            if _has_ended(pid) or time.monotonic() > deadline:
                raise RuntimeError(f"dockerd did not come up:\n{(self.folder / 'log').read_text()[-3000:]}")
            time.sleep(0.05)

    def _command(self) -> Sequence[str]:
        folder = self.folder
        command = [
            "unshare",
            "--net",
            "dockerd",
            "-H",
            self.host,
            "--data-root",
            f"{folder}/data",
            "--exec-root",
            f"{folder}/exec",
        ]
        command += ["--pidfile", f"{folder}/dockerd.pid"]
        if self._live_restore:
            command.append("--live-restore")
        return command

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it and wait for its end and that of its containerd, which the next one would wait for in vain; with SIGTERM
        it ends its containers first, unless they may live on."""
        pid = self.pid
        if pid is None:
            return
        helper = self.folder / "exec" / "containerd" / "containerd.pid"
        pids = [pid, *([int(helper.read_text())] if helper.exists() else [])]
        os.kill(pid, number)
        deadline = time.monotonic() + STOP_SECONDS
        while not all(map(_has_ended, pids)):
            if time.monotonic() > deadline:
                raise RuntimeError(f"dockerd {pid} and its containerd did not end within {STOP_SECONDS:g} s")
            time.sleep(0.05)

    def remove(self) -> None:
        """End it, what it left, and its folder."""
        if self.pid is not None and self._live_restore:
            _remove_containers(self.host)
        self.stop()
        _end_containerd(self.folder)
        _unmount_below(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)


def _has_ended(pid: int) -> bool:
    """Whether it has ended; a zombie waits for whoever adopted it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _end_containerd(folder: Path) -> None:
    """The helper of a dockerd that was killed; and its helpers, which are named by the folder."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{folder}/exec/".encode() in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)


def _unmount_below(folder: Path) -> None:
    places = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for place in reversed([place for place in places if place.startswith(f"{folder}/")]):
        subprocess.run(["umount", "-l", place], check=False, capture_output=True)


def answers(path: Path) -> bool:
    """Whether an engine answers at the socket."""
    return _ask(f"unix://{path}", lambda client: client.ping()) is not None


def import_image(host: str, name: str = WORKER_IMAGE) -> None:
    """Make sure that the engine has the worker image, of the tar in the cache folder, which is built if need be."""
    tar = subprocess.run([str(_SCRIPT), "--tar"], check=True, capture_output=True, text=True).stdout.strip()
    label = Path(tar).stem
    if _ask(host, lambda client: client.inspect_image(f"{name}-{label[-12:]}")) is not None:
        return
    environment = {**os.environ, "DOCKER_HOST": host}
    subprocess.run([str(_SCRIPT), name], check=True, capture_output=True, env=environment)
    _ask(host, lambda client: client.tag(name, name.partition(":")[0], f"{name.partition(':')[2]}-{label[-12:]}"))


def _ask(host: str, what: Any) -> Any:
    """What the engine answers; None when it does not, or not with a yes."""
    import docker  # type: ignore[import-untyped]  # costs a quarter of a second
    from docker import errors
    from requests import exceptions

    if not _listens(host):
        return None
    try:
        client = docker.APIClient(host, timeout=60)
        try:
            return what(client)
        finally:
            client.close()
    except (errors.DockerException, exceptions.RequestException):
        return None


def _listens(host: str) -> bool:
    """Whether anybody does: the SDK leaves a socket open when nobody does."""
    knocking = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        knocking.connect(host.removeprefix("unix://"))
    except OSError:
        return False
    finally:
        knocking.close()
    return True


def _remove_containers(host: str) -> None:
    for container in _ask(host, lambda client: client.containers(all=True)) or ():
        _ask(host, lambda client, found=container: client.remove_container(found["Id"], force=True))


# --- the engine of all sessions ----------------------------------------------------------------------------------------


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastflow"


@contextmanager
def shared_engine() -> Iterator[str]:
    """The address of an engine that holds the worker image, while the block lasts.

    Raises:
        RuntimeError: there is none and none can be started.
    """
    folder = _cache_folder() / "engine"
    if answers(MACHINE_SOCKET):
        import_image(f"unix://{MACHINE_SOCKET}")
        yield f"unix://{MACHINE_SOCKET}"
        return
    folder.mkdir(parents=True, exist_ok=True)
    engine = DockerEngine(folder)
    with (_cache_folder() / "engine.users").open("w") as users:
        _join(engine, users)
        try:
            yield engine.host
        finally:
            _leave(engine, users)


def _join(engine: DockerEngine, users: IO[str]) -> None:
    with (_cache_folder() / "engine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        if not answers(engine.path):
            engine.start()
        import_image(engine.host)


def _leave(engine: DockerEngine, users: IO[str]) -> None:
    """The last one to leave stops it; its data stay for the next session."""
    with (_cache_folder() / "engine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_UN)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        engine.stop()
