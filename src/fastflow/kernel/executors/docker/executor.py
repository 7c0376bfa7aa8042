"""The Docker executor: every run in a fresh container, the same supervisor as its first process."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastflow.kernel.executors.docker.attempts import await_start, seal_attempt
from fastflow.kernel.executors.docker.container import (
    ENVIRONMENT,
    LABEL_PIPELINE,
    LABEL_RUN,
    LABEL_TOKEN,
    Bind,
    ContainerSpec,
    Shape,
    container_user,
)
from fastflow.kernel.executors.docker.ends import end_without_record, note_stop
from fastflow.kernel.executors.docker.engine import Engine, EngineError, NotThere, as_launch_failed
from fastflow.kernel.executors.docker.handover import NO_NETWORK, build_order, fill_slot
from fastflow.kernel.executors.docker.identity import read_identity
from fastflow.kernel.executors.docker.images import Images, KnownImage, no_line
from fastflow.kernel.executors.docker.maker import ContainerGone, Maker, Place, Prepared, Role
from fastflow.kernel.executors.docker.pool import Pool
from fastflow.kernel.executors.docker.reconcile import reconcile
from fastflow.kernel.executors.docker.slots import Slots, read_note
from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.kernel.executors.port import BaseImage, Exit, Handle, Limits, Reason, RunKey, RunSpec, ToldEvent
from fastflow.kernel.executors.process.attempt import Attempt, exit_from_record, read_exit
from fastflow.kernel.executors.registry import DockerSettings

log = logging.getLogger(__name__)

ENVIRONMENT_IMAGE = "fastflow-image"
"""The file in an environment that holds the id of the image it was built for."""
STOP_PATIENCE_SECONDS = 10.0
"""How long after the grace time a supervisor may take to end the run, before the engine does."""
LOOK_SECONDS = 10.0
"""How often the engine is looked at while it is in use."""
OPEN_SECONDS = 10.0
"""How long the start waits for the engine; a slower one is reconciled in the background."""


class DockerExecutor:
    """Runs in containers of this machine's engine.

    Args:
        data_dir: the product's data folder; what stands behind containers is in its `containers/`.
        settings: of the engine.
        is_default: runs go here unless they say otherwise, so the engine is looked at from the start.
        run_user: whom runs act as when the server is root; None finds an unused id.
        readable, writable: more paths of the machine that runs may use.
    """

    kind = "docker"

    def __init__(
        self,
        *,
        data_dir: Path,
        settings: DockerSettings,
        is_default: bool = False,
        run_user: str | None = None,
        readable: Sequence[Path] = (),
        writable: Sequence[Path] = (),
    ) -> None:
        self._data_dir = data_dir
        self._settings = settings
        self._is_default = is_default
        self._user = container_user(run_user)
        self._shared = [Bind(source=path, target=path) for path in readable]
        self._shared += [Bind(source=path, target=path, writable=True) for path in writable]
        self.engine = Engine(settings.host)
        self._slots = Slots(data_dir / "containers", self._user)
        self._attempts: dict[RunKey, Attempt] = {}
        self._is_image_here: bool | None = None
        self._cpus: float | None = None
        """As last seen; None: nobody knows."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._setting_up = asyncio.Lock()
        self._inner: _Inner | None = None

    # -- life cycle ------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Bring containers and slots together, if the engine is or was in use; an engine that is away is no error, and
        one that nobody has asked for yet is left alone."""
        if self._is_default or self._slots.root.exists():
            inner = await self._set_up()
            with suppress(TimeoutError):
                async with asyncio.timeout(OPEN_SECONDS):
                    await inner.looked_at.wait()

    async def _set_up(self) -> "_Inner":
        """What is needed to work with the engine; made at the first call, from when on the engine is watched."""
        async with self._setting_up:
            if self._inner is None:
                self._inner = await asyncio.to_thread(self._make_inner)
                self._spawn(self._watch_engine(self._inner))
        return self._inner

    def _make_inner(self) -> "_Inner":
        self._slots.open()
        identity = read_identity(self._slots.root)
        engine_data_dir = self._settings.engine_data_dir or self._data_dir
        place = Place(owner=identity, data_dir=self._data_dir, engine_data_dir=engine_data_dir)
        maker = Maker(self.engine, self._slots, place)
        pool = Pool(size=self._settings.pool, idle=self._settings.pool_idle, make=self._make, discard=maker.discard)
        images = Images(self.engine, maker, self._slots.root / "images", self._user)
        return _Inner(identity=identity, maker=maker, images=images, pool=pool)

    async def close(self) -> None:
        """Let go of prepared containers and connections; runs go on in their containers."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._inner is not None:
            await self._inner.pool.close()
        for attempt in list(self._attempts.values()):
            await attempt.close()
        self.engine.close()

    async def _watch_engine(self, inner: "_Inner") -> None:
        """Look at the engine once in a while; whenever it is back after an absence, bring containers and slots together."""
        is_reconciled = False
        while True:
            try:
                await self.engine.ping()
                self._is_image_here = await self.engine.has_image(self._settings.image)
                if not is_reconciled or inner.is_reconcile_due:
                    inner.is_reconcile_due = False
                    await reconcile(self.engine, self._slots, inner.images, inner.identity)
                    is_reconciled = True
            except EngineError as error:
                is_reconciled, self._is_image_here = False, None
                log.debug("executor.engine_away", extra={"fields": {"error": str(error)}})
            except OSError:
                log.exception("executor.reconcile_failed")
            inner.looked_at.set()
            await asyncio.sleep(LOOK_SECONDS)

    # -- the port --------------------------------------------------------------------------------------------------

    async def base_image(self, on_line: Callable[[str], None]) -> BaseImage:
        """The configured image; see the port."""
        return (await (await self._set_up()).images.current(self._settings.image, on_line)).base

    async def launch(self, spec: RunSpec) -> Handle:
        """Start a container, or take a prepared one, and the user's process in it; see the port."""
        inner = await self._set_up()
        known, shape = await self._shape(spec)
        prepared = inner.pool.take(shape)
        try:
            told = None if prepared is None else await self._begin_prepared(prepared, spec, shape, known)
            if told is None:
                told = await self._begin(await self._make(shape, spec), spec, build_order(spec, shape, known.base))
        except EngineError as error:
            raise as_launch_failed(error, "The container could not be started") from error
        except OSError as error:
            raise LaunchFailed(f"The run's container could not be made ready: {error}.") from error
        inner.pool.refill(shape)
        return Handle(
            key=spec.key,
            started_at=datetime.fromtimestamp(told["at"], UTC),
            isolation=told["isolation"],
        )

    async def _begin_prepared(
        self, prepared: Prepared, spec: RunSpec, shape: Shape, known: KnownImage
    ) -> Mapping[str, Any] | None:
        """None when the prepared container has just ended: nothing was started then."""
        order = build_order(spec, shape, known.base, is_from_pool=True)
        try:
            told = await self._begin(prepared, spec, order)
        except ContainerGone:
            await self.discard(spec.key)
            return None
        self._spawn(self._rename(prepared.id, spec.key))
        return told

    async def _shape(self, spec: RunSpec) -> tuple[KnownImage, Shape]:
        """The image of the run's environment, and what its container has to be like."""
        inner = self._opened()
        environment: Path | None = self._data_dir / "envs" / spec.environment
        if environment is not None and spec.python.is_relative_to(environment):
            image = await asyncio.to_thread((environment / ENVIRONMENT_IMAGE).read_text)
            known = await inner.images.by_id(image.strip())
        else:
            environment = None
            known = await inner.images.current(self._settings.image, no_line)
        limits = spec.limits
        shape = Shape(
            image=known.base.id,
            environment=environment,
            limits=Limits(cpus=limits.cpus, memory_bytes=limits.memory_bytes, pids=limits.pids),
            network=self._settings.network if spec.network else NO_NETWORK,
        )
        return known, shape

    async def _make(self, shape: Shape, spec: RunSpec | None = None) -> Prepared:
        """A container of the shape that waits for its order: for this run, or for whichever comes."""
        inner = self._opened()
        known = await inner.images.by_id(shape.image)
        labels, name = {}, ""
        if spec is not None:
            labels = {LABEL_RUN: spec.key.run_id, LABEL_TOKEN: str(spec.key.token), LABEL_PIPELINE: spec.pipeline_name}
            name = _container_name(spec.key)
        binds = [*self._shared]
        if shape.environment is not None:
            binds.append(Bind(source=shape.environment, target=ENVIRONMENT))
        container = ContainerSpec(
            image=shape.image,
            command=(),
            binds=binds,
            user=self._user,
            network=shape.network,
            limits=shape.limits,
            stop_seconds=10.0 if spec is None else spec.grace,
            labels=labels,
        )
        role: Role = "pool" if spec is None else "run"
        return await inner.maker.make(
            container, python=str(known.base.python), sidecar=known.sidecar, role=role, name=name
        )

    async def _begin(self, prepared: Prepared, spec: RunSpec, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Give the container to the run; what its supervisor tells when the user's process exists."""
        try:
            with _opened_file(spec.log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640) as log_descriptor:
                await asyncio.to_thread(fill_slot, prepared.slot, spec)
                attempt = self._attempts[spec.key] = Attempt(spec.key, prepared.slot.folder)
                with _opened_file(attempt.control, os.O_RDONLY | os.O_DIRECTORY) as control:
                    await prepared.hand(order, [log_descriptor, control])
        except BaseException:
            prepared.connection.close()
            if prepared.slot.is_held:
                await self._opened().maker.discard(prepared)
            raise
        attempt.attach(prepared.connection)
        return await await_start(attempt, seal=self.seal, stop=self.stop)

    async def _rename(self, container: str, key: RunKey) -> None:
        """Labels cannot be changed: what came from the pool carries its run's id in its name."""
        with suppress(EngineError):
            await self.engine.rename(container, _container_name(key))

    async def machine_cpus(self) -> float | None:
        """The processors of the engine's machine; see the port."""
        if self._cpus is None:
            try:
                self._cpus = (await self.engine.info()).get("NCPU")
            except EngineError as error:  # the launch, which comes next, says it better
                log.debug("executor.engine_away", extra={"fields": {"error": str(error)}})
        return self._cpus

    async def wait(self, key: RunKey) -> Exit:
        """The run's end; see the port."""
        attempt = await self._attempt(key)
        record = await asyncio.shield(attempt.exit) or read_exit(attempt.control)
        if record is not None:
            return exit_from_record(key, record)
        return await end_without_record(self.engine, key, self._slots.folder(key))

    async def follow(self, key: RunKey, after_offset: int) -> AsyncIterator[ToldEvent]:
        """What the run tells; see the port."""
        attempt = await self._attempt(key)
        async for event in attempt.events(after_offset):
            yield event

    async def stop(self, key: RunKey, *, reason: Reason, reason_text: str, grace: float) -> None:
        """Ask the supervisor to end the run; should it not, the engine does. See the port."""
        attempt = await self._attempt(key)
        if attempt.exit.done():
            return
        self._spawn(self._stop_at_last(attempt, reason, reason_text, grace))
        await attempt.send({"stop": {"reason": reason, "reason_text": reason_text, "grace": grace}})

    async def _stop_at_last(self, attempt: Attempt, reason: Reason, reason_text: str, grace: float) -> None:
        done, _pending = await asyncio.wait({attempt.exit}, timeout=grace + STOP_PATIENCE_SECONDS)
        note = read_note(attempt.folder)
        if not done and note is not None and note.id is not None:
            log.warning("executor.engine_kills", extra={"fields": {"run_id": attempt.key.run_id}})
            note_stop(attempt.folder, reason, reason_text)
            with suppress(EngineError):
                await self.engine.kill(note.id)

    async def find_all(self) -> Sequence[RunKey]:
        """Every attempt with a slot; see the port."""
        return await asyncio.to_thread(self._slots.attempts)

    async def seal(self, key: RunKey) -> bool:
        """Make sure that the attempt never starts, unless it has; see the port."""
        return seal_attempt(self._slots.folder(key) / "ctl")

    async def discard(self, key: RunKey) -> None:
        """Remove the attempt's container, then its slot; see the port."""
        attempt = self._attempts.pop(key, None)
        if attempt is not None:
            await attempt.close()
        folder = self._slots.folder(key)
        note = read_note(folder)
        if note is not None:
            try:
                await self.engine.remove(note.id or _container_name(key))
            except NotThere:
                pass
            except EngineError as error:  # it has ended; once the slot is gone the next look at the engine removes it
                (await self._set_up()).is_reconcile_due = True
                log.warning("executor.container_stays", extra={"fields": {"run_id": key.run_id, "error": str(error)}})
        await asyncio.to_thread(self._slots.remove, key)

    def describe(self) -> Mapping[str, Any]:
        """The engine as last seen, and what is in force; see the port."""
        away = self.engine.away_because
        return {
            "kind": self.kind,
            "engine": self.engine.version or "unknown",
            "engine_address": self.engine.host,
            "reachable": away is None,
            "why": away,
            "image": self._settings.image,
            "image_here": self._is_image_here,
            "run_user": self._user.uid,
            "files": "container",
            "memory_limit": "engine",
            "pids_limit": "engine",
            "cpu_limit": "engine",
            "pool": self._inner.pool.describe() if self._inner is not None else {},
        }

    # -- inside ------------------------------------------------------------------------------------------------------

    def _opened(self) -> "_Inner":
        if self._inner is None:
            raise RuntimeError("nothing was launched yet")
        return self._inner

    async def _attempt(self, key: RunKey) -> Attempt:
        attempt = self._attempts.get(key)
        if attempt is None:
            attempt = self._attempts[key] = Attempt(key, self._slots.folder(key))
            if not await attempt.connect():
                attempt.settle()
        return attempt

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name="docker")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


@dataclass(kw_only=True)
class _Inner:
    """What an opened executor works with."""

    identity: str
    maker: Maker
    images: Images
    pool: Pool

    def __post_init__(self) -> None:
        self.looked_at = asyncio.Event()
        self.is_reconcile_due = False


@contextmanager
def _opened_file(path: Path, flags: int, mode: int = 0o600) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC, mode)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _container_name(key: RunKey) -> str:
    return f"fastflow-{key.run_id}-{key.token}"
