"""Things that are made when they are first used: a command of the command line pays for the parts it needs alone."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

T = TypeVar("T")


class _Deferred:
    """Stands in for a thing until something of it is asked for, and hands everything on to it from then on."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: Any = None

    def _thing(self) -> Any:
        if self._made is None:
            self._made = self._make()
        return self._made

    def __getattr__(self, name: str) -> Any:
        return getattr(self._thing(), name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._thing())


def deferred(make: Callable[[], T]) -> T:
    """What `make` makes, at its first use; it may be asked for its attributes and, when it has parts, for those.

    Args:
        make: called at most once by a thread; it must give a thing, never None.
    """
    return cast("T", _Deferred(make))
