"""The data dictionary: which column of a file plays which role in the panel, under which name and as which type.

Written as the method reads it, `{"columns": {name: {"role": ROLE}}}`, or short, `{name: ROLE}`. Names are those of the panel;
`source` says what the file calls a column that is renamed. Reading completes: a normalised dictionary says everything.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CUSTOMER, MONTH, ALIVE = "Kunde", "I_TIMEBASE", "I_Alive"
LINEAGE = ("id_files", "source_line")
"""Columns that the workbench adds to each row."""
KEYS: Mapping[str, tuple[str, str]] = {
    "PRIMARY_KEY": (CUSTOMER, "text"),
    "TIMEBASE": (MONTH, "month"),
    "TARGET": (ALIVE, "state"),
}
"""Role -> name and type in the panel; each exactly once."""
DYNAMIC, STATIC, IGNORED = "DYNAMIC_FEATURE", "STATIC_FEATURE", "IGNORED"
ROLES = (*KEYS, DYNAMIC, STATIC, IGNORED)
TYPES = ("integer", "number", "text")
MOST_COLUMNS = 1000
MOST_WORDS = 50
"""Different words of a column of text: each becomes a feature."""
_LONGEST_NAME = 100
_CHOICES = {"gaps": ("refuse", "allow"), "returns": ("refuse", "allow"), "decimal": (".", ",")}


class DictionaryError(ValueError):
    """It is no data dictionary; the text says where and what would be right."""


@dataclass(frozen=True)
class PanelColumn:
    """A column of the panel.

    Attributes:
        name: in the panel.
        role: one of `ROLES`.
        type: integer, number or text; month and state for the keys.
        source: its name in the file.
    """

    name: str
    role: str
    type: str
    source: str


@dataclass(frozen=True)
class Dictionary:
    """What a file's columns mean.

    Attributes:
        columns: in the order in which they were given.
        gaps: "allow": months may be missing between a customer's first and last row.
        returns: "allow": a customer may be alive again after a row that says dead.
        decimal: what separates decimals in a CSV file.
    """

    columns: tuple[PanelColumn, ...]
    gaps: str = "refuse"
    returns: str = "refuse"
    decimal: str = "."

    def taken(self) -> tuple[PanelColumn, ...]:
        """The columns that go into the panel: the keys first."""
        kept = [column for column in self.columns if column.role != IGNORED]
        return tuple(sorted(kept, key=lambda column: list(ROLES).index(column.role) if column.role in KEYS else 9))

    def record(self) -> dict[str, Any]:
        """As JSON; equal dictionaries give equal records."""
        columns = {
            one.name: {"role": one.role, "type": one.type} | ({"source": one.source} if one.source != one.name else {})
            for one in self.columns
        }
        return {"columns": columns, "gaps": self.gaps, "returns": self.returns, "decimal": self.decimal}


def read_dictionary(data: Any) -> Dictionary:
    """The dictionary that JSON holds, completed.

    Raises:
        DictionaryError: it is none.
    """
    if not isinstance(data, Mapping) or not data:
        raise DictionaryError('is no object such as {"columns": {"i_use": {"role": "DYNAMIC_FEATURE"}}}')
    whole = dict(data) if "columns" in data else {"columns": data}
    strange = sorted(whole.keys() - {"columns", *_CHOICES})
    if strange:
        raise DictionaryError(f"{strange[0]}: is unknown; known are columns, {', '.join(_CHOICES)}")
    choices = {name: str(whole.get(name, of[0])) for name, of in _CHOICES.items()}
    for name, value in choices.items():
        if value not in _CHOICES[name]:
            raise DictionaryError(f"{name}: is none of {' '.join(_CHOICES[name])}")
    columns = tuple(_column(name, said) for name, said in _named(whole["columns"]))
    _check_whole(columns)
    return Dictionary(columns, **choices)


def _named(columns: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(columns, list) and all(isinstance(one, Mapping) and "name" in one for one in columns):
        return [(str(one["name"]), {key: value for key, value in one.items() if key != "name"}) for one in columns]
    if not isinstance(columns, Mapping) or not columns:
        raise DictionaryError("columns: is no object of columns")
    return list(columns.items())


def _column(name: str, said: Any) -> PanelColumn:
    told: Mapping[str, Any] = said if isinstance(said, Mapping) else {"role": said}
    where = f"columns.{name[:_LONGEST_NAME]}"
    role = str(told.get("role", "")).upper()
    if role not in ROLES:
        raise DictionaryError(f"{where}.role: is none of {', '.join(ROLES)}")
    strange = sorted(told.keys() - {"role", "type", "source", "description"})
    if strange:
        raise DictionaryError(f"{where}.{strange[0]}: is unknown; known are role, type, source, description")
    source = str(told.get("source", name))
    if role in KEYS:
        return PanelColumn(KEYS[role][0], role, KEYS[role][1], source)
    kind = str(told.get("type", "text" if role == IGNORED else "number"))
    if kind not in TYPES:
        raise DictionaryError(f"{where}.type: is none of {', '.join(TYPES)}")
    if role == DYNAMIC and kind == "text":
        raise DictionaryError(f"{where}.type: is text, but only numbers can change; call the column STATIC_FEATURE")
    return PanelColumn(name, role, kind, source)


def _check_whole(columns: Sequence[PanelColumn]) -> None:
    if len(columns) > MOST_COLUMNS:
        raise DictionaryError(f"columns: are {len(columns)}; at most {MOST_COLUMNS} are understood")
    roles = [column.role for column in columns]
    for role in KEYS:
        if roles.count(role) != 1:
            raise DictionaryError(f"columns: {roles.count(role)} of them have the role {role}; exactly one has to")
    if DYNAMIC not in roles:
        raise DictionaryError(f"columns: none has the role {DYNAMIC}; without one there is nothing to learn from")
    names: set[str] = {name.casefold() for name in LINEAGE}
    sources: set[str] = set()
    for column in columns:
        if not 0 < len(column.name) <= _LONGEST_NAME or not column.name.isprintable():
            raise DictionaryError(
                f"columns: {column.name[:40]!r} is no name of 1 to {_LONGEST_NAME} printable characters"
            )
        if column.role != IGNORED and column.name.casefold() in names:
            raise DictionaryError(f"columns.{column.name}: the panel has a column of this name already")
        if column.source in sources:
            raise DictionaryError(f"columns.{column.name}.source: {column.source} is taken twice")
        names |= {column.name.casefold()} if column.role != IGNORED else set()
        sources.add(column.source)


@dataclass(frozen=True)
class SeenColumn:
    """What a look at a file's column shows.

    Attributes:
        name: in the file.
        type: integer, number or text, whichever its values are.
        changes: it has more than one value for some customer; None: nobody knows whose row is whose.
        has_comma: its numbers have decimals after a comma.
        has_many_words: it holds more different words than can be features.
    """

    name: str
    type: str
    changes: bool | None = None
    has_comma: bool = False
    has_many_words: bool = False


_LIKELY = {
    "PRIMARY_KEY": ("kunde", "customer", "customer_id", "customerid", "kunden_id", "kundennummer", "client", "id"),
    "TIMEBASE": ("i_timebase", "timebase", "month", "monat", "yyyymm", "period"),
    "TARGET": ("i_alive", "alive", "active", "is_alive"),
}


def find_key(role: str, names: Iterable[str]) -> str | None:
    """The column that probably has a key's role, by its name alone."""
    by_word = {name.strip().casefold(): name for name in reversed(list(names))}
    return next((by_word[word] for word in _LIKELY[role] if word in by_word), None)


def guess_roles(seen: Sequence[SeenColumn]) -> Mapping[str, str]:
    """Column -> its probable role: i_* and n_* numbers and what changes are dynamic, text with too many words
    is left out, the rest is static.

    A key that no column looks like is nobody's role.
    """
    names = [column.name for column in seen]
    keys = {found: role for role in KEYS if (found := find_key(role, names)) is not None}
    return {column.name: keys.get(column.name) or _feature_role(column) for column in seen}


def guess_decimal(seen: Sequence[SeenColumn]) -> str:
    """What probably separates decimals in the file."""
    return "," if any(column.has_comma for column in seen) else "."


def _feature_role(column: SeenColumn) -> str:
    if column.has_many_words:
        return IGNORED
    is_number = column.type != "text"
    return DYNAMIC if is_number and (column.changes or column.name[:2].casefold() in ("i_", "n_")) else STATIC


def guess_dictionary(seen: Sequence[SeenColumn]) -> Dictionary:
    """What the columns probably mean, see `guess_roles`.

    Raises:
        DictionaryError: a key has no likely column; names the role.
    """
    roles = guess_roles(seen)
    lacking = [f"{role} (such as {KEYS[role][0]})" for role in KEYS if role not in roles.values()]
    if lacking:
        raise DictionaryError(
            f"columns: no column looks like {', '.join(lacking)}; the file has {', '.join([*roles][:20])}"
        )
    columns = {
        column.name: {"role": roles[column.name]} | ({} if roles[column.name] in KEYS else {"type": column.type})
        for column in seen
    }
    return read_dictionary({"columns": columns, "decimal": guess_decimal(seen)})
