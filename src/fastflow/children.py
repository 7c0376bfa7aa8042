"""The processes of `fastflow serve`, forked from a parent that has imported what they need.

A child starts in milliseconds, after a crash too, and what it has imported lies in memory once for all of them: after
the imports everything is taken out of the garbage collector's sight (`gc.freeze`), which would otherwise write to each
page. Nothing is opened, connected or started before the fork, and the parent has one thread.
"""

import ctypes
import gc
import importlib
import importlib.util
import json
import os
import pkgutil
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
"""What the parent listens to, and a child hears in its own way."""
FIRST_BACKOFF_SECONDS = 0.2
LAST_BACKOFF_SECONDS = 5.0
STEADY_SECONDS = 10.0
"""A child that served for so long begins at the first back-off again."""
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_libc = ctypes.CDLL(None)


class Child:
    """One of the processes, through all its restarts.

    Args:
        name: for messages; the process is called `fastflow-NAME`.
        module: its `main` takes the arguments and gives the exit code.
        arguments: without the pipe's descriptor.
        also: parts of every room of the kernel that it needs too, such as `router`.
        without: descriptors of the parent's that are none of its business.
    """

    def __init__(
        self,
        name: str,
        module: str,
        arguments: Sequence[str] = (),
        *,
        also: Sequence[str] = (),
        without: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.pid: int | None = None
        """While it runs."""
        self.ready = False
        self.has_served = False
        self.pipe: int | None = None
        self.start_at: float | None = 0.0
        """When to start it (again), in monotonic seconds; None while it runs."""
        self._module = module
        self._arguments = list(arguments)
        self._also = list(also)
        self._without = list(without)
        self._told = b""
        self._backoff = FIRST_BACKOFF_SECONDS
        self._started_at = 0.0

    def start(self) -> Callable[[], int] | None:
        """Start it; in the child itself: what it has to do, once the caller has closed what is the parent's.

        Raises:
            OSError: there is no room for one more process.
        """
        gc.disable()  # looking for garbage again and again takes a fifth of a start, and there is none
        main = self._import()
        gc.freeze()
        read, write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(read, False)
        parent = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # the child hears none before it listens in its own way
        try:
            pid = os.fork()
        except OSError:
            os.close(read)
            os.close(write)
            raise
        finally:
            if os.getpid() == parent:
                gc.enable()  # in the child: once it serves
                signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        if pid == 0:
            for descriptor in (read, *self._without):
                os.close(descriptor)
            _settle(f"fastflow-{self.name}", parent)
            return lambda: main([*self._arguments, "--ready-fd", str(write)])
        os.close(write)
        self.pid, self.pipe, self.ready, self.start_at, self._told = pid, read, False, None, b""
        self._started_at = time.monotonic()
        return None

    def _import(self) -> Callable[[Sequence[str]], int]:
        """Its `main`, after all it needs has been imported; the next time nothing is left to do."""
        found: Callable[[Sequence[str]], int] = importlib.import_module(self._module).main
        for part in ("wiring", *self._also):
            import_of_each_room(part)
        return found

    def poll(self) -> int | None:
        """How it ended, as `subprocess` tells it; None: it runs."""
        assert self.pid is not None
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None

    def take_reports(self) -> list[dict[str, Any]] | None:
        """What it told on its pipe since the last time; None when it will tell no more."""
        assert self.pipe is not None
        try:
            data = os.read(self.pipe, 1 << 16)
        except BlockingIOError:
            return None
        if not data:
            return None
        *lines, self._told = (self._told + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def close_pipe(self) -> None:
        """Listen no longer."""
        if self.pipe is not None:
            os.close(self.pipe)
            self.pipe = None

    def restart_later(self, now: float) -> float:
        """Plan the next start; the seconds until then."""
        if self.ready and now - self._started_at >= STEADY_SECONDS:
            self._backoff = FIRST_BACKOFF_SECONDS
        wait = self._backoff
        self._backoff = min(LAST_BACKOFF_SECONDS, self._backoff * 2)
        self.pid, self.ready, self.start_at = None, False, now + wait
        return wait

    def signal(self, number: int) -> None:
        """Send a signal if it runs."""
        if self.pid is not None:
            os.kill(self.pid, number)


def import_of_each_room(part: str) -> None:
    """Import the module of this name of each room of the kernel that has one."""
    import fastflow.kernel

    for room in pkgutil.iter_modules(fastflow.kernel.__path__, "fastflow.kernel."):
        name = f"{room.name}.{part}"
        if room.ispkg and importlib.util.find_spec(name) is not None:
            importlib.import_module(name)


def name_process(name: str) -> None:
    """What `ps`, `top` and `pgrep` call this process; 15 characters at most."""
    _libc.prctl(_PR_SET_NAME, name.encode())


def _settle(name: str, parent: int) -> None:
    """In the child: a process of its own, that hears signals as a new one does."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)  # no half of the product is left behind when the parent is killed
    if os.getppid() != parent:
        os._exit(1)
    name_process(name)
    os.setsid()  # a Ctrl-C is for the parent alone, which stops the others in order
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    signal.set_wakeup_fd(-1)
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
