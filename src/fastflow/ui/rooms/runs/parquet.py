"""The footer of a Parquet file: its columns, and how many rows it has. The rows themselves are not read.

The footer is a Thrift structure in the compact protocol, read here without a library of the size of all else together.
The file comes from a script, so every length in it is held against what is there.
"""

from dataclasses import dataclass
from typing import Any

MAGIC = b"PAR1"
TAIL_BYTES = 8
MAX_FOOTER_BYTES = 1_000_000
_MAX_DEPTH = 16
_MAX_ITEMS = 100_000
_TYPES = ("boolean", "int32", "int64", "int96", "float", "double", "binary", "fixed binary")
_MEANINGS = {
    0: "string", 4: "enum", 5: "decimal", 6: "date", 7: "time", 8: "time", 9: "timestamp", 10: "timestamp", 19: "json",
}  # fmt: skip


class NotParquet(Exception):
    """The bytes are no footer of a Parquet file, or one that is too large to be read here."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        name: dotted where columns are nested.
        kind: how its values are stored, and what they mean.
        is_optional: whether values may be missing.
    """

    name: str
    kind: str
    is_optional: bool


@dataclass(frozen=True, kw_only=True)
class Footer:
    """What is known of the whole file."""

    columns: tuple[Column, ...]
    rows: int
    groups: int
    made_by: str


def footer_length(tail: bytes) -> int:
    """How many bytes before the last eight the footer takes.

    Raises:
        NotParquet: there is none.
    """
    if len(tail) != TAIL_BYTES or tail[4:] != MAGIC:
        raise NotParquet
    length = int.from_bytes(tail[:4], "little")
    if not 0 < length <= MAX_FOOTER_BYTES:
        raise NotParquet
    return length


def read_footer(data: bytes) -> Footer:
    """The footer in these bytes.

    Raises:
        NotParquet: they are none.
    """
    try:
        found = _Reader(data).struct(0)
        elements = found[2]
        columns = tuple(_columns(elements))
        return Footer(
            columns=columns,
            rows=int(found.get(3, 0)),
            groups=len(found.get(4, ())),
            made_by=_text(found.get(6, b"")),
        )
    except (IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotParquet from error


def _columns(elements: list[dict[int, Any]]) -> list[Column]:
    """The leaves of the schema, which is a tree written in depth-first order."""
    found: list[Column] = []
    left: list[tuple[str, int]] = [("", int(elements[0].get(5, 0)))]
    for element in elements[1:]:
        while left and left[-1][1] == 0:
            left.pop()
        prefix, count = left.pop()
        left.append((prefix, count - 1))
        name = prefix + _text(element[4])
        children = int(element.get(5, 0))
        if children:
            left.append((f"{name}.", children))
        else:
            stored = _TYPES[int(element[1])]
            meaning = _MEANINGS.get(element.get(6, -1))
            kind = stored if meaning is None else f"{meaning} ({stored})"
            found.append(Column(name=name, kind=kind, is_optional=element.get(3) != 0))
    return found


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._items = 0

    def struct(self, depth: int) -> dict[int, Any]:
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deep")
        found: dict[int, Any] = {}
        number = 0
        while (head := self._byte()) != 0:
            step, kind = head >> 4, head & 15
            number = number + step if step else self._signed()
            found[number] = self._value(kind, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        self._items += 1
        if self._items > _MAX_ITEMS:
            raise ValueError("too many values")
        if kind in (1, 2):
            return kind == 1
        if kind == 3:
            return self._byte()
        if kind in (4, 5, 6):
            return self._signed()
        if kind == 7:
            return self._bytes(8)
        if kind == 8:
            return self._bytes(self._varint())
        if kind in (9, 10):
            return self._list(depth)
        if kind == 12:
            return self.struct(depth + 1)
        raise ValueError("unknown type")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        count, kind = head >> 4, head & 15
        if count == 15:
            count = self._varint()
        if kind in (1, 2):  # a flag in a list is a byte of its own
            return [self._byte() == 1 for _ in range(min(count, _MAX_ITEMS))]
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deep")
        return [self._value(kind, depth + 1) for _ in range(count)]

    def _signed(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise ValueError("a number too long")

    def _byte(self) -> int:
        value = self._data[self._at]
        self._at += 1
        return value

    def _bytes(self, count: int) -> bytes:
        end = self._at + count
        if count < 0 or end > len(self._data):
            raise IndexError("beyond the end")
        found = self._data[self._at : end]
        self._at = end
        return found
