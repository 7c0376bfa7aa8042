"""What the environment service needs of the outside: a catalogue, a builder, the folder of built environments."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from fastflow.kernel.environments.domain.environment import EnvironmentCard, EnvironmentRequest, Lock
from fastflow.kit.identity import Actor

OnLine = Callable[[str], None]
"""Gets each line uv writes, without its line end."""


class Catalogue(Protocol):
    """The rows of environments and resolutions. Every method is one transaction."""

    def find(self, environment: str) -> EnvironmentCard | None:
        """The card of one environment."""
        ...

    def load_all(self) -> Sequence[EnvironmentCard]:
        """Every card, last used first."""
        ...

    def save(self, card: EnvironmentCard) -> None:
        """Insert the card; one that exists is left as it is. Idempotent."""
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
