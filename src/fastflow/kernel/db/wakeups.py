"""Wake-up signals between the processes of one installation.

Messages are short text, such as `wake` or `run 0198…`. They are hints: one may be lost (no reader, a full buffer, a
restart), and every reader polls as well. On one machine they are datagrams to Unix sockets in `DATA_DIR/run/`; with
PostgreSQL they also travel as notifications, so that processes on other machines hear them.
"""

import asyncio
import contextlib
import errno
import logging
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import text

from fastflow.kernel.db.engine import Database
from fastflow.kit.errors import Unavailable

logger = logging.getLogger(__name__)

OnMessage = Callable[[str], None]
"""Takes a message; called in the event loop's thread; must be quick and must not raise."""

MAX_MESSAGE_BYTES = 200
RUNNER_SOCKET = "runner.sock"
_WEB_SOCKETS = "web-*.sock"
_CHANNEL_RUNNER = "fastflow_runner"
_CHANNEL_WEB = "fastflow_web"
_GONE = frozenset({errno.ECONNREFUSED, errno.ENOENT})
_RECONNECT_SECONDS = 2.0
_MAX_ADDRESS_BYTES = 107


class Sender(Protocol):
    """Wakes the other processes; never raises because nobody listens."""

    def wake_runner(self, message: str) -> None:
        """Tell the runners."""
        ...

    def tell_web(self, message: str) -> None:
        """Tell the web processes."""
        ...

    def close(self) -> None:
        """Let go of the sender's own socket."""
        ...


class Receiver(Protocol):
    """Hears messages until it is closed."""

    async def open(self) -> None:
        """Begin to listen."""
        ...

    async def close(self) -> None:
        """Stop listening. Idempotent."""
        ...


class WakeupSender:
    """Sends datagrams to the sockets in `run_dir`. Safe to use from several threads."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def wake_runner(self, message: str) -> None:
        """See `Sender.wake_runner`."""
        self._send(self._run_dir / RUNNER_SOCKET, message)

    def tell_web(self, message: str) -> None:
        """See `Sender.tell_web`."""
        for path in self._run_dir.glob(_WEB_SOCKETS):
            self._send(path, message)

    def close(self) -> None:
        """See `Sender.close`."""
        self._socket.close()

    def _send(self, path: Path, message: str) -> None:
        try:
            with _address(path) as address:
                self._socket.sendto(message.encode()[:MAX_MESSAGE_BYTES], address)
        except OSError as error:
            if error.errno == errno.ECONNREFUSED and path.name != RUNNER_SOCKET:
                path.unlink(missing_ok=True)  # left by a web process that was killed
            elif error.errno not in _GONE and error.errno not in (errno.EAGAIN, errno.ENOBUFS):
                logger.warning("wakeup.not_sent", extra={"fields": {"path": path, "error": error}})


class WakeupReceiver:
    """Listens on a Unix socket in `run_dir`.

    Args:
        run_dir: made when it is missing.
        name: the socket's file name: `RUNNER_SOCKET`, or `web_socket()`.
        on_message: takes each message.
    """

    def __init__(self, run_dir: Path, name: str, on_message: OnMessage) -> None:
        self._path = run_dir / name
        self._on_message = on_message
        self._socket: socket.socket | None = None

    async def open(self) -> None:
        """See `Receiver.open`."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listening.setblocking(False)
        with _address(self._path) as address:
            listening.bind(address)
        self._path.chmod(0o600)
        self._socket = listening
        asyncio.get_running_loop().add_reader(listening, self._read)

    async def close(self) -> None:
        """See `Receiver.close`."""
        listening, self._socket = self._socket, None
        if listening is not None:
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()
            self._path.unlink(missing_ok=True)

    def _read(self) -> None:
        if self._socket is None:
            return
        for _ in range(100):  # not for ever: the loop has other work
            try:
                data = self._socket.recv(MAX_MESSAGE_BYTES)
            except BlockingIOError:
                return
            self._on_message(data.decode("utf-8", "replace"))


class PostgresWakeupSender:
    """Sends datagrams on this machine and a notification for the others."""

    def __init__(self, run_dir: Path, database: Database) -> None:
        self._local = WakeupSender(run_dir)
        self._database = database

    def wake_runner(self, message: str) -> None:
        """See `Sender.wake_runner`."""
        self._local.wake_runner(message)
        self._notify(_CHANNEL_RUNNER, message)

    def tell_web(self, message: str) -> None:
        """See `Sender.tell_web`."""
        self._local.tell_web(message)
        self._notify(_CHANNEL_WEB, message)

    def close(self) -> None:
        """See `Sender.close`."""
        self._local.close()

    def _notify(self, channel: str, message: str) -> None:
        try:
            with self._database.write() as connection:
                connection.execute(
                    text("SELECT pg_notify(:channel, :message)"),
                    {"channel": channel, "message": message[:MAX_MESSAGE_BYTES]},
                )
        except Unavailable as error:  # whoever polls will see the change itself
            logger.warning("notification.not_sent", extra={"fields": {"channel": channel, "error": error.message}})


class PostgresWakeupReceiver:
    """Listens on a Unix socket and, through a connection of its own, to PostgreSQL; reconnects when that is lost.

    Args:
        run_dir: as in `WakeupReceiver`.
        name: as in `WakeupReceiver`.
        database: where notifications come from.
        on_message: takes each message; on the sender's machine it comes twice.
    """

    def __init__(self, run_dir: Path, name: str, database: Database, on_message: OnMessage) -> None:
        self._local = WakeupReceiver(run_dir, name, on_message)
        self._channel = _CHANNEL_RUNNER if name == RUNNER_SOCKET else _CHANNEL_WEB
        self._database = database
        self._on_message = on_message
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """See `Receiver.open`; returns before PostgreSQL is connected."""
        await self._local.open()
        self._task = asyncio.create_task(self._listen())  # noqa: TID251  kept here and awaited in `close`

    async def close(self) -> None:
        """See `Receiver.close`."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._local.close()

    async def _listen(self) -> None:
        import asyncpg  # an optional extra: only an installation on PostgreSQL has it

        while True:
            lost = asyncio.Event()
            try:
                connection = await asyncpg.connect(**_asyncpg_arguments(self._database))
            except (OSError, asyncpg.PostgresError, TimeoutError) as error:
                logger.warning("notifications.not_connected", extra={"fields": {"error": error}})
                await asyncio.sleep(_RECONNECT_SECONDS)
                continue
            try:
                connection.add_termination_listener(lambda _connection, lost=lost: lost.set())
                await connection.add_listener(self._channel, self._hear)
                await lost.wait()
                logger.warning("notifications.lost", extra={"fields": {"channel": self._channel}})
            except (OSError, asyncpg.PostgresError) as error:
                logger.warning("notifications.lost", extra={"fields": {"channel": self._channel, "error": error}})
            finally:
                connection.terminate()

    def _hear(self, _connection: object, _pid: int, _channel: str, message: str) -> None:
        self._on_message(message)


class Signals:
    """Lets coroutines of one event loop wait for messages; its `notify` is an `OnMessage`."""

    def __init__(self) -> None:
        self._expecting: dict[str, set[Signal]] = {}

    def notify(self, message: str) -> None:
        """Wake whoever expects the message. Call it in the loop's thread."""
        for signal in tuple(self._expecting.get(message, ())):
            signal.event.set()

    def expect(self, message: str) -> "Signal":
        """Begin to listen for the message; close the signal in the end."""
        signal = Signal(self, message)
        self._expecting.setdefault(message, set()).add(signal)
        return signal

    def forget(self, signal: "Signal") -> None:
        """End a signal. Idempotent."""
        waiting = self._expecting.get(signal.message)
        if waiting is not None:
            waiting.discard(signal)
            if not waiting:
                del self._expecting[signal.message]


class Signal:
    """One coroutine's interest in one message."""

    def __init__(self, signals: Signals, message: str) -> None:
        self._signals = signals
        self.message = message
        self.event = asyncio.Event()

    async def wait(self, seconds: float) -> bool:
        """Whether the message came since the last call; waits for it at most so long."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self.event.wait()
        except TimeoutError:
            return False
        self.event.clear()
        return True

    def close(self) -> None:
        """End the interest. Idempotent."""
        self._signals.forget(self)


def web_socket() -> str:
    """The socket's name of this web process."""
    return f"web-{os.getpid()}.sock"


def open_sender(database: Database, run_dir: Path) -> Sender:
    """The sender that fits the database."""
    return WakeupSender(run_dir) if database.is_sqlite else PostgresWakeupSender(run_dir, database)


def make_receiver(database: Database, run_dir: Path, name: str, on_message: OnMessage) -> Receiver:
    """The receiver that fits the database; not open yet."""
    if database.is_sqlite:
        return WakeupReceiver(run_dir, name, on_message)
    return PostgresWakeupReceiver(run_dir, name, database, on_message)


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """The socket's address: its path, or, when that exceeds the kernel's 107 bytes, a short way to the same place."""
    if len(os.fsencode(path)) < _MAX_ADDRESS_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _asyncpg_arguments(database: Database) -> dict[str, Any]:
    url = database.url
    query = {key: str(value) for key, value in url.query.items()}
    host = url.host or query.get("unix_sock", "").rpartition("/")[0] or query.get("host") or "localhost"
    given = {"user": url.username, "password": url.password, "database": url.database, "host": host, "port": url.port}
    return {key: value for key, value in given.items() if value is not None} | {"ssl": database.tls.for_asyncpg()}
