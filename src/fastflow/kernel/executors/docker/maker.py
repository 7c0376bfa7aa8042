"""Makes containers that wait for their order: slot, container, and the connection through the door."""

import asyncio
import json
import logging
import os
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from fastflow.kernel.executors.docker.container import (
    ARTIFACTS,
    DOOR,
    GIVEN,
    LABEL_OWNER,
    LABEL_ROLE,
    LABEL_SLOT,
    SIDECAR,
    WORK,
    Bind,
    ContainerSpec,
)
from fastflow.kernel.executors.docker.engine import Engine, EngineAway, EngineError, NotThere
from fastflow.kernel.executors.docker.slots import Slot, Slots, removed_on_error

log = logging.getLogger(__name__)

READY_SECONDS = 60.0
"""How long a started container may take until its first process asks for its order."""
LOOK_SECONDS = 2.0
"""How often meanwhile the engine is asked whether the container still runs."""
_SIZE = struct.Struct("!I")

Role = Literal["run", "pool", "build", "look"]
"""What a container is for: a run, any run to come, building an environment, looking into an image."""


class ContainerGone(EngineError):
    """The container ended before it got its order."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """What is the same for every container of a data folder.

    Attributes:
        owner: the data folder's identity, the label by which its containers are known.
        data_dir: the data folder as this process sees it.
        engine_data_dir: the same folder as the engine's machine sees it.
    """

    owner: str
    data_dir: Path
    engine_data_dir: Path

    def seen_by_engine(self, bind: Bind) -> Bind:
        """The mount with its source as the engine's machine names it."""
        if bind.source.is_relative_to(self.data_dir):
            return replace(bind, source=self.engine_data_dir / bind.source.relative_to(self.data_dir))
        return bind


@dataclass(kw_only=True)
class Prepared:
    """A container that waits for its order.

    Attributes:
        id: the engine's id.
        connection: to its first process; its end would tell that the container has ended.
    """

    slot: Slot
    id: str
    spec: ContainerSpec
    connection: socket.socket

    async def hand(self, order: Mapping[str, Any], descriptors: Sequence[int]) -> None:
        """Give it its order, once.

        Raises:
            ContainerGone: it has ended.
        """
        loop = asyncio.get_running_loop()
        body = json.dumps(order).encode()
        try:
            socket.send_fds(self.connection, [b"!"], list(descriptors))
            await loop.sock_sendall(self.connection, _SIZE.pack(len(body)) + body)
        except OSError as error:
            raise ContainerGone(f"the container ended before it got its order ({error.strerror})") from error


class Maker:
    """Makes containers.

    Args:
        engine: where.
        slots: their folders.
        place: whose they are.
    """

    def __init__(self, engine: Engine, slots: Slots, place: Place) -> None:
        self._engine = engine
        self._slots = slots
        self._place = place

    async def make(self, spec: ContainerSpec, *, python: str, sidecar: Path, role: Role, name: str = "") -> Prepared:
        """A new container of this kind, its first process waiting for the order.

        Args:
            spec: its command is set here; the slot's folders and the sidecar are added to its mounts.
            python: the image's interpreter.
            sidecar: our own files for this image.
            role: what it is for, as a label.
            name: of the container; empty for one made of the slot's.

        Raises:
            EngineError: the engine is away or refuses, or the container does not come up.
            OSError: its folders cannot be made.
        """
        slot = await asyncio.to_thread(self._slots.make)
        name = name or f"fastflow-{slot.name}"
        with removed_on_error(slot), _listening(slot.folder) as listener:
            await asyncio.to_thread(slot.note, image=spec.image)
            whole = self._complete(spec, slot, python, sidecar, role)
            starting = asyncio.create_task(self._start(slot, whole, name))  # noqa: TID251  awaited in any case
            try:
                container = await asyncio.shield(starting)
                connection = await self._await_ready(listener, container)
            except BaseException:
                # what the engine is about to make cannot be removed yet
                await asyncio.gather(starting, return_exceptions=True)
                with suppress(EngineError):  # what stays is swept at the next look at the engine: its slot is gone
                    await self._engine.remove(name)
                raise
        return Prepared(slot=slot, id=container, spec=whole, connection=connection)

    async def _start(self, slot: Slot, spec: ContainerSpec, name: str) -> str:
        container = await self._engine.create(name, spec.as_api())
        slot.note(image=spec.image, container=container)
        await self._engine.start(container)
        return container

    async def discard(self, prepared: Prepared) -> None:
        """Remove a container that got no order, or a command's."""
        prepared.connection.close()
        with suppress(EngineAway):  # it ends by itself, and a later sweep takes it
            await self._engine.remove(prepared.id)
        await asyncio.to_thread(prepared.slot.remove)

    def _complete(self, spec: ContainerSpec, slot: Slot, python: str, sidecar: Path, role: Role) -> ContainerSpec:
        ours = [Bind(source=sidecar, target=SIDECAR), Bind(source=slot.folder / "given", target=GIVEN)]
        if role in ("run", "pool"):
            ours.append(Bind(source=slot.folder / "work", target=WORK, writable=True))
            ours.append(Bind(source=slot.folder / "artifacts", target=ARTIFACTS, writable=True))
        labels = {LABEL_OWNER: self._place.owner, LABEL_SLOT: slot.name, LABEL_ROLE: role, **spec.labels}
        order = json.dumps({"door": str(DOOR)})
        return replace(
            spec,
            command=(python, "-I", "-S", str(SIDECAR), "contain", order),
            binds=tuple(self._place.seen_by_engine(bind) for bind in (*ours, *spec.binds)),
            labels=labels,
        )

    async def _await_ready(self, listener: socket.socket, container: str) -> socket.socket:
        """The connection of the container's first process."""
        loop = asyncio.get_running_loop()
        accepting = asyncio.create_task(loop.sock_accept(listener))  # noqa: TID251  awaited or cancelled below
        deadline = loop.time() + READY_SECONDS
        try:
            while True:
                done, _pending = await asyncio.wait({accepting}, timeout=LOOK_SECONDS)
                if done:
                    connection, _address = accepting.result()
                    connection.setblocking(False)
                    return connection
                await self._check_alive(container)
                if loop.time() > deadline:
                    raise EngineError(f"the container did not get ready within {READY_SECONDS:g} s")
        finally:
            accepting.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await accepting

    async def _check_alive(self, container: str) -> None:
        try:
            state = (await self._engine.inspect(container))["State"]
        except NotThere:
            raise EngineError("the container was removed while it started") from None
        if not state["Running"]:
            told = f": {state['Error']}" if state.get("Error") else ""
            raise EngineError(
                f"the container ended with exit code {state['ExitCode']} before it asked for its order{told}; the image "
                "must hold Python 3.9 or later, and the engine must see DATA_DIR"
            )


@contextmanager
def _listening(folder: Path) -> Iterator[socket.socket]:
    """Listen at the slot's door, until the block is left; only the slot's container can reach it."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    given = os.open(folder / "given", os.O_RDONLY | os.O_DIRECTORY)
    try:
        # through the descriptor: a socket's path may have 107 characters only, a data folder may be deeper
        listener.bind(f"/proc/self/fd/{given}/{DOOR.name}")
        os.chmod(DOOR.name, 0o666, dir_fd=given)  # noqa: S103  its folder lets nobody but the container come here
        listener.listen(1)
        listener.setblocking(False)
        yield listener
    finally:
        listener.close()
        with suppress(FileNotFoundError):
            os.unlink(DOOR.name, dir_fd=given)
        os.close(given)
