"""The changed lines of a file of code: a unified diff of bounded size, without what looks like a secret."""

import difflib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from fastflow.kit.addresses import HIDDEN, without_credentials

CONTEXT = 3
MAX_SHOWN_LINES = 300
"""Lines of one file's diff; the rest is cut."""
MAX_SHOWN_WIDTH = 400
MAX_READ_WIDTH = 10 * MAX_SHOWN_WIDTH
"""Of a line that is longer, the rest is not looked at: what is hidden may make it shorter than it was."""
MAX_SHOWN_CHARS = 200_000
"""Of all files of a comparison together: later ones are told by their counts alone."""
SHORTEST_SECRET = 4
_SECRET_FILES = re.compile(
    r"(^|/)(\.env(\.[^/]*)?|\.netrc|\.pgpass|\.pypirc|id_[a-z0-9]+|[^/]*\.(pem|key|p12|pfx|jks|keystore)|[^/]*credentials?(\.[a-z]+)?)$",
    re.IGNORECASE,
)
_ASSIGNED = re.compile(
    r"""(?<![\w.\-])(?P<name>[\w.\-]*(?:password|passwd|passphrase|secret|token|api_?key|access_?key|private_?key|credential)[\w\-]*
    ["'\]]*\s*(?::\s*[\w\[\].| ]+)?\s*[:=]\s*[rbfu]{0,2})(?P<quote>["'])(?P<value>[^"']{4,})(?P<end>(?P=quote)|$)""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True, kw_only=True)
class ChangedLines:
    """What differs between two texts.

    Attributes:
        added, removed: lines.
        diff: unified, without the names of the files; None: it is not to be shown.
        is_cut: whether there is more than is shown.
    """

    added: int
    removed: int
    diff: str | None
    is_cut: bool


def change_lines(path: str, before: Sequence[str], after: Sequence[str]) -> ChangedLines:
    r"""What differs between two texts, as lines.

    >>> change_lines("main.py", ["a", "b"], ["a", "c"]).diff
    '@@ -1,2 +1,2 @@\n a\n-b\n+c'
    """
    matcher = difflib.SequenceMatcher(None, before, after)
    added = removed = 0
    for tag, start, end, new_start, new_end in matcher.get_opcodes():
        if tag != "equal":
            removed += end - start
            added += new_end - new_start
    if holds_secrets(path):
        return ChangedLines(added=added, removed=removed, diff=None, is_cut=False)
    shown: list[str] = []
    is_cut = False
    for line in _unified(matcher, before, after):
        if len(shown) >= MAX_SHOWN_LINES:
            is_cut = True
            break
        is_cut = is_cut or len(line) > MAX_SHOWN_WIDTH
        shown.append(hide_literals(line[:MAX_READ_WIDTH])[:MAX_SHOWN_WIDTH])
    return ChangedLines(added=added, removed=removed, diff="\n".join(shown), is_cut=is_cut)


def _unified(matcher: "difflib.SequenceMatcher[str]", before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    for group in matcher.get_grouped_opcodes(CONTEXT):
        first, last = group[0], group[-1]
        yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@"
        for tag, start, end, new_start, new_end in group:
            if tag == "equal":
                yield from (f" {line}" for line in before[start:end])
                continue
            yield from (f"-{line}" for line in before[start:end])
            yield from (f"+{line}" for line in after[new_start:new_end])


def _range(start: int, end: int) -> str:
    length = end - start
    return f"{start + 1}" if length == 1 else f"{start + 1 if length else start},{length}"


def holds_secrets(path: str) -> bool:
    """Whether a file of this name is made to hold secrets: its lines are not shown.

    >>> holds_secrets("config/.env"), holds_secrets("tls/server.pem"), holds_secrets("main.py")
    (True, True, False)
    """
    return _SECRET_FILES.search(path) is not None


def hide_literals(line: str) -> str:
    """The line without texts that are given to a name which says secret, and without the credentials of addresses.

    >>> hide_literals('+API_TOKEN = "abcdef"; url = "https://ada:pw@host/"')
    '+API_TOKEN = "***"; url = "https://***@host/"'
    >>> hide_literals("password = 'a value that goes on")
    "password = '***"
    >>> hide_literals(' secret = read_secret("DB")')
    ' secret = read_secret("DB")'
    """
    return without_credentials(_ASSIGNED.sub(rf"\g<name>\g<quote>{HIDDEN}\g<end>", line))


def hide_values(diff: str, values: Collection[str]) -> str:
    """The diff without these values, of which those with several lines go line by line.

    >>> hide_values('+key = "hunter22"', ["hunter22"])
    '+key = "***"'
    """
    pieces = {piece.strip() for value in values for piece in (value, *value.splitlines())}
    ordered = sorted((piece for piece in pieces if len(piece) >= SHORTEST_SECRET), key=len, reverse=True)
    for piece in ordered:
        diff = diff.replace(piece, HIDDEN)
    return "\n".join(_hide_begun(line, ordered) for line in diff.split("\n"))


def _hide_begun(line: str, pieces: Sequence[str]) -> str:
    """A line that was cut, without the beginning of a value at its end."""
    if len(line) < MAX_SHOWN_WIDTH - len(HIDDEN):
        return line
    for piece in pieces:
        for length in range(len(piece) - 1, SHORTEST_SECRET - 1, -1):
            if line.endswith(piece[:length]):
                return line[:-length] + HIDDEN
    return line
