"""The beginning of a file that a run left, made for looking at.

What a file is, its name alone decides: its content is never asked, never run and never sent to the browser as more than
escaped text, except for images of kinds that hold nothing but pixels.
"""

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from fastflow.ui.rooms.runs.parquet import TAIL_BYTES, Footer, NotParquet, footer_length, read_footer

TEXT_BYTES = 64 * 1024
TABLE_BYTES = 256 * 1024
IMAGE_BYTES = 10 * 1024 * 1024
_ROWS, _COLUMNS, _CELL = 100, 40, 200
_NUMBER = re.compile(r"\s*[-+]?\d[\d,_ ]*(\.\d+)?([eE][-+]?\d+)?\s*%?")
_IMAGES = frozenset({"png", "jpg", "jpeg", "gif", "webp"})
_TABLES = frozenset({"csv", "tsv"})
_TEXTS = frozenset(
    ["txt", "log", "md", "rst", "json", "jsonl", "ndjson", "yaml", "yml", "toml", "ini", "cfg", "conf", "xml", "html", "htm", "svg", "css", "js", "py", "sql", "sh", "diff", "patch", "tex", "bib", "out", "err"]
)  # fmt: skip

Read = Callable[[int, int], bytes]
"""The file's bytes from one offset to another."""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What can be shown of a file.

    Attributes:
        kind: how; `none`: not at all.
        text: of a text.
        rows: of a table, its head first.
        footer: of a Parquet file.
        is_whole: whether it is all there is.
    """

    kind: Literal["text", "image", "table", "parquet", "none"]
    text: str = ""
    rows: Sequence[Sequence[str]] = field(default=())
    footer: Footer | None = None
    is_whole: bool = True


def preview(path: str, size: int, read: Read) -> Preview:
    """What can be shown of the file.

    Args:
        path: its name.
        size: its bytes.
        read: reads some of them.
    """
    ending = PurePosixPath(path).suffix[1:].lower()
    if ending in _IMAGES:
        return Preview(kind="image" if size <= IMAGE_BYTES else "none")
    if ending == "parquet":
        return _parquet(size, read)
    if ending in _TABLES:
        return _table(size, read)
    return _text(size, read) if ending in _TEXTS else Preview(kind="none")


def _text(size: int, read: Read) -> Preview:
    data = read(0, min(size, TEXT_BYTES))
    if b"\0" in data:
        return Preview(kind="none")
    return Preview(kind="text", text=data.decode("utf-8", "replace"), is_whole=size <= TEXT_BYTES)


def _table(size: int, read: Read) -> Preview:
    data = read(0, min(size, TABLE_BYTES))
    is_whole = size <= TABLE_BYTES
    if not is_whole:
        data = data[: data.rfind(b"\n") + 1] or data
    lines = data.decode("utf-8-sig", "replace").replace("\0", "").splitlines(keepends=True)
    head = lines[0] if lines else ""
    between = max("\t;,", key=lambda mark: (head.count(mark), mark == ","))
    rows: list[Sequence[str]] = []
    try:
        for row in csv.reader(lines, delimiter=between):
            if len(rows) > _ROWS:
                is_whole = False
                break
            is_whole = is_whole and len(row) <= _COLUMNS and all(len(cell) <= _CELL for cell in row)
            rows.append([cell[:_CELL] for cell in row[:_COLUMNS]])
    except csv.Error:
        return _text(size, read)
    return Preview(kind="table", rows=rows, is_whole=is_whole)


def _parquet(size: int, read: Read) -> Preview:
    try:
        length = footer_length(read(max(0, size - TAIL_BYTES), size))
        end = size - TAIL_BYTES
        return Preview(kind="parquet", footer=read_footer(read(max(0, end - length), end)), is_whole=False)
    except NotParquet:
        return Preview(kind="none")


def is_of_numbers(column: Sequence[str]) -> bool:
    """Whether it is read more easily if its ends stand one below the other.

    >>> is_of_numbers(["1", "-2.5", ""]), is_of_numbers(["1", "Ulm"]), is_of_numbers([""])
    (True, False, False)
    """
    return any(column) and all(_NUMBER.fullmatch(cell) for cell in column if cell)
