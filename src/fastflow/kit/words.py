"""Small turns of phrase that messages share."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?` for the nearest known words, or nothing; to be put behind a sentence.

    >>> did_you_mean("limt", ["cursor", "limit"])
    " Did you mean 'limit'?"
    """
    near = get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(match) for match in near)}?" if near else ""


def in_a_sentence(problems: Mapping[str, str]) -> str:
    """Fields with what is wrong with each, as the end of a sentence.

    >>> in_a_sentence({"by": "'25:00' is no time of day", "on": "'lat' is unknown. Did you mean 'late'?"})
    "by: '25:00' is no time of day; on: 'lat' is unknown. Did you mean 'late'?"
    """
    text = "; ".join(f"{field}: {problem}" for field, problem in problems.items())
    return text if text.endswith((".", "!", "?")) else f"{text}."


def counted(number: int, word: str) -> str:
    """A number and its noun.

    >>> counted(1, "error"), counted(2, "error")
    ('1 error', '2 errors')
    """
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
