"""What a script prints becomes log lines and events; nothing is lost on the way."""

import itertools
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import fastflow.kernel.executors.sidecar as sidecar_package

sys.path.insert(0, str(Path(sidecar_package.__file__).parent))
import logfile

sys.path.pop(0)


class Sheet:
    """A log file in memory."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, lines: bytes) -> None:
        self.data += lines


def printed(chunks: list[bytes], flush_after: set[int] = frozenset()) -> tuple[bytes, list[tuple[str, Any]]]:  # type: ignore[assignment]
    sheet, events = Sheet(), []
    writer = logfile.StreamWriter("stdout", sheet, [], lambda kind, data: events.append((kind, data)))
    for number, chunk in enumerate(chunks):
        writer.feed(chunk)
        if number in flush_after:
            writer.flush_partial()
    writer.finish()
    return sheet.data, events


def text_of(log: bytes) -> bytes:
    joined = b""
    for line in log.split(b"\n")[:-1]:
        _time, stream, kind, text = line.split(b" ", 3)
        assert stream == b"stdout" and kind in (b"F", b"P")
        joined += text + (b"\n" if kind == b"F" else b"")
    return joined


@given(st.lists(st.binary(max_size=200), max_size=12), st.sets(st.integers(0, 12)))
def test_stream_when_fed_any_chunks_then_text_is_kept(chunks: list[bytes], flush_after: set[int]) -> None:
    whole = b"".join(chunks)
    assume(logfile.EVENT_MARK not in whole)
    log, _events = printed(chunks, flush_after)
    assert text_of(log) == whole


@pytest.mark.parametrize(("stream", "tag"), [("stdout", b"P"), ("stderr", b"F")])
@pytest.mark.parametrize("is_flushed", [True, False])
def test_stream_when_it_ends_in_mid_line_then_only_that_of_stderr_is_ended(
    stream: str, tag: bytes, is_flushed: bool
) -> None:
    sheet = Sheet()
    writer = logfile.StreamWriter(stream, sheet, [], lambda _kind, _data: None)
    writer.feed(b"one\ntwo")
    if is_flushed:
        writer.flush_partial()
    writer.finish()
    lines = [line.split(b" ", 2)[2] for line in sheet.data.splitlines()]
    assert b"".join(line[2:] for line in lines) == b"onetwo"
    assert lines[-1][:1] == tag


def test_event_when_its_line_has_no_newline_then_told_all_the_same() -> None:
    log, events = printed([b'a\n::fastflow::{"metric": {"auc": 0.5}}'])
    assert events == [("metric", {"auc": 0.5})]
    assert text_of(log) == b"a\n"


def test_stream_when_line_is_long_then_parts_of_bounded_size() -> None:
    line = os.urandom(100_000).replace(b"\n", b".")
    log, _events = printed([b"a\n" + line[:30_000], line[30_000:] + b"\nb\n"])
    assert text_of(log) == b"a\n" + line + b"\nb\n"
    assert all(len(row) <= logfile.PART_BYTES + 50 for row in log.split(b"\n") if b"\r" not in row)


@given(st.lists(st.integers(1, 60), max_size=8))
def test_event_when_cut_anywhere_then_told_once_and_not_logged(cuts: list[int]) -> None:
    data = b'one\n::fastflow::{"metric": {"auc": 0.5}}\ntwo\n'
    marks = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    log, events = printed([data[a:b] for a, b in itertools.pairwise(marks)], set(range(10)))
    assert events == [("metric", {"auc": 0.5})]
    assert text_of(log) == b"one\ntwo\n"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"::fastflow::{", b"is not JSON"),
        (b"::fastflow::[1]", b"has none of the keys"),
        (b'::fastflow::{"progress": 7}', b"not a number from 0 to 1"),
        (b'::fastflow::{"metric": 3}', b"is not an object"),
    ],
)
def test_event_when_wrong_then_line_stays_and_says_why(line: bytes, problem: bytes) -> None:
    log, events = printed([line + b"\n"])
    assert events == []
    assert line in log and problem in log


def test_mark_when_inside_a_line_then_ordinary_text() -> None:
    log, events = printed([b'see ::fastflow::{"metric": {"a": 1}}\n'])
    assert not events and b"see ::fastflow::" in log


def open_log(path: Path, max_bytes: int | None) -> Any:
    return logfile.LogFile(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), max_bytes)


def test_log_when_over_its_limit_then_head_note_and_tail(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log", 100_000)
    row = b"2026-01-01T00:00:00.000000000Z stdout F %08d\n"
    for number in range(20_000):
        log.write(row % number)
    log.finish()
    rows = (tmp_path / "log").read_bytes().splitlines(keepends=True)
    assert rows[0] == row % 0 and rows[-1] == row % 19_999
    (note,) = [number for number, line in enumerate(rows) if b"[fastflow]" in line]
    kept = rows[:note] + rows[note + 1 :]
    missing = sum(map(len, (row % number for number in range(20_000)))) - sum(map(len, kept))
    assert b"%d bytes were left out" % missing in rows[note]


def test_log_when_disk_is_full_then_goes_on_and_tells(tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    log = logfile.LogFile(full, None)
    log.write(b"lost line\n")
    assert log.lost_bytes == 10 and "space" in log.lost_because


def test_close_with_when_disk_is_full_then_no_output_of_the_script_counts_as_lost() -> None:
    log = logfile.LogFile(os.open("/dev/full", os.O_WRONLY), None)
    log.close_with("the run was ended: ran longer than its timeout of 5 s")
    assert log.untold() is None
