"""What a room brings to the interface. The shell knows rooms by this alone and names none of them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fastflow.kit.identity import Actor, Role
from fastflow.ui.texts import Data, Phrase, Texts

if TYPE_CHECKING:
    from fastflow.ui.shell.page import Page

BASE = "/ui"
"""Where all pages are, below the server's address."""
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
        is_apart: stands at the end, beside who is logged in.
    """

    path: str
    label: str
    icon: str
    order: int
    key: str
    role: Role = Role.VIEWER
    is_everywhere: bool = False
    is_apart: bool = False


@dataclass(frozen=True, kw_only=True)
class Found:
    """Something that the palette offers.

    Attributes:
        label: what it is called.
        note: says more.
        path: of a page of ours that it leads to; with `call`: where it leads afterwards, `{id}` standing for the id answered.
        call: path of the API that is told to do it (POST), as the reader and with their rights.
    """

    label: Phrase | Data
    note: Phrase | Data = field(default=Data(""))
    path: str
    call: str | None = None


@dataclass(frozen=True, kw_only=True)
class Finder:
    """A group of what a room offers in the palette.

    Attributes:
        title: key of what the group is called.
        find: what fits the words, as the reader may see it, best first; called in a thread, must be quick.
    """

    title: str
    find: Callable[[Texts, Actor, str], Sequence[Found]]


def fits(text: str, wanted: str) -> bool:
    """Whether the text holds every word that is wanted.

    >>> fits("Nightly export of tables", "export night"), fits("greet", "great")
    (True, False)
    """
    return all(word in text.lower() for word in wanted.lower().split())


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
    finders: Sequence[Finder] = field(default=())
