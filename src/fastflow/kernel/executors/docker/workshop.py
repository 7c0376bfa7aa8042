"""Where environments for an image are built: one container for each command, gone when it has ended."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastflow.kernel.executors.docker.commands import Command, RunningCommand, start_command
from fastflow.kernel.executors.docker.container import Bind
from fastflow.kernel.executors.docker.engine import Engine, EngineError, as_launch_failed
from fastflow.kernel.executors.docker.identity import read_identity
from fastflow.kernel.executors.docker.images import Images
from fastflow.kernel.executors.docker.maker import Maker, Place
from fastflow.kernel.executors.docker.slots import Slots
from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.kernel.executors.port import BaseImage
from fastflow.kernel.executors.process.zygotes import RunUser
from fastflow.kernel.executors.registry import DockerSettings


@dataclass(frozen=True, kw_only=True)
class Order:
    """A command for an image.

    Attributes:
        env: all the variables it gets, besides those of the image.
        cwd: one of the folders, or below one; None: anywhere.
        readable, writable: paths of the machine it sees, under their own names.
        tools: files below the data folder it sees under other names: inside -> outside.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path | None
    readable: Sequence[Path] = ()
    writable: Sequence[Path] = ()
    tools: Mapping[Path, Path] | None = None


class Workshop:
    """Runs commands in containers of an image. Opens the engine for each: it is needed seldom.

    Args:
        data_dir: the product's data folder.
        engine: where containers are made; commands join the network that runs have.
        user: whom commands act as.
    """

    def __init__(self, *, data_dir: Path, engine: DockerSettings, user: RunUser) -> None:
        self._data_dir = data_dir
        self._settings = engine
        self._user = user

    async def start(self, image: BaseImage, order: Order) -> "Work":
        """Start the command; the caller has to `end` it.

        Raises:
            LaunchFailed: it could not be started; the reason is in words.
        """
        engine = Engine(self._settings.host)
        try:
            return Work(engine, await self._start(engine, image, order))
        except EngineError as error:
            engine.close()
            raise as_launch_failed(error, f"A container of {image.reference} could not be started") from error
        except OSError as error:
            engine.close()
            raise LaunchFailed(f"The container's folders could not be made: {error}.") from error
        except BaseException:
            engine.close()
            raise

    async def _start(self, engine: Engine, image: BaseImage, order: Order) -> RunningCommand:
        slots = Slots(self._data_dir / "containers", self._user)
        await asyncio.to_thread(slots.open)
        owner = await asyncio.to_thread(read_identity, slots.root)
        place = Place(
            owner=owner, data_dir=self._data_dir, engine_data_dir=self._settings.engine_data_dir or self._data_dir
        )
        maker = Maker(engine, slots, place)
        known = await Images(engine, maker, slots.root / "images", self._user).by_id(image.id)
        binds = [Bind(source=path, target=path) for path in order.readable]
        binds += [Bind(source=path, target=path, writable=True) for path in order.writable]
        binds += [Bind(source=outside, target=inside) for inside, outside in (order.tools or {}).items()]
        command = Command(
            image=image.id,
            python=str(image.python),
            sidecar=known.sidecar,
            argv=order.argv,
            env={**image.env, **order.env},
            cwd=str(order.cwd or "/"),
            binds=binds,
            user=self._user,
            network=self._settings.network,
        )
        return await start_command(maker, command, "build")


class Work:
    """A command on its way, in the form of a child process.

    Attributes:
        stdout, stderr: what it writes.
    """

    def __init__(self, engine: Engine, command: RunningCommand) -> None:
        self.stdout = command.stdout
        self.stderr = command.stderr
        self._engine = engine
        self._command = command

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._command.returncode

    async def wait(self) -> int:
        """Its exit code; -9 when its container was ended from outside."""
        try:
            return await self._command.wait()
        except EngineError:
            return -9

    async def end(self) -> None:
        """Remove its container, with whatever still runs in it."""
        try:
            await self._command.end()
        finally:
            self._engine.close()
