"""A setting as the page shows it; who gives it has read it."""

from collections.abc import Callable, Sequence
from typing import Literal, Protocol


class Setting(Protocol):
    """One setting; its value is hidden already when it is secret."""

    @property
    def name(self) -> str:
        """Of its variable."""

    @property
    def description(self) -> str:
        """What it is for."""

    @property
    def value(self) -> str:
        """In force; '' when there is none."""

    @property
    def default(self) -> str:
        """What it would be if nobody set it."""

    @property
    def origin(self) -> Literal["default", "environment", "file", "flag", "derived"]:
        """Where the value came from."""

    @property
    def is_secret(self) -> bool:
        """Whether only that there is a value may be shown."""

    @property
    def later(self) -> str | None:
        """What the next start would make of it, if something else."""


Look = Callable[[], tuple[Sequence[Setting], str]]
"""Every setting, and what is wrong with the file as it is now ('': nothing)."""
