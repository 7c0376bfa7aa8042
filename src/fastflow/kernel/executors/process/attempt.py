"""One attempt as the runner sees it: its control folder, the connection to its supervisor, its end."""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastflow.kernel.executors.port import Exit, RunKey, ToldEvent

CONNECT_SECONDS = 5.0


class Attempt:
    """Follows one attempt until its end; made by a launch, or found again after a restart of the runner.

    Args:
        key: run and fencing token.
        folder: `supervised/<run_id>.<token>`.
    """

    def __init__(self, key: RunKey, folder: Path) -> None:
        loop = asyncio.get_running_loop()
        self.key = key
        self.folder = folder
        self.control = folder / "ctl"
        self.started: asyncio.Future[Mapping[str, Any] | None] = loop.create_future()
        self.exit: asyncio.Future[Mapping[str, Any] | None] = loop.create_future()
        self.refused: str | None = None
        self._news = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    def attach(self, connection: socket.socket) -> None:
        """Listen to the supervisor at the other end of `connection`, in the background."""
        self._task = asyncio.get_running_loop().create_task(self._listen(connection), name=f"attempt {self.key.run_id}")

    async def connect(self) -> bool:
        """Connect to a supervisor that is already there; False when none answers."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            folder = os.open(self.control, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            connection.close()
            return False
        try:
            # through the descriptor: a socket's path may have 107 characters only, a data folder may be deeper
            path = f"/proc/self/fd/{folder}/control.sock"
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(connection, path), CONNECT_SECONDS)
        except (OSError, TimeoutError):
            connection.close()
            return False
        except asyncio.CancelledError:
            connection.close()
            raise
        finally:
            os.close(folder)
        self.attach(connection)
        return True

    async def _listen(self, connection: socket.socket) -> None:
        reader, self._writer = await asyncio.open_unix_connection(sock=connection, limit=1 << 22)
        try:
            while line := await reader.readline():
                self._take(json.loads(line))
        except (ConnectionError, ValueError):
            pass  # the supervisor is gone mid-message: its files tell the rest
        finally:
            writer, self._writer = self._writer, None
            writer.close()
            self.settle()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def _take(self, message: Mapping[str, Any]) -> None:
        if "started" in message and not self.started.done():
            self.started.set_result(message["started"])
        if "failed" in message and not self.started.done():
            self.refused = message["failed"]
            self.started.set_result(None)
        if "exit" in message:
            self._end(message["exit"])
        self._ring()

    def _ring(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def settle(self) -> None:
        """The supervisor is gone: its record tells the end, or nobody does (None)."""
        self._end(read_exit(self.control))
        self._ring()

    def _end(self, record: Mapping[str, Any] | None) -> None:
        if not self.exit.done():
            self.exit.set_result(record)
        if not self.started.done():
            self.started.set_result(None)

    async def send(self, message: Mapping[str, Any]) -> None:
        """Tell the supervisor something; one that is gone needs no telling."""
        if self._writer is None and not self.exit.done():
            await asyncio.wait([self.started], timeout=CONNECT_SECONDS)
        if self._writer is not None:
            self._writer.write(json.dumps(message).encode() + b"\n")
            with contextlib.suppress(ConnectionError):
                await self._writer.drain()

    async def events(self, after_offset: int) -> AsyncIterator[ToldEvent]:
        """What the run told, from the first event after `after_offset`, until its end."""
        path = self.control / "events.jsonl"
        position, rest = 0, b""
        while True:
            ended, news = self.exit.done(), self._news
            data = _read_from(path, position + len(rest))
            rest += data
            while (cut := rest.find(b"\n")) >= 0:
                line, rest = rest[:cut], rest[cut + 1 :]
                offset, position = position, position + cut + 1
                if offset > after_offset:
                    told = json.loads(line)
                    at = datetime.fromtimestamp(told["at"], UTC)
                    yield ToldEvent(key=self.key, offset=offset, at=at, kind=told["kind"], data=told["data"])
            if ended and not data:
                return
            if not data:
                await news.wait()

    async def close(self) -> None:
        """Stop listening; the supervisor goes on."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task


def _read_from(path: Path, position: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(position)
            return file.read(1 << 20)
    except FileNotFoundError:
        return b""


def read_exit(control: Path) -> Mapping[str, Any] | None:
    """The exit record, when the supervisor has written one."""
    try:
        record: Mapping[str, Any] = json.loads((control / "exit.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    return record


def exit_from_record(key: RunKey, record: Mapping[str, Any]) -> Exit:
    """The supervisor's record as the port's value."""
    started = record.get("started_at")
    return Exit(
        key=key,
        reason=record["reason"],
        reason_text=record["reason_text"],
        exit_code=record["exit_code"],
        started_at=datetime.fromtimestamp(started, UTC) if started else None,
        finished_at=datetime.fromtimestamp(record["finished_at"], UTC),
        peak_memory_bytes=record.get("peak_memory_bytes"),
        cpu_seconds=record.get("cpu_seconds"),
        isolation=record.get("isolation") or {},
    )
