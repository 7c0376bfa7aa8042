"""What is shown of a file is decided by its name, bounded, and never more than text."""

import pytest

from fastflow.ui.rooms.runs.preview import TABLE_BYTES, TEXT_BYTES, Preview, is_of_numbers, preview

FOOTER = (
    bytes.fromhex("1502192c48") + b"\x06schema" + bytes.fromhex("1502001502250218") + b"\x01a\x00"
    + bytes.fromhex("1654191c0028") + b"\x04test\x00"
)  # fmt: skip


def shown(path: str, content: bytes) -> Preview:
    asked: list[int] = []

    def read(begin: int, end: int) -> bytes:
        asked.append(end - begin)
        return content[begin:end]

    found = preview(path, len(content), read)
    assert all(count <= 1_000_000 for count in asked)
    return found


def test_preview_when_the_name_says_nothing_known_then_the_content_is_not_even_read() -> None:
    def read(begin: int, end: int) -> bytes:
        raise AssertionError("read")

    for path in ("data.bin", "page", "archive.tar.gz", "png", "image.png.exe"):
        assert preview(path, 10, read).kind == "none"
    assert preview("image.PNG", 10, read).kind == "image"
    assert preview("image.png", 20_000_000, read).kind == "none"


def test_preview_when_a_text_is_long_then_its_beginning_and_markup_stays_text() -> None:
    page = shown("report.html", b"<script>alert(1)</script>")
    assert (page.kind, page.text, page.is_whole) == ("text", "<script>alert(1)</script>", True)
    assert shown("picture.svg", b"<svg onload=alert(1)>").kind == "text"
    long = shown("big.log", b"x" * 1_000_000)
    assert (len(long.text), long.is_whole) == (TEXT_BYTES, False)
    assert shown("odd.txt", b"a\0b").kind == "none"
    assert shown("odd.txt", b"\xff").text == "\ufffd"


def test_preview_when_a_table_is_large_then_whole_rows_of_its_beginning() -> None:
    small = shown("t.csv", b'name;"a;b"\n"x\ny";2\n')
    assert (small.kind, small.rows, small.is_whole) == ("table", [["name", "a;b"], ["x\ny", "2"]], True)
    large = shown("t.csv", b"a,b\n" + b"1,2\n" * TABLE_BYTES)
    assert (len(large.rows), large.is_whole) == (101, False)
    assert shown("t.tsv", b"a\tb\n").rows == [["a", "b"]]
    assert shown("wide.csv", b"x" * 200_000).is_whole is False
    assert shown("none.csv", b"").rows == []


def test_preview_when_parquet_then_its_columns_and_number_of_rows() -> None:
    found = shown("t.parquet", b"PAR1" + FOOTER + len(FOOTER).to_bytes(4, "little") + b"PAR1").footer
    assert found is not None
    assert (found.rows, found.groups, found.made_by) == (42, 1, "test")
    assert [(each.name, each.kind, each.is_optional) for each in found.columns] == [("a", "int32", True)]


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"PAR1" + b"\xff" * 4 + b"PAR1", b"\x19\xfc\xff\xff\xff\x0f\x06\x00\x00\x00PAR1", b"\x1c" * 900 + b"\x84\x03\0\0PAR1"]
)  # fmt: skip
def test_preview_when_it_only_claims_to_be_parquet_then_none(content: bytes) -> None:
    assert shown("t.parquet", content).kind == "none"


def test_preview_when_any_byte_of_the_footer_is_wrong_then_an_answer_all_the_same() -> None:
    for place in range(len(FOOTER)):
        for value in (0, 0x1C, 0x7F, 0xFF):
            broken = bytes([*FOOTER[:place], value, *FOOTER[place + 1 :]])
            assert shown("t.parquet", broken + len(FOOTER).to_bytes(4, "little") + b"PAR1").kind in ("parquet", "none")


def test_column_when_all_that_is_there_are_numbers_then_it_is_one_of_numbers() -> None:
    assert is_of_numbers(["1", "-2.5", "", "1e-3", "12,000", "7 %"])
    assert not is_of_numbers(["1", "Ulm"])
    assert not is_of_numbers(["", ""])
    assert not is_of_numbers(["2026-11-22"])
