"""Why a TOML document cannot be read, as its writer would say it: the parser only tells where it gave up."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

_MAX_SHOWN = 80
_PAIR = re.compile(r"\s*(?P<key>[^=#]*?)\s*=\s*(?P<value>.*?)\s*(?:#[^\"']*)?$")
_BARE = re.compile(r"[^\s\"'\[\]{}#,][^\"'\[\]{}#]*")
_HINT = "Strings need quotes, tables are headed by [name], and a key has a = behind it."


class Cause(NamedTuple):
    """What is wrong with a line.

    Attributes:
        problem: to be put behind the line.
        hint: what to write instead.
    """

    problem: str
    hint: str


def shown_line(text: str) -> str:
    """A line as messages quote it: without what stands around it, cut when it is long."""
    line = text.strip()
    return line if len(line) <= _MAX_SHOWN else f"{line[:_MAX_SHOWN]}…"


def likely_cause(lines: Sequence[str], number: int, told: str) -> Cause:
    """The likely cause of a parser's complaint.

    Args:
        lines: of the document.
        number: of the line it is about; the first is 1.
        told: what the parser said, without the place.

    >>> likely_cause(["timeout = 10m"], 1, "Expected newline or end of document after a statement").hint
    'Write timeout = "10m".'
    """
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    before = next((text.strip() for text in reversed(lines[: number - 1]) if text.strip()), "")
    for find in _FINDERS:
        cause = find(line, before, told)
        if cause is not None:
            return cause
    return Cause(told[:1].lower() + told[1:], _HINT)


def _open_list(line: str, before: str, told: str) -> Cause | None:
    is_inside = before.endswith((",", "[")) and "=" in line
    is_cut = line.rstrip().endswith((",", "["))
    if told.startswith("Unclosed array") or (told == "Invalid value" and (is_inside or is_cut)):
        return Cause("the list that began here or above is not closed", "Put a ] behind its last item.")
    if told.startswith("Unclosed inline table"):
        return Cause("the table that began here is not closed", "Put a } behind its last key, on the same line.")
    return None


def _repeated(line: str, _before: str, told: str) -> Cause | None:
    if told.startswith(("Cannot overwrite", "Duplicate inline")):
        named = re.search(r"'([^']+)'", told)
        key = named[1] if named else line.partition("=")[0].strip()
        return Cause(f"{key} has a value already", "Keep one of the two lines.")
    if told.startswith(("Cannot declare", "Cannot mutate")):
        return Cause("there is a table of this name already", "Put the keys of both under one heading.")
    return None


def _quotes(line: str, _before: str, told: str) -> Cause | None:
    is_cut = told.startswith(("Unterminated string", "Illegal character '\\n'", 'Expected "\'"', "Expected '\"'"))
    if is_cut or (told == "Invalid value" and line.rstrip().endswith(('"', "'")) and line.count('"') % 2):
        return Cause("a quote is missing", "Begin and end the text with the same quote.")
    match = _PAIR.match(line)
    if match and told.startswith("Expected newline") and match["value"][:1] in "\"'" and match["value"][:1]:
        return Cause(
            "something stands behind the text in quotes",
            "A quote inside the text ends it: put such text into the other kind of quotes.",
        )
    if told.startswith("Unescaped '\\'"):
        return Cause(
            '\\ has a meaning of its own inside "…"', "Put the text into single quotes, or write \\\\ for each \\."
        )
    return None


def _no_equals(line: str, _before: str, told: str) -> Cause | None:
    if told.startswith("Expected ']"):
        return Cause("the heading is not closed", "Head a table by its name in brackets, such as [limits].")
    if not told.startswith(("Expected '='", "Invalid statement", "Invalid initial character")):
        return None
    if ":" in line and "=" not in line:
        key, _, value = line.strip().partition(":")
        return Cause("TOML writes = where YAML and JSON write :", f"Write {key.strip()} = {value.strip().rstrip(',')}.")
    return Cause("there is no key with a = behind it", "Write key = value, or put a # before a comment.")


def _bad_value(line: str, _before: str, told: str) -> Cause | None:
    match = _PAIR.match(line)
    if match is None or not told.startswith(("Invalid value", "Expected newline", "Invalid date")):
        return None
    key, value = match["key"], match["value"]
    if not value:
        return Cause("there is no value behind the =", f'Write one, such as {key} = "text", or remove the line.')
    if value.endswith(","):
        return Cause("a comma stands behind the value", f"Write {key} = {value.rstrip(', ')}.")
    if value.startswith("["):
        return Cause("an item of the list cannot be read", 'Put texts into quotes, such as ["a", "b"].')
    if re.fullmatch(r"0\d+", value):
        return Cause("a number cannot begin with 0", f'Write {key} = {int(value)}, or {key} = "{value}" for text.')
    if value.lower() in ("true", "false"):
        return Cause(f"{value} is not written like that", f"Write {key} = {value.lower()}.")
    if value.lower() in ("none", "null", "nil", "~"):
        return Cause("TOML has no word for nothing", "Remove the line: what is left away has no value.")
    return Cause("text needs quotes", f'Write {key} = "{value}".') if _BARE.fullmatch(value) else None


_FINDERS: tuple[Callable[[str, str, str], Cause | None], ...] = (
    _open_list,
    _repeated,
    _quotes,
    _no_equals,
    _bad_value,
)
