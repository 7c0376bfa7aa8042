"""What a failed run's end has in common with others: its exception and the way to it, without what differs each time.

A fingerprint is made of the exception's type and the frames of its traceback as `file:function`: no folders, line numbers,
messages, addresses or ids. So the same fault is one group on every machine, before and after a line was added above it.
Where a script raises outside every function, the way says nothing (`main.py:<module>`): there the text of the line that raised
counts as well. What people read is never the fingerprint's text, but the last line of one of the runs.
"""

import hashlib
import re
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MAX_TITLE = 200
MAX_FRAMES = 20
_LINES_AFTER = 5
"""So many lines may follow a traceback; one with more behind it was not the end of the script."""

_BEGIN = "Traceback (most recent call last):"
_FRAME = re.compile(r'\s*File "(?P<file>[^"]*)", line \d+(?:, in (?P<function>.+))?')
_RAISED = re.compile(r"(?P<type>[A-Za-z_][\w.]*)(?:: (?P<message>.*))?")
_GROUP_MARGIN = re.compile(r"^\s*[|+]\s?")
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_CHANGING = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<address>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"(?<![\w.])(?:/[^\s/'\":,()]+)+/(?=[^\s/'\":,()])"), ""),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=\d*[a-f])[0-9a-f]{12,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\d+(?:[.,]\d+)*"), "N"),
)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The end of a failed run, as far as it may be the same in others.

    Attributes:
        group: the fingerprint.
        title: one line for people, as this run told it.
        exception: the exception's type; None when there was no traceback.
        frames: from the outermost to the one that raised, as `file:function`.
    """

    group: str
    title: str
    exception: str | None = None
    frames: Sequence[str] = ()


def describe(reason: str, reason_text: str | None, exit_code: int | None, lines: Sequence[str] = ()) -> Failure:
    """The failure of a run.

    Args:
        reason: the run's.
        reason_text: the run's.
        exit_code: the run's.
        lines: the end of what the script wrote to its standard error, else of all it wrote; without line ends.
    """
    if reason != "exit":
        told = _last(reason_text) if reason != "lost" else ""
        return _plain(f"{reason}: {normalise(told)}", f"{reason}: {told}") if told else _plain(reason, reason)
    clean = [_COLOUR.sub("", line) for line in lines]
    found = _from_traceback(clean)
    if found is not None:
        return found
    if exit_code is not None and exit_code < 0:  # what it last wrote has nothing to do with it
        return _plain(f"exit {exit_code}", f"ended by {_signal_name(-exit_code)}")
    last = next((line.strip() for line in reversed(clean) if line.strip()), None)
    if last is None:
        return _plain(f"exit {exit_code}", f"exit code {exit_code}, without a word")
    return _plain(f"exit {exit_code} {normalise(last)}", f"exit code {exit_code}: {last}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def normalise(text: str) -> str:
    """The text without what differs each time: ids, addresses, times, folders, numbers.

    >>> normalise("row 17 of /data/2026/in.csv at 0x7f21 is bad")
    'row N of in.csv at <address> is bad'
    """
    for pattern, stands_for in _CHANGING:
        text = pattern.sub(stands_for, text)
    return " ".join(text.split())[:MAX_TITLE]


def _from_traceback(lines: Sequence[str]) -> Failure | None:
    """The last traceback, when the script ended with it."""
    plain = [_GROUP_MARGIN.sub("", line) for line in lines]
    begin = max((place for place, line in enumerate(plain) if line.strip().endswith(_BEGIN)), default=None)
    if begin is None:
        return None
    frames: list[str] = []
    code = ""
    for place, line in enumerate(plain[begin + 1 :], start=begin + 1):
        frame = _FRAME.fullmatch(line.rstrip())
        if frame is not None:
            frames.append(_frame(frame["file"], frame["function"]))
            code = "".join(plain[place + 1 : place + 2])
            continue
        raised = _RAISED.fullmatch(line.rstrip())
        if raised is None or line[:1].isspace():
            continue
        behind = (after for after in lines[place + 1 :] if after.strip() and not _GROUP_MARGIN.match(after))
        if sum(1 for _ in behind) > _LINES_AFTER:
            return None
        return _raised(raised["type"], raised["message"], frames, code.strip())
    return None


def _raised(kind: str, message: str | None, frames: Sequence[str], code: str) -> Failure:
    way = tuple(_without_repeats(frames))[-MAX_FRAMES:]
    words = f"{kind}: {message}" if message else kind
    title = f"{_shortened(words, len(way[-1]) + 4)} in {way[-1]}" if way else words
    tells = any(not frame.endswith(":<module>") for frame in way)
    identity = (kind, *way) if tells else (kind, *way, code)
    return Failure(group=_digest(*identity), title=title[:MAX_TITLE], exception=kind[:MAX_TITLE], frames=way)


def _shortened(words: str, kept: int) -> str:
    """The words with room behind them."""
    room = max(MAX_TITLE // 2, MAX_TITLE - kept)
    return words if len(words) <= room else f"{words[: room - 1]}…"


def _frame(file: str, function: str | None) -> str:
    name = re.split(r"[/\\]", file)[-1]
    return f"{name}:{function.strip()}" if function else name


def _without_repeats(frames: Sequence[str]) -> Iterator[str]:
    """A recursion is the same fault however deep it went."""
    before = None
    for frame in frames:
        if frame != before:
            yield frame
        before = frame


def _plain(identity: str, title: str) -> Failure:
    return Failure(group=_digest(identity), title=title[:MAX_TITLE])


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:16]


def _last(text: str | None) -> str:
    """The last line that says something."""
    return next((line.strip() for line in reversed((text or "").splitlines()) if line.strip()), "")
