"""What is wrong with a file, collected: all of it is counted, the first hundred are told."""

from typing import Any

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

    def untold(self, count: int) -> None:
        """So many more, of which only the number is known."""
        self.count += count

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
