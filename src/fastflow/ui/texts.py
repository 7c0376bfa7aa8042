"""The words of the interface, in every language it speaks.

Each room keeps its own in a `texts.toml`: one line for a phrase, with all languages beside each other, so that a missing
one is seen while it is written. A `Phrase` is made nowhere else, and the elements that show words take no plain text: what
was not put into a catalogue does not pass the type checker.
"""

import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

LANGUAGES: Final = ("en", "de")
"""The first is what a reader gets who asks for none of them."""


class Phrase(str):
    """Words out of a catalogue, in the reader's language."""

    __slots__ = ()


class Data(str):
    """Text that is not ours to translate: names, numbers, what scripts and services said."""

    __slots__ = ()


class Catalogue:
    """All phrases of all rooms.

    Args:
        files: `texts.toml` of each room; a table `[runs]` with `title = {en = "Runs", …}` is the phrase `runs.title`.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self._phrases: dict[str, Mapping[str, str]] = {}
        for path in files:
            for room, phrases in tomllib.loads(path.read_text(encoding="utf-8")).items():
                for name, languages in phrases.items():
                    key = f"{room}.{name}"
                    if key in self._phrases or set(languages) != set(LANGUAGES):
                        raise ValueError(f"{path.name}: {key} is there twice, or not in exactly {', '.join(LANGUAGES)}")
                    self._phrases[key] = languages

    @property
    def keys(self) -> Collection[str]:
        """Of every phrase."""
        return self._phrases.keys()

    def texts(self, language: str) -> "Texts":
        """What a reader of the language sees."""
        return Texts(self._phrases, language)

    def languages_of(self, key: str) -> Mapping[str, str]:
        """The phrase in each language."""
        return self._phrases[key]


class Texts:
    """The phrases in one language.

    Attributes:
        language: its code.
    """

    def __init__(self, phrases: Mapping[str, Mapping[str, str]], language: str) -> None:
        self.language = language
        self._phrases = phrases

    def __call__(self, key: str, **values: object) -> Phrase:
        """The phrase, with the values in their places."""
        text = self._phrases[key][self.language]
        return Phrase(text.format(**values) if values else text)

    def count(self, key: str, number: int) -> Phrase:
        """The phrase `KEY_one` or `KEY_many` with `{n}` in it."""
        return self(f"{key}_{'one' if number == 1 else 'many'}", n=f"{number:,}".replace(",", "\u202f"))

    def joined(self, sentences: Iterable[Phrase]) -> Phrase:
        """Sentences one after the other."""
        return Phrase(" ".join(sentences))

    def in_language(self, language: str) -> "Texts":
        """The same phrases in another language."""
        return Texts(self._phrases, language)

    def has(self, key: str) -> bool:
        """Whether there is such a phrase."""
        return key in self._phrases

    def starting_with(self, prefix: str) -> Mapping[str, str]:
        """Phrases for scripts in the browser: what follows the prefix -> text."""
        return {
            key.removeprefix(prefix): languages[self.language]
            for key, languages in self._phrases.items()
            if key.startswith(prefix)
        }


def choose_language(cookie: str | None, accept: str) -> str:
    """The language somebody chose, else the first of ours that the browser prefers.

    >>> choose_language(None, "fr-CH, de;q=0.7, en;q=0.3")
    'de'
    """
    if cookie in LANGUAGES:
        return cookie
    asked: list[tuple[float, str]] = []
    for part in accept.split(","):
        name, _, weight = part.strip().partition(";q=")
        try:
            asked.append((-float(weight or 1), name.split("-")[0].lower()))
        except ValueError:
            continue
    return next((name for _, name in sorted(asked, key=lambda each: each[0]) if name in LANGUAGES), LANGUAGES[0])
