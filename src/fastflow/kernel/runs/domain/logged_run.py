"""What reading logs and artifacts needs to know of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from fastflow.kernel.runs.domain.log_line import LogLine, Stream
from fastflow.kernel.runs.domain.log_needles import Needles


@dataclass(frozen=True, kw_only=True)
class LoggedRun:
    """A run as its log's reader sees it.

    Attributes:
        log_path: where the log is, or will be.
        log_deleted_at: when retention removed the log; None while it is kept.
        ended: whether the run is in a terminal state; its log has then been written to the last byte.
        since: when it was started, or queued when it has not been.
    """

    id: str
    pipeline_name: str
    status: str
    reason: str | None
    exit_code: int | None
    log_path: Path
    log_deleted_at: datetime | None
    ended: bool
    since: datetime


@dataclass(frozen=True, kw_only=True)
class LogQuery:
    """Which part of a log, and in which form.

    Attributes:
        tail: only the last lines of what the other fields leave; None means all.
        grep: only lines whose text contains these bytes; None means all.
        or_grep: or one of these; only together with `grep`.
        whole_words: whether `grep` takes them as words of their own alone.
        stream: only this stream's lines; None means both.
        ignore_case: whether `grep` takes ASCII letters of either case.
        offsets: each line begins with its offset in the file and a space; only together with `times`.
        times: lines as stored, with time, stream and tag, instead of the text alone.
        start: offset in the file to begin at, moved back to the start of its line.
        end: offset in the file to stop before, moved on to the end of its line; None means the end of the log.
    """

    tail: int | None = None
    grep: bytes | None = None
    or_grep: tuple[bytes, ...] = ()
    whole_words: bool = False
    stream: Stream | None = None
    times: bool = False
    ignore_case: bool = False
    offsets: bool = False
    start: int = 0
    end: int | None = None

    @property
    def needles(self) -> Needles | None:
        """What lines have to hold one of; None: nothing."""
        if self.grep is None:
            return None
        texts = (self.grep, *self.or_grep)
        return Needles.of(texts, ignore_case=self.ignore_case, whole_words=self.whole_words)

    @property
    def is_filtered(self) -> bool:
        """Whether lines inside the range may be left out."""
        return self.tail is not None or self.grep is not None or self.stream is not None


@dataclass(frozen=True, kw_only=True)
class LiveLog:
    """A running run and its last lines, oldest first."""

    run: LoggedRun
    lines: tuple[LogLine, ...]


@dataclass(frozen=True, kw_only=True)
class PolledLog:
    """Lines of a run's log, for who asks for them again and again.

    Attributes:
        lines: oldest first; id and data of each, as the live stream tells them.
        end: the id after which the next question begins.
    """

    run: LoggedRun
    lines: Sequence[tuple[int, Mapping[str, Any]]]
    end: int


@dataclass(frozen=True, kw_only=True)
class FeedEvent:
    """Something that happened to a run or that it told, in the one sequence of all runs.

    Attributes:
        id: position among all events of all runs; later events have higher ids.
        kind: state, progress, metric, output, sample or note.
    """

    id: int
    run_id: str
    pipeline_name: str
    at: datetime
    kind: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StoredArtifact:
    """A file a run left; `path` is relative to its artifact folder, with forward slashes."""

    path: str
    size_bytes: int
    sha256: str
    created_at: datetime
