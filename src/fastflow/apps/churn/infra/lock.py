"""The churn database's lock: one writer among all processes and threads.

The lock itself is the kernel's (`flock`), which gives it up the moment its holder dies, however it dies: nobody has to
judge whether a process is dead, and a number that another process got since cannot deceive anybody. Beside it the file
says who holds it (host, process, since when), for the message to those who wait in vain.
"""

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastflow.apps.churn.errors import DatabaseBusy
from fastflow.kit.clock import Clock

WAIT_SECONDS = 30.0
"""A save takes milliseconds; taking in a panel of millions of rows holds the lock for its last step alone."""


class DatabaseLock:
    """The lock.

    Args:
        path: of its file, which stays.
        host: id of this machine.
        clock: tells the time.
        wait_seconds: how long to wait for it.
    """

    def __init__(self, path: Path, *, host: str, clock: Clock, wait_seconds: float = WAIT_SECONDS) -> None:
        self._path = path
        self._host = host
        self._clock = clock
        self._wait_seconds = wait_seconds

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it inside the block; not twice in one thread.

        Raises:
            DatabaseBusy: somebody else held it all the time; names them.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not _lock_now(descriptor) and not _lock_within(descriptor, self._wait_seconds):
                raise DatabaseBusy(
                    f"The churn database is locked{self._told_holder()}, and was for {self._wait_seconds:g} seconds.",
                    retry_after_seconds=5,
                )
            self._sign(descriptor)
            try:
                yield
            finally:
                os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)

    def _sign(self, descriptor: int) -> None:
        holder = {"pid": os.getpid(), "host": self._host, "since": self._clock.now().isoformat()}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)

    def _told_holder(self) -> str:
        """Who says to hold it; '' when they have not said it yet."""
        try:
            holder = json.loads(self._path.read_text(encoding="utf-8"))
            place = "on this machine" if holder["host"] == self._host else f"on the machine {holder['host']}"
            return f" by the process {holder['pid']} {place} since {holder['since']}"
        except (OSError, ValueError, LookupError, TypeError):
            return ""


def _lock_now(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_within(descriptor: int, seconds: float) -> bool:
    """Wait in a thread, on a copy of the descriptor: the lock belongs to both, and stays when the copy is closed."""
    copy, turn, state = os.dup(descriptor), threading.Lock(), {"got": False, "given_up": False}
    ready = threading.Event()

    def wait() -> None:
        try:
            fcntl.flock(copy, fcntl.LOCK_EX)
            with turn:
                state["got"] = not state["given_up"]
                if state["given_up"]:
                    fcntl.flock(copy, fcntl.LOCK_UN)
        finally:
            os.close(copy)
            ready.set()

    threading.Thread(target=wait, name="churn database lock", daemon=True).start()
    ready.wait(seconds)
    with turn:
        state["given_up"] = not state["got"]
        return state["got"]
