"""Sentences of the services in another language than English, the one in which they are made.

A service makes one English sentence, for the API, the command line and the log alike. The catalogues in `said/LANGUAGE/`
have the English sentence on the left, with `{names}` where it holds values, and its translation on the right. `{name:told}`
holds words of a service in turn, and may be empty; `{name:any}` holds words of others, such as a script's or Git's. What no catalogue knows stays English, and is marked as such, so that a
screen reader speaks it rightly. `codes.toml` says in few words what each code of an error means: that much is always said.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Final

SAID: Final = Path(__file__).parent / "said"
CODES: Final = "codes.toml"
ENGLISH, END = "\ue000", "\ue001"
"""Around what stayed English; of a use that no text has."""

_PLACE = re.compile(r"\{(?P<name>[a-z]\w*)(?P<kind>:told|:any)?\}")
_VALUES = {None: r"(?:(?![.;!?]\s)[\s\S])+?", ":told": r"[\s\S]*?", ":any": r"[\s\S]+?"}
"""What is a name or a number ends with its part of the sentence."""
_ENDS = (".", "!", "?")
_BETWEEN_SENTENCES = re.compile(r"(?<=[.!?])\s+(?=[A-ZÄÖÜ`'\"(0-9])")
_FIELD = re.compile(r"(?P<field>[\w.\[\]-]{1,80}): (?P<problem>.+)", re.DOTALL)


class Sentences:
    """What is known in one language.

    Args:
        pairs: English sentence -> translation.
        codes: code of an error -> what it means.
    """

    def __init__(self, pairs: Mapping[str, str], codes: Mapping[str, str]) -> None:
        self.codes = codes
        self._whole = {english: translation for english, translation in pairs.items() if not _PLACE.search(english)}
        patterns = [_Pattern(english, pairs[english]) for english in pairs if english not in self._whole]
        self._patterns = sorted(patterns, key=lambda each: -each.letters)
        self.translate = lru_cache(maxsize=4096)(self._translate)

    def _translate(self, text: str) -> str:
        """The text, with what stayed English between two marks."""
        text = text.replace(ENGLISH, "").replace(END, "")
        return "".join(self._in_parts(text)).replace(END + ENGLISH, "").replace(f"{END} {ENGLISH}", " ")

    def _in_parts(self, text: str) -> Iterator[str]:
        if not text.strip():
            yield text
            return
        whole = self._find(text)
        if whole is not None:
            yield whole
            return
        sentences = _BETWEEN_SENTENCES.split(text)
        if len(sentences) == 1:
            yield self._clauses(text)
            return
        yield " ".join(self._find(each) or self._clauses(each) for each in sentences)

    def _clauses(self, sentence: str) -> str:
        """A sentence that nothing fits as a whole: its parts, or as it is."""
        body, stop = (sentence[:-1], ".") if sentence.endswith(".") else (sentence, "")
        told = [self._clause(each) for each in body.split("; ")]
        return f"{ENGLISH}{sentence}{END}" if None in told else "; ".join(filter(None, told)) + stop

    def _clause(self, text: str) -> str | None:
        found = self._find(text)
        if found is not None:
            return found
        field = _FIELD.fullmatch(text)
        problem = None if field is None else self._find(field["problem"])
        return None if field is None or problem is None else f"{field['field']}: {problem}"

    def _find(self, text: str) -> str | None:
        if text in self._whole:
            return self._whole[text]
        for pattern in self._patterns:
            values = pattern.values_in(text)
            if values is not None:
                return pattern.filled({name: "".join(self._value(pattern, name, values[name])) for name in values})
        return None

    def _value(self, pattern: "_Pattern", name: str, value: str) -> str:
        if name not in pattern.told:
            return value
        blank = value[: len(value) - len(value.lstrip())]
        return blank + "".join(self._in_parts(value.lstrip()))


class _Pattern:
    """A sentence with values in it."""

    def __init__(self, english: str, translation: str) -> None:
        self.told = {match["name"] for match in _PLACE.finditer(english) if match["kind"] == ":told"}
        self._english, self._translation = english, translation
        self._literals = [each for each in re.split(r"\{[^{}]*\}", english) if each] if self._is_plain else []
        self.letters = len(_PLACE.sub("", english))
        self._begin, self._end = english[: english.index("{")], english[english.rindex("}") + 1 :]

    @property
    def _is_plain(self) -> bool:
        return len(_PLACE.findall(self._english)) == self._english.count("{")

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return re.compile("".join(_as_regex(self._english)))

    def values_in(self, text: str) -> Mapping[str, str] | None:
        """The values; None: it is another sentence."""
        if not (text.startswith(self._begin) and text.endswith(self._end)) or any(
            each not in text for each in self._literals
        ):
            return None
        if text.endswith(_ENDS) and not self._english.endswith((*_ENDS, "told}", "any}")):
            return None  # a part of a sentence is no whole one
        found = self._regex.fullmatch(text)
        return None if found is None else found.groupdict()

    def filled(self, values: Mapping[str, str]) -> str:
        """The translation with the values in it."""
        return _PLACE.sub(lambda match: values.get(match["name"], match[0]), self._translation)


def _as_regex(english: str) -> Iterator[str]:
    at = 0
    seen: set[str] = set()
    for place in _PLACE.finditer(english):
        yield re.escape(english[at : place.start()])
        name = place["name"]
        yield f"(?P={name})" if name in seen else f"(?P<{name}>{_VALUES[place['kind']]})"
        seen.add(name)
        at = place.end()
    yield re.escape(english[at:])


def pieces(translated: str) -> Sequence[tuple[str, bool]]:
    """The parts of a translated text, each with whether it stayed English."""
    parts = re.split(f"({ENGLISH}[^{END}]*{END})", translated)
    return [(part.strip(ENGLISH + END), part.startswith(ENGLISH)) for part in parts if part]


@cache
def sentences_in(language: str) -> Sentences | None:
    """What the catalogues of a language hold; None: there are none, and none are needed."""
    folder = SAID / language
    if not folder.is_dir():
        return None
    pairs: dict[str, str] = {}
    for path in sorted(folder.glob("*.toml")):
        if path.name != CODES:
            _add(pairs, path)
    return Sentences(pairs, _read(folder / CODES))


def _add(pairs: dict[str, str], path: Path) -> None:
    for english, translation in _read(path).items():
        if pairs.setdefault(english, translation) != translation:
            raise ValueError(f"{path.name}: {english!r} is translated otherwise in another file")


def _read(path: Path) -> Mapping[str, str]:
    return {english: str(told) for english, told in tomllib.loads(path.read_text(encoding="utf-8")).items()}
