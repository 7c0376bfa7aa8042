"""Who acts: the record that services take with every change, whatever way in it came by."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum

from fastflow.kit.errors import Forbidden


class Role(IntEnum):
    """What somebody may do; each role includes the lower ones."""

    VIEWER = 1
    """Reads everything but secrets' values and the audit log."""
    OPERATOR = 2
    """Also submits, cancels and re-runs, and changes the queue."""
    ADMIN = 3
    """Also manages users, tokens, secrets and environments, and reads the audit log."""

    @property
    def word(self) -> str:
        """The role as the API and the database write it."""
        return self.name.lower()


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Whoever asks for something.

    Attributes:
        name: `user:NAME`, `token:NAME`, `cli:OSUSER` or `system`.
        role: what they may do.
        pipelines: the only pipelines they may touch; None means all.
        address: where the request came from; None inside the product.
    """

    name: str
    role: Role
    pipelines: Collection[str] | None = None
    address: str | None = None

    def require(self, role: Role) -> None:
        """Raises:
        Forbidden: the actor's role is lower than `role`.
        """
        if self.role < role:
            raise Forbidden(
                f"This needs the role {role.word}; {self.name} is {self.role.word}.",
                hint=f"Ask an administrator for the role {role.word}.",
            )

    def may_touch(self, pipeline_name: str) -> bool:
        """Whether the actor's scope covers the pipeline."""
        return self.pipelines is None or pipeline_name in self.pipelines

    def require_pipeline(self, pipeline_name: str) -> None:
        """Raises:
        Forbidden: the actor's scope does not cover the pipeline.
        """
        if not self.may_touch(pipeline_name):
            raise Forbidden(
                f"{self.name} has no access to the pipeline {pipeline_name!r}.",
                hint="Use a token whose scope includes this pipeline.",
            )


SYSTEM = Actor(name="system", role=Role.ADMIN)
"""The product itself: recovery, retention, timers."""
