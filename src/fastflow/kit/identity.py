"""Who acts: the record that services take with every change, whatever way in it came by."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum

from fastflow.kit.errors import Forbidden
from fastflow.kit.name_patterns import matches


class Role(IntEnum):
    """What somebody may do; each role includes the lower ones."""

    NONE = 0
    """Nothing, but for what grants on some pipelines allow."""
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
class Grant:
    """A role on some pipelines, beside the role that somebody has everywhere.

    Attributes:
        pipelines: a pipeline's name, or a pattern such as `billing-*`.
    """

    role: Role
    pipelines: str


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Whoever asks for something.

    Attributes:
        name: `user:NAME`, `token:NAME`, `cli:OSUSER` or `system`.
        role: what they may do.
        pipelines: names and patterns of the only pipelines that `role` is for; None means all.
        grants: roles on some pipelines, added to `role`.
        address: where the request came from; None inside the product.
    """

    name: str
    role: Role
    pipelines: Collection[str] | None = None
    grants: Collection[Grant] = ()
    address: str | None = None

    def require(self, role: Role) -> None:
        """For what belongs to no pipeline.

        Raises:
            Forbidden: the actor's role, grants left aside, is lower than `role`.
        """
        if self.role < role:
            raise self._too_low(role)

    def require_somewhere(self, role: Role) -> None:
        """For what is then decided pipeline by pipeline.

        Raises:
            Forbidden: neither the actor's role nor any grant reaches `role`.
        """
        if self.highest_role < role:
            raise self._too_low(role)

    @property
    def way_in(self) -> str:
        """By what they came: `cli`; `ui`, the pages, whose sessions alone are users; else `api`.

        >>> Actor(name="user:anna", role=Role.VIEWER).way_in, Actor(name="token:ci", role=Role.VIEWER).way_in
        ('ui', 'api')
        """
        return {"cli": "cli", "user": "ui"}.get(self.name.partition(":")[0], "api")

    @property
    def highest_role(self) -> Role:
        """The highest role the actor has on any pipeline."""
        return max([self.role, *(grant.role for grant in self.grants)])

    def role_on(self, pipeline_name: str) -> Role:
        """What the actor may do with the pipeline."""
        is_covered = self.pipelines is None or any(matches(pattern, pipeline_name) for pattern in self.pipelines)
        granted = [grant.role for grant in self.grants if matches(grant.pipelines, pipeline_name)]
        return max([self.role if is_covered else Role.NONE, *granted])

    def may_touch(self, pipeline_name: str, role: Role = Role.VIEWER) -> bool:
        """Whether the actor has the role, or a higher one, on the pipeline."""
        return self.role_on(pipeline_name) >= role

    def require_pipeline(self, pipeline_name: str, role: Role = Role.VIEWER) -> None:
        """Raises:
        Forbidden: the actor has a lower role on the pipeline.
        """
        found = self.role_on(pipeline_name)
        if found >= role:
            return
        if found is Role.NONE:
            raise Forbidden(
                f"{self.name} has no access to the pipeline {pipeline_name!r}.",
                hint="Use a token whose scope includes this pipeline, or ask an administrator for a role on it.",
            )
        raise Forbidden(
            f"This needs the role {role.word} on the pipeline {pipeline_name!r}; {self.name} is {found.word} there.",
            hint=f"Ask an administrator for the role {role.word} on this pipeline.",
        )

    def reach(self, role: Role = Role.VIEWER) -> tuple[str, ...] | None:
        """Names and patterns of the pipelines on which the actor has the role or a higher one; None means all."""
        patterns: set[str] = {grant.pipelines for grant in self.grants if grant.role >= role}
        if self.role >= role:
            if self.pipelines is None:
                return None
            patterns |= set(self.pipelines)
        return None if "*" in patterns else tuple(sorted(patterns))

    def _too_low(self, role: Role) -> Forbidden:
        return Forbidden(
            f"This needs the role {role.word}; {self.name} is {self.role.word}.",
            hint=f"Ask an administrator for the role {role.word}.",
        )


SYSTEM = Actor(name="system", role=Role.ADMIN)
"""The product itself: recovery, retention, timers."""
