"""Names with wildcards: `billing-*` stands for every name that begins so. Letters are compared as they are."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

WILDCARDS = "*?"


def has_wildcard(pattern: str) -> bool:
    """Whether the pattern may stand for more than one name."""
    return any(letter in pattern for letter in WILDCARDS)


def matches(pattern: str, name: str) -> bool:
    """Whether the pattern stands for the name: `*` for any text, `?` for one letter, all else for itself.

    >>> matches("billing-*", "billing-daily"), matches("billing-*", "Billing-daily"), matches("a", "a")
    (True, False, True)
    """
    return pattern == name or (has_wildcard(pattern) and _compiled(pattern).fullmatch(name) is not None)


def expand(patterns: Iterable[str], known: Iterable[str]) -> Sequence[str]:
    """The names that the patterns stand for, sorted: a plain name as it is, a wildcard for those of `known` it fits.

    >>> expand(["a", "b-*"], ["b-1", "b-2", "c"])
    ['a', 'b-1', 'b-2']
    """
    given = list(patterns)
    wild = [pattern for pattern in given if has_wildcard(pattern)]
    plain = {pattern for pattern in given if not has_wildcard(pattern)}
    return sorted(plain | {name for name in known if any(matches(pattern, name) for pattern in wild)})


@lru_cache(maxsize=1000)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (".*" if letter == "*" else "." if letter == "?" else re.escape(letter) for letter in pattern)
    return re.compile("".join(parts), re.DOTALL)
