"""What is wrong with something that people asked for: told field by field, all of it at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True)
class Problem:
    """One of them.

    Attributes:
        field: which field, such as `training_to` or `hyperparameters.seed`.
        problem: what is wrong with it, to be put behind its name and a colon.
        remedy: what to do, a sentence.
    """

    field: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.problem}. {self.remedy}"


class Refused(ValueError):
    """Something that cannot be as it was asked for.

    Args:
        problems: at least one.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{one.field}: {one}" for one in problems))
        self.problems = tuple(problems)


def unknown(field: str, word: object, known: Iterable[str]) -> Problem:
    """A word that is none of those known; the remedy names the nearest, or all.

    >>> str(unknown("feature_set", "enhancd", ["standard", "enhanced"]))
    "'enhancd' is unknown. Did you mean 'enhanced'?"
    """
    words = list(known)
    near = get_close_matches(str(word), words, n=1, cutoff=0.6)
    remedy = f"Did you mean {near[0]!r}?" if near else f"Use one of {', '.join(words)}."
    return Problem(field, f"{shown(word)} is unknown", remedy)


def shown(value: object) -> str:
    """A value as it was given, cut when it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
