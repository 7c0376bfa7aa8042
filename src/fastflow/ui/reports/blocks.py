"""What a report is made of. It knows neither pages nor paper."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from fastflow.ui.markup import Html
from fastflow.ui.plots import Plot
from fastflow.ui.texts import Data, Phrase

Cell: TypeAlias = "Phrase | Data | Html"
"""What stands in a table: words, or a drawing made by `plots`."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """A paragraph.

    Attributes:
        words: what it says.
        kind: `bad` for what makes the result doubtful, `look` for what wants a look, `good` for what was checked and holds.
    """

    words: Phrase | Data
    kind: Literal["plain", "good", "look", "bad"] = "plain"


Mark: TypeAlias = Literal["good", "look", "bad", "open"]
"""How a check came out; `open`: that is not known."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was judged.

    Attributes:
        name: what was judged.
        mark: how it came out.
        told: the mark in words: colour alone tells nothing to many.
        words: what that rests on, in a sentence or two.
    """

    name: Phrase
    mark: Mark
    told: Phrase
    words: Phrase | Data


@dataclass(frozen=True, kw_only=True)
class Checks:
    """What was judged, one below the other."""

    rows: Sequence[Check]


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A figure that matters.

    Attributes:
        name: what it is.
        value: how much.
        note: such as its interval.
        about: what it is, and what is good, for who has not met it.
    """

    name: Phrase | Data
    value: Phrase | Data
    note: Phrase | Data | None = None
    about: Phrase | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The few figures that matter."""

    rows: Sequence[Fact]


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        head: what it is called.
        is_number: its cells are numbers, which stand at the right.
    """

    head: Phrase | Data
    is_number: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table.

    Attributes:
        title: what it shows.
        columns: from left to right; the first names the rows.
        rows: as many cells as there are columns.
        note: what has to be known to read it.
    """

    title: Phrase
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: Phrase | None = None


@dataclass(frozen=True, kw_only=True)
class Plots:
    """Figures beside each other, as many as there is room for."""

    plots: Sequence[Plot]


@dataclass(frozen=True, kw_only=True)
class Card:
    """One of many, such as a customer.

    Attributes:
        name: who or what.
        note: a word beside the name.
        value: what matters of it.
        lines: what more there is to say.
    """

    name: Phrase | Data
    note: Phrase | Data
    value: Phrase | Data
    lines: Sequence[Phrase | Data] = field(default=())


@dataclass(frozen=True, kw_only=True)
class Cards:
    """Several of the same kind, each for itself.

    Attributes:
        title: what they are.
        cards: the most important first.
    """

    title: Phrase
    cards: Sequence[Card]


Block: TypeAlias = "Text | Checks | Facts | Table | Plots | Cards"


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a report.

    Attributes:
        key: short name within the report, for links to it.
        title: what it is about.
        blocks: one below the other.
    """

    key: str
    title: Phrase | Data
    blocks: Sequence[Block]


@dataclass(frozen=True, kw_only=True)
class Report:
    """A report.

    Attributes:
        title: what was found out about.
        about: where it comes from, in a line.
        language: of its words.
        sections: its parts.
    """

    title: Phrase | Data
    about: Phrase | Data
    language: str
    sections: Sequence[Section] = field(default=())
