"""What SQL over the churn database needs of the world."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class SqlTables:
    """What a query can read.

    Attributes:
        revision: of the database; equal revisions hold the same.
        tables: name -> `columns` (their declared types) and `records`, or `segments` (path, what it belongs to).
        views: saved views, name -> SELECT.
    """

    revision: int
    tables: Mapping[str, Mapping[str, Any]]
    views: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class SqlAnswer:
    """Rows of a query.

    Attributes:
        columns: `name` and `type` of each.
        rows: as JSON has them.
        truncated: there are more.
        elapsed_ms: in the engine.
    """

    columns: Sequence[Mapping[str, str]]
    rows: Sequence[Sequence[Any]]
    truncated: bool
    elapsed_ms: float


class Stop:
    """Ends one query, from another thread; once pressed, it stays so."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._end: Callable[[], None] | None = None
        self.pressed = False

    def press(self) -> None:
        """End the query, now or as soon as it begins."""
        with self._guard:
            self.pressed = True
            if self._end is not None:
                self._end()

    @contextmanager
    def ending(self, end: Callable[[], None]) -> Iterator[None]:
        """While the query is computed, which `end` ends."""
        with self._guard:
            self._end = end
            if self.pressed:
                end()
        try:
            yield
        finally:
            with self._guard:
                self._end = None


class SqlEngine(Protocol):
    """Answers SQL that only reads, in a process of its own.

    Everything raises SqlRefused (it may not run, or takes too long), EngineFailed and CapacityExceeded.
    """

    def query(self, present: SqlTables, query: str, *, limit: int, stop: Stop | None = None) -> SqlAnswer:
        """Rows of a query; refused when `stop` ends it."""
        ...

    def write(self, present: SqlTables, query: str, target: Path, kind: str) -> None:
        """Write the rows of a query into a file, as `csv` or `parquet`; a million at most."""
        ...

    def check_view(self, present: SqlTables, name: str, sql: str) -> None:
        """Judge a view before it is saved."""
        ...

    def describe(self, present: SqlTables) -> Mapping[str, Any]:
        """`tables` (name, kind, columns) and `broken` views (name -> why)."""
        ...
