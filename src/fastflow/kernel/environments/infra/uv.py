"""Running uv: a clean environment, lines as they come, one time limit, and its own words when it fails."""

import asyncio
import contextlib
import logging
import os
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fastflow.kernel.environments.domain.errors import SetupFailed
from fastflow.kernel.environments.ports import GENTLY, OnLine
from fastflow.kit.addresses import without_credentials

MAX_MESSAGE_CHARS = 4000
"""How much of uv's text a SetupFailed carries: its end, where the reason is."""
_MAX_LINE_BYTES = 16 * 1024 * 1024
_KEPT_LINES = 2000
_GENTLE_NICE = 10
_END_SECONDS = 5.0
_log = logging.getLogger(__name__)

_INHERITED = frozenset(
    {
        "PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "NETRC", "SSL_CERT_FILE", "SSL_CERT_DIR",
        "SSL_CLIENT_CERT", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy",
        "https_proxy", "all_proxy", "no_proxy", "XDG_CONFIG_HOME", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL",
        "UV_FIND_LINKS", "UV_NO_INDEX", "UV_OFFLINE", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS", "UV_INSECURE_HOST",
        "UV_KEYRING_PROVIDER", "UV_EXCLUDE_NEWER", "UV_HTTP_TIMEOUT", "UV_HTTP_RETRIES", "UV_CONFIG_FILE",
        "UV_PYTHON_INSTALL_MIRROR", "UV_PYPY_INSTALL_MIRROR", "UV_PYTHON_DOWNLOADS", "UV_PYTHON_DOWNLOADS_JSON_URL",
        "UV_PYTHON_PREFERENCE", "UV_CONCURRENT_DOWNLOADS", "UV_CONCURRENT_BUILDS", "UV_CONCURRENT_INSTALLS",
        "UV_NO_BUILD", "UV_NO_BINARY", "UV_TORCH_BACKEND",
    }
)  # fmt: skip
_INHERITED_PREFIXES = ("UV_INDEX",)  # UV_INDEX, UV_INDEX_URL, UV_INDEX_STRATEGY, UV_INDEX_<NAME>_USERNAME ...


@dataclass(frozen=True, kw_only=True)
class UvConfig:
    """How uv is run.

    Attributes:
        binary: the uv executable.
        cache_dir: its cache, shared by all builds.
        python_dir: where it keeps the interpreters it downloads.
        environ: the server's environment; only what uv needs is taken from it.
        command_prefix: put before every command, such as a sandbox.
        timeout_seconds: of one uv command.
    """

    binary: Path
    cache_dir: Path
    python_dir: Path
    environ: Mapping[str, str]
    command_prefix: Sequence[str] = ()
    timeout_seconds: float = 1800.0


class Program(Protocol):
    """A started program, as far as it is followed."""

    @property
    def stdout(self) -> asyncio.StreamReader | None:
        """What it writes."""
        ...

    @property
    def stderr(self) -> asyncio.StreamReader | None:
        """What it complains."""
        ...

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        ...

    async def wait(self) -> int:
        """Its exit code."""
        ...


class Uv:
    """Starts uv and other short programs of setting up."""

    def __init__(self, config: UvConfig) -> None:
        self.config = config
        self._env = clean_environment(config)
        self._version: str | None = None

    async def version(self) -> str:
        """The version of uv, such as `0.8.3`."""
        if self._version is None:
            told = await self.run("--version", cwd=None)
            self._version = told.split()[1]
        return self._version

    async def run(
        self, *arguments: str, cwd: Path | None, on_line: OnLine | None = None, hold: Sequence[int] = ()
    ) -> str:
        """What `uv ARGUMENTS` wrote to stdout; its stderr goes to `on_line` as it comes.

        The descriptors in `hold` are inherited, so that the locks on them last as long as the process does.

        Raises:
            SetupFailed: it could not be started, failed or took too long; the message is its own text.
        """
        command = [*self.config.command_prefix, str(self.config.binary), *arguments]
        return await self.execute(command, cwd=cwd, on_line=on_line, hold=hold)

    async def execute(
        self, command: Sequence[str], *, cwd: Path | None, on_line: OnLine | None = None, hold: Sequence[int] = ()
    ) -> str:
        """As `run`, for any program."""
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=cwd,
                env=self._env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                pass_fds=tuple(hold),
                limit=_MAX_LINE_BYTES,
            )
        except OSError as error:
            raise SetupFailed(
                f"{command[0]} could not be started: {error.strerror}.",
                hint="Check the installation of Fast-Flow: `fastflow doctor` tells which uv it uses.",
            ) from error
        if GENTLY.get():
            _step_back(process.pid)
        return await self._follow(process, on_line, hidden=str(cwd or ""))

    async def _kill(self, process: "Program") -> None:
        """End the whole group: uv starts Python to build packages and to compile bytecode."""
        assert isinstance(process, asyncio.subprocess.Process)
        with contextlib.suppress(ProcessLookupError, TimeoutError):
            process.terminate()  # the command prefix ends also what has left the group, as far as it is asked
            await asyncio.wait_for(process.wait(), _END_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

    async def _follow(self, process: "Program", on_line: OnLine | None, hidden: str) -> str:
        told: deque[str] = deque(maxlen=_KEPT_LINES)
        try:
            async with asyncio.timeout(self.config.timeout_seconds), asyncio.TaskGroup() as group:
                output = group.create_task(_read(process.stdout))
                group.create_task(_pass_on(process.stderr, told, on_line, hidden))
                group.create_task(process.wait())
        except TimeoutError as error:
            raise SetupFailed(
                f"uv did not finish within {self.config.timeout_seconds:g} seconds. Its last words:\n{_message(told)}",
                hint="Check the network and the package index; what was downloaded is kept, so a repeat goes further.",
            ) from error
        finally:
            if process.returncode is None:
                await self._kill(process)
        if process.returncode != 0:
            raise _failure(_message(told) or f"uv ended with {process.returncode} and said nothing.")
        return output.result()


def _step_back(group: int) -> None:
    try:
        os.setpriority(os.PRIO_PGRP, group, _GENTLE_NICE)
    except OSError as error:  # ended already, or this machine does not let us: it then builds like any other
        _log.debug("uv.not_gentle", extra={"fields": {"error": error.strerror}})


async def _read(stream: asyncio.StreamReader | None) -> str:
    assert stream is not None
    return (await stream.read()).decode(errors="replace")


async def _pass_on(stream: asyncio.StreamReader | None, told: deque[str], on_line: OnLine | None, hidden: str) -> None:
    """Hand on each line, with paths in the work folder made relative: it is gone when somebody reads them."""
    assert stream is not None
    while line := await stream.readline():
        text = without_credentials(line.decode(errors="replace").rstrip())  # of an index, or of a requirement from Git
        if len(hidden) > 1:
            text = text.replace(f"file://{hidden}/", "").replace(f"{hidden}/", "")
        told.append(text)
        if on_line is not None:
            on_line(text)


def clean_environment(config: UvConfig) -> dict[str, str]:
    """The variables uv gets: an allow-list of the server's own, and ours. No secret of the server is among them, and
    nothing that changes what is built, such as PYTHONDONTWRITEBYTECODE."""
    kept = {
        name: value
        for name, value in config.environ.items()
        if name in _INHERITED or name.startswith(_INHERITED_PREFIXES)
    }
    return kept | {
        "UV_CACHE_DIR": str(config.cache_dir),
        "UV_PYTHON_INSTALL_DIR": str(config.python_dir),
        "UV_NO_PROGRESS": "1",
        "NO_COLOR": "1",
    }


def _message(told: deque[str]) -> str:
    text = "\n".join(told).strip()
    if len(text) <= MAX_MESSAGE_CHARS:
        return text
    return "…" + text[-MAX_MESSAGE_CHARS:]


def _failure(text: str) -> SetupFailed:
    for mark, hint in _HINTS:
        if mark in text:
            return SetupFailed(text, hint=hint)
    return SetupFailed(text)


_HINTS = (
    (
        "No space left on device",
        "Free space on the disk that holds DATA_DIR; `POST /environments/gc` removes unused ones.",
    ),
    ("lockfile", "Run `uv lock` in the pipeline's folder and commit uv.lock."),
    ("No solution found", "Loosen or correct the requirement that the message names."),
    ("not found in the package registry", "Correct the package's name, or name the index that has it."),
    ("dns error", "The package index cannot be reached from this machine: check the network or the proxy settings."),
    (
        "tcp connect error",
        "The package index cannot be reached from this machine: check the network or the proxy settings.",
    ),
    ("hash mismatch", "The index serves another file than the lock names: lock again, and find out why it changed."),
)
