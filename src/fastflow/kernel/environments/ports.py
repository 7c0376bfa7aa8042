"""What the environment service needs of the outside: a catalogue, a builder, the folder of built environments."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from fastflow.kernel.environments.domain.environment import EnvironmentCard, EnvironmentRequest, Lock
from fastflow.kit.identity import Actor

OnLine = Callable[[str], None]
"""Gets each line uv writes, without its line end."""

GENTLY: ContextVar[bool] = ContextVar("GENTLY", default=False)
"""Whether what is built in this context may take its time, so that runs get the processors first."""


@dataclass(frozen=True, kw_only=True)
class LookedUp:
    """What the catalogue knows of an input.

    Attributes:
        environment: what it was first resolved to.
        problem: why its environment could not be made ready when that was last tried.
    """

    environment: str | None = None
    problem: str | None = None


class Catalogue(Protocol):
    """The rows of environments and resolutions. Every method is one transaction."""

    def find(self, environment: str) -> EnvironmentCard | None:
        """The card of one environment."""
        ...

    def load_all(self) -> Sequence[EnvironmentCard]:
        """Every card, last used first."""
        ...

    def save(self, card: EnvironmentCard) -> None:
        """Insert the card; one that exists is left as it is, unless its environment was only locked. Idempotent."""
        ...

    def touch(self, environment: str, at: datetime) -> None:
        """Remember the use. Idempotent; an unknown hash is ignored."""
        ...

    def remove(self, environment: str, *, keep_resolved: bool = False) -> None:
        """Forget the card and the resolutions that lead to it; with `keep_resolved`, forget nothing as long as a
        resolution leads there. Idempotent."""
        ...

    def find_resolution(self, key: str) -> str | None:
        """The environment the input was first resolved to."""
        ...

    def save_resolution(self, key: str, environment: str, at: datetime, *, replacing: str | None = None) -> str:
        """Remember the resolution unless another than `replacing` was remembered first; answers the one that holds."""
        ...

    def look_up(self, keys: Collection[str]) -> Mapping[str, "LookedUp"]:
        """What is known of these inputs; one that nothing is known of is left out."""
        ...

    def save_failure(self, key: str, problem: str, at: datetime) -> None:
        """Remember why the input's environment could not be made ready; the last one counts."""
        ...

    def remove_failure(self, key: str) -> None:
        """Forget it: the environment was made ready. Idempotent."""
        ...

    def remove_resolution(self, key: str, *, actor: Actor, at: datetime) -> None:
        """Forget it, so that the next use resolves anew; audited."""
        ...

    def record_collection(self, hashes: Sequence[str], *, unused_days: float, actor: Actor, at: datetime) -> None:
        """Write the audit entry of a garbage collection."""
        ...


class Builder(Protocol):
    """Resolves and builds; the adapter is uv."""

    platform: str
    default_interpreter: str

    async def resolve(self, request: EnvironmentRequest, on_line: OnLine | None) -> Lock:
        """What exactly would be installed.

        Raises:
            SetupFailed: it cannot be resolved, or the interpreter is missing; the message is uv's own.
        """
        ...

    async def relock(self, card: EnvironmentCard, request: EnvironmentRequest, on_line: OnLine | None) -> Lock | None:
        """The lock on `card` again, for the interpreter that is here now, to rebuild an environment whose folder is
        gone; None when that interpreter is too different for the lock to hold.

        Raises:
            SetupFailed: the interpreter is missing.
        """
        ...

    async def build(
        self, lock: Lock, request: EnvironmentRequest, on_line: OnLine | None
    ) -> tuple[EnvironmentCard, bool]:
        """The environment's card, and whether this call built it. Builds aside and renames into place. One writer per hash over all processes: whoever comes second waits and
        gets the first one's result. A crash leaves nothing visible. Cancelling stops uv.

        Raises:
            SetupFailed: the installation failed; the message is uv's own.
        """
        ...

    def exclusive(self, name: str) -> AbstractAsyncContextManager[None]:
        """Hold the named lock, over all processes of this data folder."""
        ...

    def is_held(self, name: str) -> bool:
        """Whether any process holds the named lock now."""
        ...


class EnvironmentFolder(Protocol):
    """The built environments on disk."""

    def python(self, environment: str) -> Path | None:
        """The interpreter of a built environment; None when it is not there or its base interpreter is gone."""
        ...

    def read_card(self, environment: str) -> EnvironmentCard | None:
        """The card that lies in the environment itself; None when there is no readable one."""
        ...

    def hashes(self) -> Sequence[str]:
        """Every environment on disk."""
        ...

    def freed_bytes(self, environment: str) -> int:
        """What the disk would get back."""
        ...

    def remove(self, environment: str) -> None:
        """Remove it, in one step as seen by others. Idempotent."""
        ...

    def sweep(self) -> None:
        """Remove what crashes left of unfinished builds and removals; what a living process works on is left alone."""
        ...
