"""What is said of rows that arrived late, and who finds them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class LateCount:
    """How many rows of a month (YYYYMM) a file brought late: of customers and months that were not known, and with other values."""

    file_id: int
    month: int
    new: int
    corrected: int


@dataclass(frozen=True, kw_only=True)
class LateCell:
    """A value that is another one now; None: empty."""

    column: str
    before: Any
    after: Any


@dataclass(frozen=True, kw_only=True)
class LateRow:
    """A row that arrived late.

    Attributes:
        change: new or corrected.
        customer, month: whose and which, YYYYMM.
        file_id, source_line: the file that brought it, and its line there.
        cells: columns whose values differ.
    """

    change: str
    customer: str
    month: int
    file_id: int
    source_line: int
    cells: Sequence[LateCell]


class LateEngine(Protocol):
    """Compares panels, in a process of its own."""

    def find_late(
        self, known: Mapping[int, Path], later: Mapping[int, Path], columns: Sequence[str], limit: int
    ) -> tuple[Sequence[LateCount], Sequence[LateRow]]:
        """What later files, by number, say otherwise than the known ones together; at most `limit` rows are told.

        Raises:
            EngineFailed: out of memory or disk space, or the process died.
        """
        ...
