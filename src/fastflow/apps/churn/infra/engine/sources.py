"""A file as rows that SQL reads: its columns under the panel's names, keys as text, features as numbers, each row numbered."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from fastflow.apps.churn.infra.engine.connection import literal, quoted
from fastflow.apps.churn.infra.engine.faults import MOST_TOLD, Fault, Faults, refuse, shown
from fastflow.apps.churn.infra.engine.scan import CsvShape, is_parquet, lines_of_rows, odd_line_end, scan_csv

ROW = "source_row"
_LONGEST_LINE = 4_000_000
_BUFFER = 4 * _LONGEST_LINE
"""Bytes that are read at once; each is work for a thread of its own."""
_NUMBER = "DOUBLE"


@dataclass(frozen=True)
class Wanted:
    """A column to read.

    Attributes:
        source: its name in the file.
        name: its name in SQL.
        is_number: read as a number; else as text.
    """

    source: str
    name: str
    is_number: bool


class Source:
    """An uploaded file.

    Args:
        path: of it.
        decimal: what separates decimals in CSV.

    Raises:
        Faulty: it is neither CSV nor Parquet.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path, decimal: str = ".") -> None:
        self._connection = connection
        self._path = path
        self._decimal = decimal
        self.shape: CsvShape | None = None
        self._types: Mapping[str, str] = {}
        if not path.stat().st_size:
            raise refuse(None, None, "the file is empty")
        if is_parquet(path):
            self._types = self._parquet_types()
        else:
            self.shape = scan_csv(path)

    @property
    def names(self) -> Sequence[str]:
        """Its columns."""
        return list(self._types) if self.shape is None else self.shape.header

    def _parquet_types(self) -> Mapping[str, str]:
        try:
            rows = self._connection.execute(f"DESCRIBE SELECT * FROM read_parquet({literal(self._path)})").fetchall()
        except duckdb.Error as error:
            raise refuse(None, None, f"the file begins as Parquet but cannot be read: {first_line(error)}") from error
        return {row[0]: row[1] for row in rows}

    def missing(self, wanted: Sequence[Wanted], faults: Faults) -> None:
        """Tell the columns that the file lacks."""
        for column in wanted:
            if column.source not in self.names:
                faults.add(1, column.source, "the file has no such column")

    def select(self, wanted: Sequence[Wanted]) -> str:
        """The rows as a query: the wanted columns, and `ROW`, counted from 1. What cannot be read is left out and kept for
        `unreadable`. One thread reads them, as they are counted."""
        return self._query(wanted, f", row_number() OVER () AS {ROW}", ", store_rejects = true, rejects_limit = 0")

    def select_whole(self, wanted: Sequence[Wanted]) -> str:
        """The wanted columns of the rows, in their order, as a query that all threads work at and that fails where something
        cannot be read."""
        return self._query(wanted, "", f", buffer_size = {_BUFFER}")

    @property
    def first_line(self) -> int:
        """The line of the first row, where none is empty and no cell has a line break: each other row is on the next line."""
        return 1 if self.shape is None else 2

    def _query(self, wanted: Sequence[Wanted], more: str, how: str) -> str:
        if self.shape is None:
            picked = ", ".join(f"{self._cast(column)} AS {quoted(column.name)}" for column in wanted)
            return f"SELECT {picked}{more} FROM read_parquet({literal(self._path)})"
        by_source = {column.source: column for column in wanted}
        types = {
            name: _NUMBER if name in by_source and by_source[name].is_number else "VARCHAR"
            for name in self.shape.header
        }
        columns = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in types.items())
        picked = ", ".join(f"{quoted(column.source)} AS {quoted(column.name)}" for column in wanted)
        return (
            f"SELECT {picked}{more} FROM read_csv({literal(self._path)}, auto_detect = false, "
            f"header = true, delim = {literal(self.shape.delimiter)}, quote = '\"', escape = '\"', strict_mode = true, "
            f"decimal_separator = {literal(self._decimal)}, max_line_size = {_LONGEST_LINE}, columns = {{{columns}}}{how})"
        )

    def _cast(self, column: Wanted) -> str:
        kind, name = self._types[column.source], quoted(column.source)
        if column.is_number:
            return f"TRY_CAST({name} AS {_NUMBER})"
        if kind.startswith(("DATE", "TIMESTAMP")) and column.name == "I_TIMEBASE":
            return f"strftime({name}, '%Y%m')"
        return f"CAST({name} AS VARCHAR)"

    def odd_line_end(self) -> int | None:
        """The first line of a CSV file that ends otherwise than the first one does."""
        return None if self.shape is None else odd_line_end(self._path)

    def unreadable(self, wanted: Sequence[Wanted], faults: Faults) -> None:
        """Tell what could not be read as what it should be, after the rows were read."""
        if self.shape is None:
            self._unreadable_parquet(wanted, faults)
            return
        rows = self._connection.execute(
            "SELECT line, any_value(column_name), error_type, any_value(error_message), min(column_idx), count(*) OVER () "
            f"FROM reject_errors GROUP BY line, error_type, CASE WHEN error_type = 'CAST' THEN column_idx END ORDER BY line, 5 "
            f"LIMIT {MOST_TOLD}"
        ).fetchall()

        def fault(line: int, column: str, kind: str, message: str, _position: int) -> Fault:
            return line, column if kind == "CAST" else None, _told_reject(kind, message, self._decimal)

        faults.tell(rows, fault)

    def _unreadable_parquet(self, wanted: Sequence[Wanted], faults: Faults) -> None:
        for column in wanted:
            if not column.is_number or self._types[column.source] != "VARCHAR":
                continue
            name = quoted(column.source)
            found = self._connection.execute(
                f"SELECT n, value, count(*) OVER () FROM (SELECT row_number() OVER () AS n, {name} AS value FROM "
                f"read_parquet({literal(self._path)})) WHERE value IS NOT NULL AND TRY_CAST(value AS {_NUMBER}) IS NULL "
                f"ORDER BY n LIMIT {MOST_TOLD}"
            ).fetchall()
            told = column.source
            faults.tell(found, lambda line, value, told=told: (line, told, f"{shown(value)} is no number"))

    def line_of_row(self, rows: int, folder: Path) -> tuple[str, str]:
        """SQL for a row's line in the file, and what has to stand behind the table for it; `rows` is how many there are."""
        if self.shape is None:
            return ROW, ""
        if rows + 1 == self.shape.lines:
            return f"{ROW} + 1", ""
        place = folder / "lines.csv"
        with place.open("w", encoding="ascii") as file:
            file.writelines(f"{line}\n" for line in lines_of_rows(self._path, self.shape.delimiter))
        columns = "auto_detect = false, header = false, columns = {'line': 'BIGINT'}"
        return "line", f" POSITIONAL JOIN read_csv({literal(place)}, {columns})"


def _told_reject(kind: str, message: str, decimal: str) -> str:
    if kind == "CAST":
        value = re.search(r'Could not convert string "(.*)" to \'', message, re.DOTALL)
        hint = ' (decimals are written with "," here: say so by decimal in the dictionary)' if _has_comma(value) else ""
        return f"{shown(value[1]) if value else 'the cell'} is no number{hint if decimal == '.' else ''}"
    if kind in ("MISSING COLUMNS", "TOO MANY COLUMNS"):
        counted = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
        told = f": {counted[2]} instead of {counted[1]}" if counted else ""
        return f"the line has {'fewer' if kind.startswith('MISSING') else 'more'} cells than the header has names{told}"
    if kind == "UNQUOTED VALUE":
        return "a quotation mark is not closed, or stands inside of a cell"
    if kind == "LINE SIZE OVER MAXIMUM":
        return f"the line is longer than {_LONGEST_LINE} bytes"
    return first_line(message)


def _has_comma(value: Any) -> bool:
    return bool(value and re.fullmatch(r"-?\d+,\d+", value[1]))


def first_line(error: object) -> str:
    """What a message of the engine says first."""
    return str(error).split("\n", 1)[0][:300]
