"""Git as a child process that trusts nothing of the repositories it reads: no hooks, no configuration but ours, only the
schemes that are allowed, a limit of time and size, and a process group of its own."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastflow.kernel.sync.domain.errors import CodeTooLarge, GitFailed, GitMissing
from fastflow.kernel.sync.ports import Stop

_LOOK_SECONDS = 0.25
_END_SECONDS = 5.0
_MAX_TOLD = 2000
_CONFIGURATION = """\
[core]
    hooksPath = /dev/null
    fsmonitor = false
    symlinks = true
    autocrlf = false
    protectNTFS = true
    protectHFS = true
    askPass =
[fetch]
    fsckObjects = true
    recurseSubmodules = no
    unpackLimit = 1
    writeCommitGraph = false
[submodule]
    recurse = false
[transfer]
    bundleURI = false
[gc]
    autoDetach = false
[maintenance]
    auto = false
[http]
    lowSpeedLimit = 1000
    lowSpeedTime = 60
[safe]
    directory = *
    bareRepository = all
[advice]
    detachedHead = false
"""


@dataclass(frozen=True)
class Answer:
    """What Git said."""

    code: int
    out: bytes
    error: str

    @property
    def text(self) -> str:
        """Its output as text."""
        return self.out.decode("utf-8", "replace")


class Git:
    """Runs Git.

    Args:
        home: a folder for its configuration, made if missing.
        path_variable: PATH, to find Git and ssh.
        protocols: schemes it may fetch by.
        seconds: how long one command may take.
    """

    def __init__(self, home: Path, *, path_variable: str, protocols: Sequence[str], seconds: float) -> None:
        self._home = home
        self._path = path_variable
        self._protocols = protocols
        self._seconds = seconds
        self._is_open = False

    def open(self) -> None:
        """Make the folder and write the configuration that is the only one."""
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._home / f".config-{os.getpid()}"
        fresh.write_text(_CONFIGURATION, encoding="utf-8")
        fresh.replace(self._home / "config")
        self._is_open = True

    def run(
        self,
        *arguments: str,
        folder: Path,
        environ: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
        stop: Stop | None = None,
        is_too_large: Callable[[], bool] | None = None,
        hidden: Sequence[str] = (),
    ) -> Answer:
        """One command.

        Args:
            arguments: the command and its own arguments.
            folder: where it works.
            environ: more variables.
            options: `key=value` of more configuration; never a secret, others see it in the list of processes.
            stop: ends it early.
            is_too_large: asked while it works; True ends it.
            hidden: texts that are taken out of what it says.

        Raises:
            GitMissing: there is no Git.
            GitFailed: it took too long, or was stopped.
            CodeTooLarge: `is_too_large` said so.
        """
        settings = [part for option in options for part in ("-c", option)]
        if not self._is_open:
            self.open()
        try:
            process = subprocess.Popen(
                ["git", *settings, *arguments],
                cwd=folder,
                env=self._environ(environ or {}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise GitMissing("There is no Git on this machine.") from error
        except OSError as error:
            raise GitFailed(f"Git could not be started: {error.strerror}.") from error
        out, told = self._attend(process, arguments[0], stop, is_too_large)
        text = told.decode("utf-8", "replace")
        for secret in hidden:
            text = text.replace(secret, "********")
        return Answer(process.returncode, out, text.strip()[-_MAX_TOLD:])

    def _attend(
        self,
        process: "subprocess.Popen[bytes]",
        command: str,
        stop: Stop | None,
        is_too_large: Callable[[], bool] | None,
    ) -> tuple[bytes, bytes]:
        deadline = time.monotonic() + self._seconds
        try:
            while True:
                try:
                    return process.communicate(timeout=_LOOK_SECONDS)
                except subprocess.TimeoutExpired:
                    if stop is not None and stop.is_set():
                        raise GitFailed(f"`git {command}` was stopped: the server is ending.") from None
                    if is_too_large is not None and is_too_large():
                        raise CodeTooLarge("The repository holds more than GIT_MAX_MB.") from None
                    if time.monotonic() > deadline:
                        raise GitFailed(
                            f"`git {command}` took longer than {self._seconds:g} s.",
                            hint="Raise GIT_TIMEOUT, or see whether the repository's host is slow.",
                        ) from None
        finally:
            _end(process)

    def _environ(self, more: Mapping[str, str]) -> dict[str, str]:
        return {
            "PATH": self._path,
            "LC_ALL": "C",
            "HOME": str(self._home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": str(self._home / "config"),
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": ":".join(self._protocols),
            "GIT_PROTOCOL_FROM_USER": "0",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            **more,
        }


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Git and whatever it started: its helpers may outlive it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            break
        _signal_group(process.pid, number)
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    _signal_group(process.pid, signal.SIGKILL)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return
