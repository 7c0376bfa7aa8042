"""The container engine, through its SDK: the few calls we need, awaitable, with errors of three kinds."""

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fastflow.kernel.executors.errors import LaunchFailed

if TYPE_CHECKING:
    from docker import APIClient  # type: ignore[import-untyped]  # loaded at the first call only

log = logging.getLogger(__name__)

CALL_SECONDS = 120.0
"""How long the engine may take for one answer; pulling is not bound by it."""
REMOVE_SECONDS = 30.0
PATIENCE_SECONDS = 10.0
"""How long an engine that has answered before is waited for when it is away."""
_THREADS = 8
_LOOK_SECONDS = 0.25
_SCHEME = "unix://"
_NO_NAME = "!"
"""What no engine takes for a container's name; it looks at everything else first."""

Result = TypeVar("Result")


class EngineError(Exception):
    """The engine did not do what was asked; `str()` is its reason."""


class EngineAway(EngineError):
    """The engine cannot be reached."""


class NotThere(EngineError):
    """What was asked for does not exist."""


class Conflicting(EngineError):
    """The name is taken, or the object is in a state that does not allow it."""


def as_launch_failed(error: EngineError, what: str) -> LaunchFailed:
    """The error as the reason of a run that could not be started."""
    if isinstance(error, EngineAway):
        return LaunchFailed(
            str(error),
            code="engine_away",
            hint="Start the container engine; `fastflow doctor` tells whether it answers.",
        )
    return LaunchFailed(f"{what}: {error}.", code="engine_refused", hint="The engine's own words say what it lacks.")


class Engine:
    """One engine on this machine.

    Args:
        host: its address, `unix:///var/run/docker.sock`.

    Attributes:
        away_because: why the last call did not reach it; None when it did.
        has_answered: whether any call ever reached it.
        version: as it tells; None until it was asked.
    """

    def __init__(self, host: str) -> None:
        self.host = host
        self.away_because: str | None = "not asked yet, for no run has gone there"
        self.has_answered = False
        self.version: str | None = None
        self._client: APIClient | None = None
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="engine")

    @property
    def path(self) -> Path:
        """The path of its socket."""
        return Path(self.host.removeprefix(_SCHEME))

    # -- containers ------------------------------------------------------------------------------------------------

    async def create(self, name: str, config: Mapping[str, Any]) -> str:
        """A new container, not started: its id. Safe to repeat: the name belongs to one container."""

        def make(client: "APIClient") -> str:
            return str(client.create_container_from_config(dict(config), name)["Id"])

        try:
            return await self._call_patiently(make)
        except Conflicting:  # an answer of the engine got lost on its way
            return str((await self.inspect(name))["Id"])

    async def why_not_made(self, config: Mapping[str, Any]) -> str | None:
        """Why no such container could be made, in the words of the engine or of what stands before it; None: it could.
        None is made: the name alone is at fault then."""
        try:
            await self._call(lambda client: client.create_container_from_config(dict(config), _NO_NAME))
        except EngineError as error:
            words = str(error)
            return None if "container name" in words or "names must match" in words else words
        return None

    async def start(self, container: str) -> None:
        """Start it. Idempotent."""
        await self._call_patiently(lambda client: client.start(container))

    async def kill(self, container: str) -> None:
        """End every process in it at once. One that has ended, or is gone, is no error."""
        with contextlib.suppress(NotThere, Conflicting):
            await self._call(lambda client: client.kill(container))

    async def remove(self, container: str) -> None:
        """Remove it, running or not. One that is gone is no error.

        One that ends in this very moment, or that is being removed already, the engine refuses to remove: it is asked
        again, until the container is gone.
        """
        deadline = asyncio.get_running_loop().time() + REMOVE_SECONDS
        with contextlib.suppress(NotThere):
            while True:
                try:
                    await self._call(lambda client: client.remove_container(container, force=True, v=True))
                except Conflicting:
                    if asyncio.get_running_loop().time() > deadline:
                        raise
                    await asyncio.sleep(_LOOK_SECONDS)
                else:
                    return

    async def rename(self, container: str, name: str) -> None:
        """Give it another name."""
        await self._call(lambda client: client.rename(container, name))

    async def inspect(self, container: str) -> Mapping[str, Any]:
        """Everything the engine tells of it.

        Raises:
            NotThere: there is no such container.
        """
        return await self._call(lambda client: dict(client.inspect_container(container)))

    async def containers(self, labels: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """All containers, running or not, that carry the labels (`name` or `name=value`)."""
        return await self._call(lambda client: list(client.containers(all=True, filters={"label": list(labels)})))

    # -- images ----------------------------------------------------------------------------------------------------

    async def image(self, reference: str) -> Mapping[str, Any]:
        """Everything the engine tells of an image.

        Raises:
            NotThere: it does not have it.
        """
        return await self._call_patiently(lambda client: dict(client.inspect_image(reference)))

    async def has_image(self, reference: str) -> bool:
        """Whether it has the image, without waiting for an engine that is away."""
        try:
            await self._call(lambda client: client.inspect_image(reference))
        except NotThere:
            return False
        return True

    async def image_ids(self) -> set[str]:
        """The ids of all images."""
        return await self._call(lambda client: {str(image["Id"]) for image in client.images(all=True)})

    async def pull(self, reference: str, on_line: Callable[[str], None]) -> None:
        """Fetch an image from its registry; `on_line` is told what arrives, from the calling loop's thread."""
        loop = asyncio.get_running_loop()

        def fetch(client: "APIClient") -> None:
            repository, tag = split_reference(reference)
            for event in client.pull(repository, tag=tag, stream=True, decode=True):
                if "error" in event:
                    raise EngineError(str(event["error"]))
                line = _progress(event)
                if line:
                    loop.call_soon_threadsafe(on_line, line)

        await self._call(fetch)

    # -- the engine itself -----------------------------------------------------------------------------------------

    async def ping(self) -> None:
        """Ask whether it answers; what it says of itself is kept in `version` and `away_because`.

        Raises:
            EngineError: it does not, or it cannot serve us.
        """
        told = await self._call(lambda client: dict(client.version()))
        self.version = str(told.get("Version"))

    async def is_back(self, seconds: float) -> bool:
        """Wait until it answers, but not longer; whether it does. A restart of the engine takes a few seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        await self.ping()
                    except EngineAway:
                        await asyncio.sleep(_LOOK_SECONDS)
                    else:
                        return True
        return False

    async def info(self) -> Mapping[str, Any]:
        """What the engine tells of itself and its machine."""
        return await self._call(lambda client: dict(client.info()))

    def close(self) -> None:
        """Let go of the connection; calls that are on their way end in their threads."""
        self._threads.shutdown(wait=False)
        if self._client is not None:
            self._client.close()

    # -- inside ----------------------------------------------------------------------------------------------------

    async def _call_patiently(self, what: "Callable[[APIClient], Result]") -> Result:
        """As `_call`, for what may be repeated: a restart of the engine shall not fail the runs that begin meanwhile."""
        has_answered = self.has_answered
        try:
            return await self._call(what)
        except EngineAway:
            if not has_answered or not await self.is_back(PATIENCE_SECONDS):
                raise
        return await self._call(what)

    async def _call(self, what: "Callable[[APIClient], Result]") -> Result:
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._threads, self._do, what)
        except EngineAway as error:
            self.away_because = str(error)
            raise
        self.away_because = None
        self.has_answered = True
        return result

    def _do(self, what: "Callable[[APIClient], Result]") -> Result:
        self._knock()
        from docker import APIClient  # costs a quarter of a second and 20 MB

        with _translated(self.host):
            if self._client is None:
                self._client = APIClient(self.host, version="auto", timeout=CALL_SECONDS, max_pool_size=_THREADS)
            return what(self._client)

    def _knock(self) -> None:
        """Find out cheaply whether anybody listens: most installations have no engine, and the SDK is slow to say so."""
        knocking = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            knocking.connect(str(self.path))
        except FileNotFoundError as error:
            raise EngineAway(f"The container engine is away: there is no socket {self.path}.") from error
        except OSError as error:
            raise EngineAway(f"The container engine at {self.host} does not answer: {error.strerror}.") from error
        finally:
            knocking.close()


@contextlib.contextmanager
def _translated(host: str) -> Iterator[None]:
    """The SDK's errors as ours."""
    from docker import errors
    from requests import exceptions

    try:
        yield
    except errors.APIError as error:
        text = str(error.explanation or error).strip().rstrip(".")
        kinds = {404: NotThere, 409: Conflicting}
        raise kinds.get(error.status_code or 0, EngineError)(text) from error
    except (exceptions.ConnectionError, ConnectionError) as error:
        raise EngineAway(f"The container engine at {host} does not answer: {_innermost(error)}.") from error
    except exceptions.Timeout as error:
        raise EngineAway(f"The container engine at {host} did not answer within {CALL_SECONDS:g} s.") from error
    except (errors.DockerException, exceptions.RequestException, json.JSONDecodeError) as error:
        raise EngineAway(f"The container engine at {host} cannot be used: {_innermost(error)}.") from error


def _innermost(error: BaseException) -> str:
    """The system's own words at the bottom of a chain of library errors."""
    below = error.__cause__ or error.__context__
    if below is not None:
        return _innermost(below)
    return str(getattr(error, "strerror", None) or error)


def split_reference(reference: str) -> tuple[str, str | None]:
    """Repository and tag (or digest) of an image's name; without either the tag is `latest`.

    >>> split_reference("ghcr.io:5000/astral-sh/uv:python3.11"), split_reference("debian@sha256:ab")
    (('ghcr.io:5000/astral-sh/uv', 'python3.11'), ('debian', 'sha256:ab'))
    """
    if "@" in reference:
        repository, _, digest = reference.partition("@")
        return repository, digest
    head, slash, last = reference.rpartition("/")
    name, colon, tag = last.partition(":")
    return f"{head}{slash}{name}", tag if colon else "latest"


def _progress(event: Mapping[str, Any]) -> str:
    """A line worth reading of one pull event; the many between two of them are left out."""
    status = str(event.get("status", ""))
    if event.get("progressDetail"):
        return ""
    return f"{event['id']}: {status}" if "id" in event else status


@contextlib.asynccontextmanager
async def engine_errors(what: str) -> AsyncIterator[None]:
    """Inside, the engine's errors become the reason of a run that could not be started."""
    try:
        yield
    except EngineError as error:
        raise as_launch_failed(error, what) from error
