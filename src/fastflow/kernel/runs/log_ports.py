"""What reading logs, events and artifacts needs from outside."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator, Sequence
from typing import Protocol

from fastflow.kernel.runs.domain.logged_run import FeedEvent, LiveLog, LoggedRun, LogQuery, PolledLog, StoredArtifact


class LoggedRuns(Protocol):
    """Runs as a log's reader sees them."""

    def find(self, run_id: str) -> LoggedRun | None:
        """The run; None when there is none."""
        ...

    def load_running(self, pipelines: Collection[str] | None, limit: int) -> Sequence[LoggedRun]:
        """RUNNING runs, newest first; only those of the pipelines (names or patterns), if given."""
        ...

    def load_artifacts(self, run_id: str) -> Sequence[StoredArtifact]:
        """The run's artifacts in the order of their paths."""
        ...


class OpenLog(Protocol):
    """A part of a log, opened. Bytes written after opening are not seen; the answers may be asked for repeatedly.

    Attributes:
        start: offset in the file of the first byte it covers.
        end: offset after the last.
        size: bytes of the text; None when only reading it all would tell.
        version: changes whenever the file does.
    """

    @property
    def start(self) -> int: ...  # noqa: D102

    @property
    def end(self) -> int: ...  # noqa: D102

    @property
    def size(self) -> int | None: ...  # noqa: D102

    @property
    def version(self) -> str: ...  # noqa: D102

    def read(self, start: int, end: int | None) -> Iterator[bytes]:
        """The text from one of its bytes to another (None: to its end), in blocks, in constant memory."""
        ...

    def close(self) -> None:
        """Release the file; may be called again."""
        ...


class LogFiles(Protocol):
    """Logs as files."""

    def open(self, run: LoggedRun, query: LogQuery) -> OpenLog | None:
        """The part of the run's log; None while there is no file.

        Raises:
            InvalidInput: the range lies beyond the log's end or is turned round.
        """
        ...

    def check_offset(self, run: LoggedRun, offset: int) -> None:
        """Return when a line begins at the offset or the log ends there.

        Raises:
            InvalidInput: it does not; says where one does.
        """
        ...

    def tail_offset(self, run: LoggedRun, lines: int) -> int:
        """Where the last so many lines begin."""
        ...

    def poll(self, run: LoggedRun, offset: int, lines: int) -> PolledLog:
        """At most so many lines from the offset on, each as the live stream tells it."""
        ...

    def last_lines(self, run: LoggedRun, lines: int) -> LiveLog:
        """The last lines, each cut to a readable length."""
        ...


class LogFollower(Protocol):
    """Live streams of logs."""

    def follow(self, run: LoggedRun, offset: int, *, unfinished: bool = False) -> AsyncGenerator[bytes, None]:
        """Events from the offset on until the run has ended and all was told. Close it to release what it holds."""
        ...

    def close(self) -> None:
        """Let every stream stop where it is."""
        ...


class EventFeed(Protocol):
    """The live sequence of all runs' events."""

    def listen(self, since: int | None, wanted: Callable[[FeedEvent], bool]) -> AsyncGenerator[bytes, None]:
        """Events after the id (None: from now on), without end. Close it to release what it holds."""
        ...

    def notify(self) -> None:
        """Something was written: look now."""
        ...

    def close(self) -> None:
        """Let every stream stop."""
        ...


class RunEnds(Protocol):
    """Ends of runs, as they come."""

    def wait_ended(self, run_id: str) -> Awaitable[LoggedRun]:
        """The run, once it has ended; every byte of its log is then in the file.

        Raises:
            NotFound: the run was deleted.
        """
        ...

    def notify(self) -> None:
        """A run has changed: look now."""
        ...


class ArtifactFiles(Protocol):
    """Artifacts as files."""

    def open(self, run_id: str, path: str) -> int:
        """A descriptor of the regular file, for the caller to close; never follows a link out of the run's folder.

        Raises:
            OSError: there is no such regular file, or it cannot be read.
        """
        ...
