"""Locks between processes: `flock` on a file or folder. The kernel gives them up when the holder dies, so none is ever
stale. Knows no feature."""

import asyncio
import fcntl
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path


@asynccontextmanager
async def hold_file_lock(path: Path) -> AsyncIterator[None]:
    """Hold the lock named by `path`; the file is removed on leaving, so names do not pile up.

    Waiting happens in a thread of its own, because `flock` cannot wait in an event loop; a cancelled wait gives the
    lock back as soon as the thread gets it.
    """
    descriptor = await _acquired(path)
    try:
        yield
    finally:
        _release(path, descriptor)


def _release(path: Path, descriptor: int) -> None:
    path.unlink(missing_ok=True)  # while held: who waits for the old file notices and takes the new one
    os.close(descriptor)


async def _acquired(path: Path) -> int:
    descriptor = _open_and_lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor if descriptor is not None else await _wait_in_thread(path)


async def _wait_in_thread(path: Path) -> int:
    loop = asyncio.get_running_loop()
    got: asyncio.Future[int] = loop.create_future()

    def deliver(descriptor: int | None, error: OSError | None) -> None:
        if got.done():  # the waiter was cancelled
            if descriptor is not None:
                os.close(descriptor)
        elif error is not None:
            got.set_exception(error)
        elif descriptor is not None:
            got.set_result(descriptor)

    def wait() -> None:
        descriptor, failure = None, None
        try:
            while descriptor is None:
                descriptor = _open_and_lock(path, fcntl.LOCK_EX)
        except OSError as error:
            failure = error
        try:
            loop.call_soon_threadsafe(deliver, descriptor, failure)
        except RuntimeError:  # the loop is closed: nobody waits any more
            if descriptor is not None:
                os.close(descriptor)

    threading.Thread(target=wait, name=f"lock {path.name}", daemon=True).start()
    return await got


def _open_and_lock(path: Path, how: int) -> int | None:
    """A locked descriptor of the file at `path`; None when somebody holds it, or it was replaced while we waited."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how)
        if _is_still(path, descriptor):
            return descriptor
    except BlockingIOError:
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


@contextmanager
def hold_new_folder(parent: Path, name: str) -> Iterator[tuple[Path, int]]:
    """A new folder `parent/name` that is held as long as the block, or a child that inherits the descriptor, lives.

    The folder is not removed on leaving: that is the caller's affair.
    """
    folder = parent / name
    while True:
        folder.mkdir(mode=0o755)
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # a sweep came between making and opening, and took it for a leftover
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _is_still(folder, descriptor):
            break
        os.close(descriptor)  # the same, between opening and locking
    try:
        yield folder, descriptor
    finally:
        os.close(descriptor)


@contextmanager
def try_hold_folder(folder: Path) -> Iterator[bool]:
    """Whether nobody else holds the folder; if so, it is held inside the block."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether some process holds the lock on a file or folder now; one that is not there is held by nobody."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)
