"""Environments on the wire."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, Field

from fastflow.kernel.environments.domain.environment import Collected, EnvironmentCard
from fastflow.kernel.http.schemas import RequestBody


class EnvironmentOut(BaseModel):
    """A built environment."""

    hash: str = Field(description="Content hash: locked requirements, interpreter, platform.")
    interpreter: str
    packages: int
    size_bytes: int = Field(description="Its files, each counted once, also those it shares with uv's cache.")
    uv_version: str
    build_seconds: float
    built_at: datetime
    last_used_at: datetime

    @classmethod
    def of(cls, card: EnvironmentCard) -> "EnvironmentOut":
        """The card as the API shows it."""
        return cls.model_validate(card, from_attributes=True)


class EnvironmentDetail(EnvironmentOut):
    """A built environment with what it was built from."""

    lock: str = Field(description="The locked requirements with their hashes.")

    @classmethod
    def of(cls, card: EnvironmentCard) -> "EnvironmentDetail":
        """The card as the API shows it."""
        return cls.model_validate(card, from_attributes=True)


class EnvironmentList(BaseModel):
    """Every environment on this machine, last used first."""

    items: list[EnvironmentOut]
    total_bytes: int

    @classmethod
    def of(cls, cards: Sequence[EnvironmentCard]) -> "EnvironmentList":
        """The cards as the API shows them."""
        return cls(items=[EnvironmentOut.of(card) for card in cards], total_bytes=sum(c.size_bytes for c in cards))


class GarbageCollection(RequestBody):
    """What to collect."""

    unused_days: float | None = Field(
        default=None, ge=0, le=36500, description="Days without use; left away: ENVIRONMENT_RETENTION_DAYS."
    )
    dry_run: bool = Field(default=False, description="True: only tell what would be removed.")


class CollectedOut(BaseModel):
    """What was removed, or would be."""

    hashes: list[str]
    freed_bytes: int = Field(description="What the disk gets back; files that stay in uv's cache do not count.")
    dry_run: bool

    @classmethod
    def of(cls, collected: Collected) -> "CollectedOut":
        """The result as the API shows it."""
        return cls.model_validate(collected, from_attributes=True)
