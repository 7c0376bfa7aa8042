"""What a kept panel holds: its columns one by one, and its months."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ColumnSummary:
    """What a column of a panel holds.

    Attributes:
        name: of it.
        type: of the values: integer, number or text.
        missing: rows without a value.
        distinct: different values; beyond a thousand an estimate.
        least, most: smallest and largest, of text by its order; None: every value is missing.
        mean: of numbers; None: of text, or not finite.
        usual: the most frequent value of text and whole numbers.
    """

    name: str
    type: str
    missing: int
    distinct: int
    least: str | float | None
    most: str | float | None
    mean: float | None
    usual: str | float | None


@dataclass(frozen=True, kw_only=True)
class MonthSummary:
    """A month of a panel.

    Attributes:
        month: YYYYMM.
        rows: customers that are told of it.
        dead: of these, those with I_Alive 0.
    """

    month: int
    rows: int
    dead: int


@dataclass(frozen=True, kw_only=True)
class PanelSummary:
    """What a panel holds, column by column and month by month."""

    columns: Sequence[ColumnSummary]
    months: Sequence[MonthSummary]
