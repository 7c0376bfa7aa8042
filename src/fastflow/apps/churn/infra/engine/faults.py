"""What is wrong with a file, collected: all of it is counted, the first hundred are told."""

from collections.abc import Callable, Sequence
from typing import Any

Fault = tuple[int | None, str | None, str]
"""Line, column and problem."""
MOST_TOLD = 100
_LONGEST_SHOWN = 60


class Faulty(Exception):
    """The file cannot be taken in.

    Args:
        faults: what is wrong.
    """

    def __init__(self, faults: "Faults") -> None:
        super().__init__("the file has faults")
        self.faults = faults


class Faults:
    """Faults of one file."""

    def __init__(self) -> None:
        self.count = 0
        self.told: list[dict[str, Any]] = []

    def add(self, line: int | None, column: str | None, problem: str) -> None:
        """One more."""
        self.count += 1
        if len(self.told) < MOST_TOLD:
            self.told.append({"line": line, "column": column, "problem": problem})

    def tell(self, found: Sequence[tuple[Any, ...]], fault: Callable[..., Fault]) -> None:
        """Those that a query found: `fault` makes one of a row but for its last value, which is how many there are in all."""
        for row in found:
            self.add(*fault(*row[:-1]))
        self.count += found[0][-1] - len(found) if found else 0

    def stop(self) -> None:
        """Raises:
        Faulty: there was one.
        """
        if self.count:
            self.told.sort(key=lambda one: one["line"] or 0)
            raise Faulty(self)


def refuse(line: int | None, column: str | None, problem: str) -> Faulty:
    """The one fault that says it all."""
    faults = Faults()
    faults.add(line, column, problem)
    return Faulty(faults)


def shown(value: object) -> str:
    """A value in a message, cut where it is long."""
    text = str(value)
    return f'"{text}"' if len(text) <= _LONGEST_SHOWN else f'"{text[: _LONGEST_SHOWN - 3]}..." ({len(text)} characters)'
