"""Months as the workbench counts them: read from YYYYMM, reckoned on a running index, never on the digits.

Pure standard library: it goes along with the shipped pipelines. What a month cannot be raises `MonthError`; the service
turns it into a problem that names the field.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

FIRST_YEAR = 1900
LAST_YEAR = 2199
"""Years outside are slips of the pen (a day, a row count, a swapped column), not data."""


class MonthError(ValueError):
    """A value is no month, or months are in an impossible order; the text says which and what would be right."""


@dataclass(frozen=True, order=True, slots=True)
class Month:
    """One calendar month.

    Attributes:
        index: months since January of the year 0; a difference of indexes is a number of months.
    """

    index: int

    @classmethod
    def of(cls, year: int, number: int) -> Self:
        """The month `number` (1 to 12) of a year.

        Raises:
            MonthError: there is no such month, or the year is out of range.
        """
        if not FIRST_YEAR <= year <= LAST_YEAR:
            raise MonthError(f"{year:04d}{number:02d} is no month: its year {year} is not in {FIRST_YEAR}-{LAST_YEAR}.")
        if not 1 <= number <= 12:
            raise MonthError(f"{year:04d}{number:02d} is no month: {number:02d} is not in 01-12.")
        return cls(year * 12 + number - 1)

    @classmethod
    def parse(cls, value: object) -> Self:
        """The month that YYYYMM tells, as an int or as six digits.

        >>> Month.parse(199712) + 1
        Month.parse(199801)
        >>> Month.parse("199801") - Month.parse("199707")
        6

        Raises:
            MonthError: it is not YYYYMM.
        """
        if isinstance(value, int) and not isinstance(value, bool):
            number = value
        elif isinstance(value, str) and len(value) == 6 and value.isascii() and value.isdigit():
            number = int(value)
        else:
            raise MonthError(f"{_shown(value)} is no month: write it as YYYYMM, such as 199707.")
        if not 100_000 <= number <= 999_999:
            raise MonthError(f"{number} is no month: write it as YYYYMM, such as 199707.")
        return cls.of(number // 100, number % 100)

    @property
    def year(self) -> int:
        """The year."""
        return self.index // 12

    @property
    def number(self) -> int:
        """The month in its year, 1 to 12."""
        return self.index % 12 + 1

    @property
    def yyyymm(self) -> int:
        """The month as data files write it."""
        return self.year * 100 + self.number

    def __add__(self, months: int) -> "Month":
        return Month(self.index + months)

    def __sub__(self, other: "Month") -> int:
        return self.index - other.index

    def minus(self, months: int) -> "Month":
        """The month that many months before."""
        return Month(self.index - months)

    def __str__(self) -> str:
        return f"{self.yyyymm:06d}"

    def __repr__(self) -> str:
        return f"Month.parse({self.yyyymm})"


@dataclass(frozen=True, order=True, slots=True)
class Window:
    """Consecutive months, both ends included, at least one.

    Attributes:
        first: the first month.
        last: the last month.

    Raises:
        MonthError: `last` lies before `first`.
    """

    first: Month
    last: Month

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise MonthError(f"The window {self.first}-{self.last} is reversed: its last month lies before its first.")

    @property
    def end(self) -> Month:
        """The month after the last one: the window is [first, end)."""
        return self.last + 1

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __iter__(self) -> Iterator[Month]:
        return (Month(index) for index in range(self.first.index, self.end.index))

    def __contains__(self, month: object) -> bool:
        return isinstance(month, Month) and self.first <= month <= self.last

    def overlaps(self, other: "Window") -> bool:
        """Whether any month lies in both."""
        return self.first <= other.last and other.first <= self.last

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


def is_yyyymm(value: int) -> bool:
    """Whether the number is a month: 199712 is, 199713 is not. Cheap enough for a column."""
    return FIRST_YEAR <= value // 100 <= LAST_YEAR and 1 <= value % 100 <= 12


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
