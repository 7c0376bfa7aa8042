"""What a room brings to the interface. The shell knows rooms by this alone and names none of them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fastflow.kit.identity import Role

if TYPE_CHECKING:
    from fastflow.ui.shell.page import Page

Build = Callable[["Page"], Awaitable[None]]
"""Puts a page's content on it; what it raises of our errors is shown in its place."""


@dataclass(frozen=True, kw_only=True)
class PageSpec:
    """One page.

    Attributes:
        path: below the interface's own, such as `/runs/{run_id}`.
        title: key of its title.
        build: makes its content.
    """

    path: str
    title: str
    build: Build


@dataclass(frozen=True, kw_only=True)
class NavEntry:
    """A room's place in the navigation.

    Attributes:
        path: where it leads.
        label: key of what it is called.
        icon: name in `icons.py`.
        order: lower stands higher.
        key: pressed after `g`, leads there.
        role: who sees it; what is allowed, the pages' services decide.
        is_everywhere: the role on some pipelines alone is not enough.
    """

    path: str
    label: str
    icon: str
    order: int
    key: str
    role: Role = Role.VIEWER
    is_everywhere: bool = False


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A room.

    Attributes:
        name: its folder.
        texts: its phrases.
        load: gives its pages; imports what they need, and is called when the first page of all is asked for.
    """

    name: str
    texts: Path
    load: Callable[[], Sequence[PageSpec]]
    nav: Sequence[NavEntry] = field(default=())
