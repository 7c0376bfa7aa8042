from typing import Any

import pytest

from fastflow.apps.churn.domain.document import (
    Document,
    DocumentError,
    NewerDocument,
    Segment,
    document_of,
    read_document,
    write_document,
)
from fastflow.apps.churn.domain.tables import declared_tables

EMPTY = Document(revision=0, last_updated="", counters={}, tables=declared_tables())


def filled() -> Document:
    segment = Segment(sha256="a" * 64, rows=7, size=100, belongs={"file_id": 1})
    number, document = EMPTY.numbered("experiment")
    document = document.with_records("experiments", [{"experiment_id": number, "experiment_name": "Größe <1>"}])
    return document.with_segments("rawdata", [segment])


def test_document_when_written_and_read_then_it_is_the_same() -> None:
    document = filled()
    assert read_document(write_document(document)) == document
    assert write_document(read_document(write_document(document))) == write_document(document)
    assert document.referenced() == {"a" * 64} and document.tables["rawdata"].row_count == 7
    assert document.counters == {"experiment": 1} and EMPTY.counters == {}


def test_document_when_cut_at_any_byte_then_it_is_refused() -> None:
    content = write_document(filled())
    for end in range(len(content) - 1):  # the last byte is a line's end
        with pytest.raises(DocumentError):
            read_document(content[:end])


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("format",), "sqlite", "format:"),
        (("version",), "1", "version: is no whole number"),
        (("metadata",), None, "metadata: is no object"),
        (("metadata", "revision"), -1, "metadata.revision"),
        (("metadata", "counters", "experiment"), 1.5, "metadata.counters.experiment"),
        (("tables",), [], "tables: is no object"),
        (("tables", "drop table"), {}, "tables.drop table: is no name"),
        (("tables", "files"), {}, "tables.files: has to hold either"),
        (("tables", "files", "records"), {}, "tables.files.records: is no list"),
        (("tables", "files", "records"), [1], "tables.files.records[0]: is no object"),
        (("tables", "files", "schema", "file_id"), {"display_type": "blob"}, "display_type: is none of"),
        (("tables", "rawdata", "segments", 0, "sha256"), "../../etc/passwd", "segments[0].sha256: is no SHA-256"),
        (("tables", "rawdata", "segments", 0, "rows"), True, "segments[0].rows"),
    ],
)
def test_document_when_something_is_wrong_then_the_place_is_told(path: tuple[Any, ...], value: Any, told: str) -> None:
    import json

    data = json.loads(write_document(filled()))
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(DocumentError) as caught:
        document_of(data)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"[]", b'{"a": NaN}', b"[" * 100_000, b"null"],
    ids=["empty", "bytes", "list", "nan", "deep", "null"],
)
def test_document_when_it_is_something_else_then_it_is_refused(content: bytes) -> None:
    with pytest.raises(DocumentError):
        read_document(content)


def test_document_when_a_newer_release_wrote_it_then_that_is_told() -> None:
    with pytest.raises(NewerDocument, match="version: 2"):
        document_of({"format": "fastflow-churn-database", "version": 2})
