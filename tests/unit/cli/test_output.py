"""How answers are shown."""

import json
from typing import Any

import pytest

from fastflow.cli import output


def test_print_table_when_not_on_a_terminal_then_columns_are_aligned_and_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows: list[dict[str, Any]] = [{"a": "x" * 200, "b": None}, {"a": "y", "b": True}]
    output.print_table(rows, [("first", lambda row: row["a"]), ("second", lambda row: row["b"])], empty="none")
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["FIRST" + " " * 197 + "SECOND", "x" * 200 + "  -", "y" + " " * 201 + "yes"]


def test_print_table_when_there_are_no_rows_then_stdout_stays_empty(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table([], [("first", lambda row: row["a"])], empty="No rows.")
    assert capsys.readouterr() == ("", "No rows.\n")


def test_print_json_when_given_data_then_it_reads_back_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    data = {"items": [{"größe": 1.5, "none": None}], "next_cursor": None}
    output.print_json(data)
    assert json.loads(capsys.readouterr().out) == data


@pytest.mark.parametrize("text", ["\x1b[31mred", "a\rb", "\x07", "\x9b31m", "a\u202eb"])
def test_printable_when_text_could_steer_a_terminal_then_it_is_disarmed(text: str) -> None:
    assert output.printable(text).isprintable()


def test_printable_when_text_is_harmless_then_it_is_unchanged() -> None:
    assert output.printable("grüße 🎉\nzweite Zeile") == "grüße 🎉\nzweite Zeile"


def test_duration_when_the_end_is_missing_then_it_counts_until_now() -> None:
    assert output.duration("2026-01-01T00:00:00Z", "2026-01-01T00:00:02.5Z") == "2.5 s"
    assert output.duration(None, None) == "-"
    assert output.duration("2020-01-01T00:00:00Z", None).endswith("min")
