"""The churn database as one document: small tables as records in it, large ones as references to segments beside it.

Reading is checking: `read_document` accepts exactly what `write_document` writes, and tells by a path such as
`tables.experiments.records[3]` where something else begins. Documents are never changed, only replaced.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

FORMAT = "fastflow-churn-database"
VERSION = 1
COLUMN_TYPES = ("integer", "number", "text", "boolean", "month", "time", "object")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class DocumentError(ValueError):
    """The text is no churn database; says where."""


class NewerDocument(DocumentError):
    """The text is a churn database of a newer release."""


@dataclass(frozen=True)
class Column:
    """What a column of a table holds.

    Attributes:
        type: one of `COLUMN_TYPES`.
        description: a sentence for people.
    """

    type: str
    description: str


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A file of rows of a large table, known by its content.

    Attributes:
        sha256: of the file's bytes; also its name.
        rows: how many.
        size: in bytes.
        belongs: what the rows hang on, such as {"experiment_id": 3} or {"file_id": 1}.
    """

    sha256: str
    rows: int
    size: int
    belongs: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table: either `records` or `segments`, never both.

    Attributes:
        description: a sentence for people.
        source: who writes it.
        columns: what is known of its columns.
        records: its rows.
        segments: the files that hold its rows.
    """

    description: str
    source: str
    columns: Mapping[str, Column] = field(default_factory=dict)
    records: Sequence[Mapping[str, Any]] | None = None
    segments: Sequence[Segment] | None = None

    @property
    def row_count(self) -> int:
        """Rows of all of it."""
        return len(self.records or ()) + sum(segment.rows for segment in self.segments or ())


@dataclass(frozen=True, kw_only=True)
class Document:
    """One state of the database.

    Attributes:
        revision: rises by one with each save; 0 has never been saved.
        last_updated: ISO 8601 UTC; '' for revision 0.
        counters: the highest number given so far, by what was numbered; numbers are never given twice.
        tables: by name.
    """

    revision: int
    last_updated: str
    counters: Mapping[str, int]
    tables: Mapping[str, Table]

    def records(self, table: str) -> Sequence[Mapping[str, Any]]:
        """Rows of a table of records; of one that is not there, none."""
        found = self.tables.get(table)
        return () if found is None or found.records is None else found.records

    def segments(self, table: str) -> Sequence[Segment]:
        """Files of a large table; of one that is not there, none."""
        found = self.tables.get(table)
        return () if found is None or found.segments is None else found.segments

    def with_records(self, table: str, records: Sequence[Mapping[str, Any]]) -> "Document":
        """The document with these rows in a table that is there."""
        return self.with_table(table, replace(self.tables[table], records=tuple(records)))

    def with_segments(self, table: str, segments: Sequence[Segment]) -> "Document":
        """The document with these files for a table that is there."""
        return self.with_table(table, replace(self.tables[table], segments=tuple(segments)))

    def with_table(self, name: str, table: Table) -> "Document":
        """The document with a table put in, or another one in its place."""
        return replace(self, tables={**self.tables, name: table})

    def numbered(self, what: str) -> tuple[int, "Document"]:
        """The next number for something, and the document that remembers it."""
        number = self.counters.get(what, 0) + 1
        return number, replace(self, counters={**self.counters, what: number})

    def referenced(self) -> set[str]:
        """Hashes of the segments of all tables."""
        return {segment.sha256 for table in self.tables.values() for segment in table.segments or ()}


def write_document(document: Document) -> bytes:
    """The document as text; equal documents give equal bytes."""
    tables = {name: _table_out(table) for name, table in document.tables.items()}
    content = {
        "format": FORMAT,
        "version": VERSION,
        "metadata": {
            "revision": document.revision,
            "last_updated": document.last_updated,
            "counters": dict(sorted(document.counters.items())),
        },
        "tables": tables,
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"), indent=None).encode() + b"\n"


def _table_out(table: Table) -> dict[str, Any]:
    out: dict[str, Any] = {
        "description": table.description,
        "source": table.source,
        "schema": {
            name: {"display_type": column.type, "description": column.description}
            for name, column in table.columns.items()
        },
    }
    if table.segments is not None:
        out["segments"] = [
            {"sha256": one.sha256, "rows": one.rows, "bytes": one.size, "belongs": dict(one.belongs)}
            for one in table.segments
        ]
    else:
        out["records"] = [dict(record) for record in table.records or ()]
    return out


def read_document(content: bytes) -> Document:
    """The document that a text holds.

    Raises:
        NewerDocument: a newer release wrote it.
        DocumentError: it is none, or not whole.
    """
    try:
        data = json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise DocumentError(f"it is not UTF-8 text (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise DocumentError(f"it is no JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise DocumentError("it is nested too deeply") from error
    return document_of(data)


def document_of(data: Any) -> Document:
    """As `read_document`, from what JSON holds."""
    whole = _object(data, "the document")
    if whole.get("format") != FORMAT:
        raise DocumentError(f"format: is not {FORMAT!r}")
    version = _whole_number(whole.get("version"), "version")
    if version > VERSION:
        raise NewerDocument(f"version: {version} is newer than {VERSION}, which this release writes")
    metadata = _object(whole.get("metadata"), "metadata")
    counters = _object(metadata.get("counters"), "metadata.counters")
    tables = _object(whole.get("tables"), "tables")
    return Document(
        revision=_whole_number(metadata.get("revision"), "metadata.revision"),
        last_updated=_text(metadata.get("last_updated"), "metadata.last_updated"),
        counters={name: _whole_number(value, f"metadata.counters.{name}") for name, value in counters.items()},
        tables={name: _table_in(name, table) for name, table in tables.items()},
    )


def _table_in(name: str, data: Any) -> Table:
    where = f"tables.{name[:100]}"
    if not _NAME.fullmatch(name):
        raise DocumentError(f"{where}: is no name of a table")
    table = _object(data, where)
    if ("records" in table) == ("segments" in table):
        raise DocumentError(f"{where}: has to hold either records or segments")
    columns = _object(table.get("schema"), f"{where}.schema")
    bare = Table(
        description=_text(table.get("description"), f"{where}.description"),
        source=_text(table.get("source"), f"{where}.source"),
        columns={column: _column_in(f"{where}.schema.{column}", told) for column, told in columns.items()},
    )
    if "segments" in table:
        return replace(bare, segments=tuple(_each(table["segments"], f"{where}.segments", _segment_in)))
    return replace(bare, records=tuple(_each(table["records"], f"{where}.records", _object)))


def _column_in(where: str, data: Any) -> Column:
    column = _object(data, where)
    if column.get("display_type") not in COLUMN_TYPES:
        raise DocumentError(f"{where}.display_type: is none of {', '.join(COLUMN_TYPES)}")
    return Column(column["display_type"], _text(column.get("description"), f"{where}.description"))


def _segment_in(data: Any, where: str) -> Segment:
    segment = _object(data, where)
    sha256 = _text(segment.get("sha256"), f"{where}.sha256")
    if not _SHA256.fullmatch(sha256):
        raise DocumentError(f"{where}.sha256: is no SHA-256")
    belongs = _object(segment.get("belongs"), f"{where}.belongs")
    return Segment(
        sha256=sha256,
        rows=_whole_number(segment.get("rows"), f"{where}.rows"),
        size=_whole_number(segment.get("bytes"), f"{where}.bytes"),
        belongs={key: _whole_number(value, f"{where}.belongs.{key}") for key, value in belongs.items()},
    )


def _each(data: Any, where: str, read: Callable[[Any, str], Any]) -> list[Any]:
    if not isinstance(data, list):
        raise DocumentError(f"{where}: is no list")
    return [read(one, f"{where}[{position}]") for position, one in enumerate(data)]


def _object(data: Any, where: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise DocumentError(f"{where}: is no object")
    return data


def _text(data: Any, where: str) -> str:
    if not isinstance(data, str):
        raise DocumentError(f"{where}: is no text")
    return data


def _whole_number(data: Any, where: str) -> int:
    if not isinstance(data, int) or isinstance(data, bool) or data < 0:
        raise DocumentError(f"{where}: is no whole number from 0")
    return data


def _refuse_constant(name: str) -> None:
    raise DocumentError(f"it is no JSON: {name} is no value")
