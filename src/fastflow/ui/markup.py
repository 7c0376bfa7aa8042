"""HTML as values: what goes in is escaped, unless it is HTML already.

Pages that mostly show are made of such pieces: one string for the browser instead of an element on the server for every
cell, so that fifty open dashboards cost one string among them.
"""

from collections.abc import Iterable, Iterator
from html import escape
from typing import TypeAlias

from fastflow.ui.texts import Data, Phrase


class Html(str):
    """Markup that is safe to send as it is."""

    __slots__ = ()


Child: TypeAlias = "Html | Phrase | Data | Iterable[Html | Phrase | Data | None] | None"
"""What an element may hold. Plain text is not among it: it is a phrase of a catalogue, or declared to be data."""
Attribute: TypeAlias = "str | int | float | bool | None"

_VOID = frozenset({"br", "hr", "input", "img", "meta", "link"})
_DRAWN = frozenset({"path", "circle", "rect", "line", "polyline"})
"""In drawings, what is not closed would hold what follows."""


def tag(name: str, /, *children: Child, cls: str = "", **attributes: Attribute) -> Html:
    """An element.

    Args:
        name: of the tag.
        children: what it holds.
        cls: its classes.
        attributes: `aria_label` becomes `aria-label`, `for_` becomes `for`; False and None leave it away, True has no value.
    """
    shown = "".join(_attribute(key, value) for key, value in attributes.items())
    classes = f' class="{escape(cls)}"' if cls else ""
    head = f"<{name}{classes}{shown}>"
    if name in _VOID:
        return Html(head)
    if name in _DRAWN:
        return Html(f"{head[:-1]}/>")
    return Html(f"{head}{''.join(_flat(children))}</{name}>")


def div(*children: Child, cls: str = "", **attributes: Attribute) -> Html:
    """A `div`."""
    return tag("div", *children, cls=cls, **attributes)


def span(*children: Child, cls: str = "", **attributes: Attribute) -> Html:
    """A `span`."""
    return tag("span", *children, cls=cls, **attributes)


def link(href: str, *children: Child, cls: str = "", **attributes: Attribute) -> Html:
    """An `a`."""
    return tag("a", *children, cls=cls, href=href, **attributes)


def join(*children: Child) -> Html:
    """Pieces one after the other."""
    return Html("".join(_flat(children)))


def _flat(children: Iterable[Child]) -> Iterator[str]:
    for child in children:
        if child is None:
            continue
        if isinstance(child, Html):
            yield child
        elif isinstance(child, str):
            yield escape(child)
        else:
            yield from _flat(child)


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
