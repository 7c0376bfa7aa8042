"""What a run of a pipeline left in its artifacts: checked before a byte of it is believed.

A table with the column `Kunde` is one row per customer: its file becomes a segment as it is. Every other table is small, and its
rows become records of the document.
"""

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import Any

from fastflow.apps.churn.domain.experiment_rows import KEY
from fastflow.apps.churn.errors import ResultsDamaged
from fastflow.apps.churn.ports import LeftResults, LeftTable, Rows
from fastflow.ui.rooms.runs.parquet import TAIL_BYTES, Footer, NotParquet, footer_length, read_footer

CUSTOMER = "Kunde"
MOST_RECORDS = 20_000
MOST_REPORT_BYTES = 20_000_000
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_REFERRED = ("model.onnx", "feature_contract.json")

ReadTables = Callable[[Sequence[Path], int], Sequence[Rows]]
"""Rows of each of these Parquet files, at most so many of one."""


class ArtifactResults:
    """See `ports.ResultReader`.

    Args:
        read_tables: reads the rows of small tables, all at once.
    """

    def __init__(self, read_tables: ReadTables) -> None:
        self._read_tables = read_tables

    def read(self, folder: Path, experiment_id: int, staging: Path) -> LeftResults:
        """See the port."""
        report = _report(folder, experiment_id)
        names = sorted(_table_names(folder / "tables"))
        if not names:
            raise ResultsDamaged("The run left no table in tables/.")
        found = [_table(folder / "tables" / f"{name}.parquet", name, staging) for name in names]
        tables = self._with_records(found, experiment_id)
        files = {name: digest for name in _REFERRED if (digest := _digest(folder / name)) is not None}
        return LeftResults(report=report, tables=tables, files=files)

    def _with_records(self, tables: Sequence[LeftTable], experiment_id: int) -> Sequence[LeftTable]:
        """The tables, the small ones with their rows in the place of their files."""
        small = {table.name: table.path for table in tables if table.path is not None and CUSTOMER not in table.columns}
        names = [table.name for table in tables if table.name in small and table.rows]
        try:
            read = self._read_tables([small[name] for name in names], MOST_RECORDS) if names else ()
        except Exception as error:
            raise ResultsDamaged(f"tables/*.parquet cannot be read: {error}.") from error
        rows = {name: _records(found, name, experiment_id) for name, found in zip(names, read, strict=True)}
        for path in small.values():
            path.unlink()
        return [
            replace(table, path=None, size=0, records=rows.get(table.name, ())) if table.name in small else table
            for table in tables
        ]


def _table(source: Path, name: str, staging: Path) -> LeftTable:
    """A table in a file that was copied and checked."""
    copy = staging / f"{name}.parquet"
    digest = _copy(source, copy)
    footer = _footer(copy, source.name)
    columns = {column.name: _type(column.kind) for column in footer.columns}
    if KEY not in columns:
        raise ResultsDamaged(f"tables/{source.name} has no column {KEY}.")
    if CUSTOMER in columns:
        copy = copy.rename(staging / f"{digest}.parquet")
    elif footer.rows > MOST_RECORDS:
        raise ResultsDamaged(f"tables/{source.name} has {footer.rows:,} rows; at most {MOST_RECORDS:,} were expected.")
    return LeftTable(name=name, columns=columns, rows=footer.rows, path=copy, size=copy.stat().st_size)


def _records(found: Rows, name: str, experiment_id: int) -> Sequence[Mapping[str, Any]]:
    """Rows of a small table, all of them of the experiment."""
    records = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    for record in records:
        if record[KEY] != experiment_id:
            raise ResultsDamaged(
                f"tables/{name}.parquet has rows of the experiment {record[KEY]}, not {experiment_id}."
            )
    return records


def _report(folder: Path, experiment_id: int) -> Mapping[str, Any]:
    with _opened(folder / "report.json", "report.json") as file:
        text = file.read(MOST_REPORT_BYTES + 1)
    if len(text) > MOST_REPORT_BYTES:
        raise ResultsDamaged(f"report.json has more than {MOST_REPORT_BYTES:,} bytes.")
    try:
        report = json.loads(text)
    except ValueError as error:
        raise ResultsDamaged(f"report.json is no JSON: {error}.") from error
    if not isinstance(report, dict) or report.get(KEY) != experiment_id:
        raise ResultsDamaged(f"report.json is not of the experiment {experiment_id}.")
    return report


def _table_names(folder: Path) -> Iterator[str]:
    try:
        entries = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise ResultsDamaged(f"The run left no tables: {error.strerror}.") from error
    for entry in entries:
        name = entry.removesuffix(".parquet")
        if name == entry or not _NAME.fullmatch(name):
            raise ResultsDamaged(f"tables/{entry[:100]!r} is no table of the pipeline.")
        yield name


def _opened(path: Path, shown: str) -> BufferedReader:
    """A plain file that the run left; no link is followed."""
    try:
        descriptor = os.open(path, _OPEN)
    except OSError as error:
        raise ResultsDamaged(f"{shown} cannot be read: {error.strerror}.") from error
    file = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise ResultsDamaged(f"{shown} is no plain file.")
    return file


def _copy(source: Path, target: Path) -> str:
    digest = hashlib.sha256()
    with _opened(source, f"tables/{source.name}") as file, target.open("wb") as copy:
        while block := file.read(1 << 20):
            digest.update(block)
            copy.write(block)
        copy.flush()
        os.fsync(copy.fileno())
    return digest.hexdigest()


def _digest(path: Path) -> str | None:
    if not path.is_file() or path.is_symlink():
        return None
    with _opened(path, path.name) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _footer(path: Path, shown: str) -> Footer:
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            file.seek(max(0, size - TAIL_BYTES))
            length = footer_length(file.read())
            file.seek(max(0, size - TAIL_BYTES - length))
            return read_footer(file.read(length))
    except NotParquet as error:
        raise ResultsDamaged(f"tables/{shown} is no whole Parquet file.") from error


def _type(kind: str) -> str:
    if kind.startswith("int"):
        return "integer"
    return {"float": "number", "double": "number", "boolean": "boolean"}.get(kind, "text")
