"""Runs a command in a container of its own, its output going to descriptors of ours: what environments are built with."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastflow.kernel.executors.docker.container import Bind, ContainerSpec
from fastflow.kernel.executors.docker.engine import EngineError
from fastflow.kernel.executors.docker.maker import Maker, Prepared, Role
from fastflow.kernel.executors.process.zygotes import RunUser

_MAX_LINE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Command:
    """What to run and where.

    Attributes:
        image: id of the image.
        python: the image's interpreter, for the container's first process.
        sidecar: our own files for this image.
        argv: the command; a bare name is looked for in `env`'s PATH.
        env: all the variables it gets. They go through the door: the engine never sees them.
        cwd: where it runs, inside the container.
        binds: what of the machine it sees.
        user: whom it acts as.
        network: name of a network, `none` or `host`.
    """

    image: str
    python: str
    sidecar: Path
    argv: Sequence[str]
    env: Mapping[str, str]
    user: RunUser
    cwd: str = "/"
    binds: Sequence[Bind] = ()
    network: str = "none"


class RunningCommand:
    """A command on its way.

    Attributes:
        stdout, stderr: what it writes.
        returncode: None while it runs.
    """

    def __init__(self, maker: Maker, prepared: Prepared, stdout: "_Output", stderr: "_Output") -> None:
        self.stdout = stdout.reader
        self.stderr = stderr.reader
        self.returncode: int | None = None
        self._maker = maker
        self._prepared = prepared
        self._outputs = (stdout, stderr)

    async def wait(self) -> int:
        """Its exit code.

        Raises:
            EngineError: the container was ended from outside.
        """
        loop = asyncio.get_running_loop()
        told = b""
        while not told.endswith(b"\n"):
            try:
                piece = await loop.sock_recv(self._prepared.connection, 4096)
            except ConnectionError:
                piece = b""
            if not piece:
                self.returncode = -9
                raise EngineError("the container was ended from outside while it worked")
            told += piece
        answer: dict[str, Any] = json.loads(told)
        if "failed" in answer:
            self.returncode = 1
            raise EngineError(str(answer["failed"]))
        self.returncode = int(answer["exit"])
        return self.returncode

    async def end(self) -> None:
        """Remove the container, with whatever still runs in it."""
        if self.returncode is None:
            self.returncode = -9
        for output in self._outputs:
            output.transport.close()
        await self._maker.discard(self._prepared)


@dataclass(frozen=True, kw_only=True)
class _Output:
    reader: asyncio.StreamReader
    transport: asyncio.ReadTransport


async def start_command(maker: Maker, command: Command, role: Role) -> RunningCommand:
    """Start it; the caller has to `end` it.

    Raises:
        EngineError: the engine is away or refuses.
        OSError: its folders cannot be made.
    """
    spec = ContainerSpec(
        image=command.image, command=(), binds=command.binds, user=command.user, network=command.network
    )
    prepared = await maker.make(spec, python=command.python, sidecar=command.sidecar, role=role)
    order = {"do": "command", "argv": list(command.argv), "env": dict(command.env), "cwd": command.cwd}
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    try:
        stdout, stderr = await _output(out_read), await _output(err_read)
        await prepared.hand(order, [out_write, err_write])
    except BaseException:
        await maker.discard(prepared)
        raise
    finally:
        os.close(out_write)
        os.close(err_write)
    return RunningCommand(maker, prepared, stdout, stderr)


async def _output(descriptor: int) -> _Output:
    reader = asyncio.StreamReader(limit=_MAX_LINE_BYTES)
    file = os.fdopen(descriptor, "rb", 0)
    loop = asyncio.get_running_loop()
    transport, _protocol = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
    return _Output(reader=reader, transport=transport)


@asynccontextmanager
async def running(maker: Maker, command: Command, role: Role) -> AsyncIterator[RunningCommand]:
    """The started command; it is gone when the block is left."""
    process = await start_command(maker, command, role)
    try:
        yield process
    finally:
        await process.end()
