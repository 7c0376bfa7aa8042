"""A first look at a file's bytes: what it is, whether all of it is UTF-8, its header and its number of lines."""

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fastflow.apps.churn.infra.engine.faults import refuse, shown

_PIECE = 2**20
_FIRST_OF_OTHERS = 0x80
"""Bytes from here on are letters in the older character sets, one byte each."""
_LONGEST_LINE = 4_000_000
_DELIMITERS = (",", ";", "\t", "|")
_OTHER_FORMATS = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\x1f\x8b": "compressed by gzip",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"SQLite ": "an SQLite database",
}


@dataclass(frozen=True)
class CsvShape:
    """How a CSV file is written.

    Attributes:
        delimiter: between cells.
        header: names of the columns, in order.
        lines: of the file, the header's among them.
    """

    delimiter: str
    header: tuple[str, ...]
    lines: int


def is_parquet(path: Path) -> bool:
    """Whether the file begins as Parquet files do."""
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def scan_csv(path: Path) -> CsvShape:
    """The shape of a CSV file that can be read as text.

    Raises:
        Faulty: it is empty, something else, not UTF-8, or its header is none.
    """
    with path.open("rb") as file:
        beginning = file.readline(_LONGEST_LINE)
    if not beginning.strip():
        raise refuse(1, None, "the file is empty, or begins with an empty line; the first line has to name the columns")
    for magic, what in _OTHER_FORMATS.items():
        if beginning.startswith(magic):
            raise refuse(None, None, f"the file is {what}; hand in CSV in UTF-8, or Parquet")
    lines = _count_lines(path)
    text = beginning.decode("utf-8-sig", "replace").rstrip("\r\n")
    delimiter = max(_DELIMITERS, key=text.count)
    header = tuple(name.strip() for name in next(csv.reader([text], delimiter=delimiter)))
    _check_header(header)
    return CsvShape(delimiter, header, lines)


def _check_header(header: tuple[str, ...]) -> None:
    seen: set[str] = set()
    for position, name in enumerate(header, start=1):
        if not name:
            raise refuse(1, None, f"the column {position} has no name")
        if name in seen:
            raise refuse(1, name, "two columns have this name")
        seen.add(name)


def _count_lines(path: Path) -> int:
    """Lines; the last one counts with or without its end."""
    decoder, place, breaks, last = codecs.getincrementaldecoder("utf-8")(), 0, 0, b""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            if b"\0" in piece:
                raise _wrong_byte(path, place + piece.index(b"\0"), 0)
            pending = len(decoder.getstate()[0])
            try:
                if pending or not piece.isascii():
                    decoder.decode(piece)
            except UnicodeDecodeError as error:
                raise _wrong_byte(path, place - pending + error.start, error.object[error.start]) from error
            breaks += piece.count(b"\n")
            place, last = place + len(piece), piece
    if decoder.getstate()[0]:
        raise refuse(breaks + 1, None, "the file ends inside a character")
    return breaks + (not last.endswith(b"\n"))


def _wrong_byte(path: Path, place: int, value: int) -> Exception:
    """The fault of a byte, with its line and column."""
    line, rest = 1, b""
    with path.open("rb") as file:
        header = file.readline(_LONGEST_LINE)
        file.seek(0)
        left = place
        while left and (piece := file.read(min(left, _PIECE))):
            left -= len(piece)
            line += piece.count(b"\n")
            rest = (rest + piece).rpartition(b"\n")[2]
    text = header.decode("utf-8-sig", "replace").rstrip("\r\n")
    delimiter = max(_DELIMITERS, key=text.count)
    names = next(csv.reader([text], delimiter=delimiter))
    before = next(csv.reader([rest.decode("latin-1")], delimiter=delimiter), [""])
    column = names[len(before) - 1] if line > 1 and 0 < len(before) <= len(names) else None
    told = f"the byte 0x{value:02X} at position {place} is not UTF-8"
    if value >= _FIRST_OF_OTHERS:
        told += "; the file is probably Windows-1252 or Latin-1 (`iconv -f WINDOWS-1252 -t UTF-8` turns it into UTF-8)"
    return refuse(line, column, f"{told}; write the file as UTF-8 (after {shown(rest[-20:].decode('latin-1'))})")


def odd_line_end(path: Path) -> int | None:
    """The first line that ends otherwise than the first one does; line breaks inside of cells are none."""
    usual, is_open = None, False
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            is_open ^= bool(line.count(b'"') % 2)
            if is_open or not line.endswith(b"\n"):
                continue
            is_windows = line.endswith(b"\r\n")
            if usual not in (None, is_windows):
                return number
            usual = is_windows
    return None


def lines_of_rows(path: Path, delimiter: str) -> Iterator[int]:
    """The line on which each row begins, for files in which cells hold line breaks or lines are empty."""
    csv.field_size_limit(2**31 - 1)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader, begins = csv.reader(file, delimiter=delimiter), 1
        for position, row in enumerate(reader):
            if row and position:
                yield begins
            begins = reader.line_num + 1
