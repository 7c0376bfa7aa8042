"""TOML with line numbers: the standard parser gives values only, and a fault has to say where it is."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.domain.toml_causes import likely_cause, shown_line

_KEY = r"""(?:"[^"\n]*"|'[^'\n]*'|[A-Za-z0-9_-]+)"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]\]?")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=")
_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")


@dataclass(frozen=True)
class TomlText:
    """A TOML document, or a table of one.

    Attributes:
        file: the file it stands in.
        text: the document.
        document: its values.
        first_line: line of the file that the document's first line is.
        at: path of the table this is about, within the document; of tables in a list each has its place ("0") as key.
    """

    file: str
    text: str
    document: Mapping[str, Any]
    first_line: int = 1
    at: tuple[str, ...] = ()

    @property
    def table(self) -> dict[str, Any]:
        """The values of the table this is about; empty when it is not there or no table."""
        value: Any = self.document
        for key in self.at:
            if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                value = value[int(key)]
            else:
                value = value.get(key) if isinstance(value, Mapping) else None
        return dict(value) if isinstance(value, Mapping) else {}

    def below(self, *keys: str) -> "TomlText":
        """A table inside this one."""
        return TomlText(self.file, self.text, self.document, self.first_line, (*self.at, *keys))

    def line(self, *keys: str) -> int | None:
        """The line of a key of this table, or of the nearest thing around it that can be found."""
        path = keys
        while path:
            found = self.exact_line(*path)
            if found is not None:
                return found
            path = path[:-1]
        around = self.at
        while around and around not in self._lines:
            around = around[:-1]
        return self._lines.get(around)

    def exact_line(self, *keys: str) -> int | None:
        """The line of a key of this table; None when it cannot be found."""
        return self._lines.get((*self.at, *keys))

    @cached_property
    def _lines(self) -> dict[tuple[str, ...], int]:
        lines: dict[tuple[str, ...], int] = {}
        table: tuple[str, ...] = ()
        places: dict[tuple[str, ...], int] = {}  # of tables in lists: the place of the last one
        quote: str | None = None  # the mark of the multi-line string we are in
        for number, line in enumerate(self.text.splitlines(), start=self.first_line):
            inside, quote = quote, _open_quote(line, quote)
            if inside is not None:
                continue
            if match := _HEADER.match(line):
                named = _split(match[1])
                if line.lstrip().startswith("[["):
                    places[named] = places.get(named, -1) + 1
                    lines.setdefault(named, number)
                table = _numbered(named, places)
                lines.setdefault(table, number)
            elif match := _ASSIGNMENT.match(line):
                path = (*table, *_split(match[1]))
                lines.setdefault(path, number)
        return lines


def parse_toml(text: str, file: str, faults: FaultList, *, first_line: int = 1) -> TomlText | None:
    """The document; None when it is broken, which is noted as a fault with its line."""
    try:
        return TomlText(file, text, tomllib.loads(text), first_line)
    except RecursionError:
        faults.error(file, "This TOML is nested too deeply.", "Write flatter tables.", line=first_line)
    except tomllib.TOMLDecodeError as error:
        _note_broken(text, str(error), file, faults, first_line)
    return None


def _note_broken(text: str, told: str, file: str, faults: FaultList, first_line: int) -> None:
    """Note where the document is broken, what stands there, and what is likely wrong with it."""
    place = _PLACE.search(told)
    lines = text.splitlines()
    at_end = place is None or place[1] is None
    number = len(lines) if place is None or place[1] is None else min(int(place[1]), max(len(lines), 1))
    column = None if at_end or place is None else int(place[2])
    problem, hint = likely_cause(lines, number, _PLACE.sub("", told))
    line = shown_line(lines[number - 1]) if lines else ""
    faults.error(
        file,
        f"This is not valid TOML: {problem}: `{line}`.",
        hint,
        line=number + first_line - 1,
        column=column,
    )


def _open_quote(line: str, quote: str | None) -> str | None:
    for mark in re.findall(r'"""|\'\'\'', line):
        if quote is None:
            quote = mark
        elif quote == mark:
            quote = None
    return quote


def _numbered(path: tuple[str, ...], places: Mapping[tuple[str, ...], int]) -> tuple[str, ...]:
    """The path with the place of the last table behind each name of a list of tables."""
    found: list[str] = []
    for length, key in enumerate(path, start=1):
        found.append(key)
        if path[:length] in places:
            found.append(str(places[path[:length]]))
    return tuple(found)


def _split(dotted: str) -> tuple[str, ...]:
    keys: Sequence[str] = re.findall(_KEY, dotted)
    return tuple(key[1:-1] if key[0] in "\"'" else key for key in keys)
