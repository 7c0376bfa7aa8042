import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastflow.kernel.runs.domain.log_line import PART_BYTES, LogLine, format_line, join_parts
from fastflow.kernel.runs.domain.logged_run import LogQuery
from fastflow.kernel.runs.infra import log_reader
from fastflow.kernel.runs.infra.log_reader import LogFile
from fastflow.kernel.runs.infra.log_text import LogText
from fastflow.kit.errors import InvalidInput

AT = "2026-11-21T04:35:18.123456789Z"
TEXT = st.one_of(
    st.binary(max_size=12).map(lambda data: data.replace(b"\n", b"")), st.sampled_from([b"needle", b"nee", b"dle"])
)
LINES = st.lists(
    st.builds(LogLine, st.just(AT), st.sampled_from(["stdout", "stderr"]), st.booleans(), TEXT), max_size=20
)

Read = Callable[..., bytes]


def ended_text(line: LogLine) -> bytes:
    return line.text if line.is_part else line.text + b"\n"


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    return tmp_path / "run.log"


@pytest.fixture
def read(log_path: Path) -> Iterator[Read]:
    opened: list[LogFile] = []

    def read_with(*, ended: bool = True, **query: Any) -> bytes:
        opened.append(LogFile(log_path, ended=ended))
        return b"".join(LogText(opened[-1], LogQuery(**query)).chunks())

    yield read_with
    for log in opened:
        log.close()


def write(path: Path, lines: list[LogLine]) -> bytes:
    data = b"".join(map(format_line, lines))
    path.write_bytes(data)
    return data


def line(stream: Any, text: bytes, *, part: bool = False) -> LogLine:
    return LogLine(AT, stream, part, text)


MIXED = [
    line("stdout", b"one"),
    line("stdout", b"tw", part=True),
    line("stderr", b"error"),
    line("stdout", b"o"),
    line("stdout", b"three \xff"),
]


def test_text_when_asked_for_all_then_parts_are_joined_and_bytes_kept(log_path: Path, read: Read) -> None:
    data = write(log_path, MIXED)
    assert read() == b"one\nerror\ntwo\nthree \xff\n"
    assert read(times=True) == data
    assert read(stream="stderr") == b"error\n"
    assert read(grep=b"two") == b"two\n"
    assert read(grep=b"2026") == b""
    assert read(tail=2) == b"two\nthree \xff\n"
    assert read(tail=1, stream="stderr", times=True) == format_line(MIXED[2])
    assert read(tail=1, grep=b"o") == b"two\n"
    assert read(tail=0) == b""


def test_text_when_searched_in_either_case_with_offsets_then_each_line_says_where_it_begins(
    log_path: Path, read: Read
) -> None:
    data = write(log_path, MIXED)
    assert read(grep=b"THREE") == b""
    assert read(grep=b"THREE", ignore_case=True) == b"three \xff\n"
    found = read(grep=b"TWO", ignore_case=True, times=True, offsets=True).splitlines(keepends=True)
    assert len(found) == 2  # a line in parts, as it is stored
    for row in found:
        offset, _, stored = row.partition(b" ")
        assert data[int(offset) :].startswith(stored)
    assert read(grep=b"absent", or_grep=(b"one", b"hree")) == b"one\nthree \xff\n"
    assert read(grep=b"absent", or_grep=(b"one", b"hree"), whole_words=True) == b"one\n"
    everything = read(times=True, offsets=True).splitlines(keepends=True)
    assert sorted(row.partition(b" ")[2] for row in everything) == sorted(data.splitlines(keepends=True))


def test_text_when_a_line_of_10_mb_is_in_the_way_then_it_comes_whole_in_little_memory(
    log_path: Path, read: Read
) -> None:
    part = format_line(line("stdout", b"x" * PART_BYTES, part=True))
    with log_path.open("wb") as log:
        for number in range(640):
            log.write(part)
            if number % 100 == 0:
                log.write(format_line(line("stderr", b"meanwhile")))
        log.write(format_line(line("stdout", b"needle")))
    opened = LogFile(log_path, ended=True)
    tracemalloc.start()
    sizes = [len(chunk) for chunk in LogText(opened, LogQuery(tail=1)).chunks()]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    opened.close()
    assert sum(sizes) == 640 * PART_BYTES + 7
    assert peak < 4 * 2**20
    assert read(grep=b"xneedle") == b"x" * 640 * PART_BYTES + b"needle\n"
    assert read(stream="stderr") == b"meanwhile\n" * 7


def test_text_when_the_run_goes_on_then_half_a_line_is_not_given_and_later_comes_once(
    log_path: Path, read: Read
) -> None:
    first = format_line(line("stdout", b"done"))
    log_path.write_bytes(first + b"2026-11-21T04:35:18.12345")
    assert read(ended=False) == b"done\n"
    log_path.write_bytes(first + format_line(line("stdout", b"later")))
    assert read(ended=False, start=len(first)) == b"later\n"


def test_text_when_the_supervisor_was_killed_in_mid_line_then_what_there_is_is_given(
    log_path: Path, read: Read
) -> None:
    log_path.write_bytes(format_line(line("stdout", b"done")) + f"{AT} stdout F cut".encode())
    assert read() == b"done\ncut"
    assert read(tail=1) == b"cut"


def test_text_when_the_range_cuts_lines_then_it_is_moved_outwards(log_path: Path, read: Read) -> None:
    data = write(log_path, [line("stdout", b"one"), line("stdout", b"two"), line("stdout", b"three")])
    length = len(format_line(line("stdout", b"one")))
    assert read(start=length, end=2 * length) == b"two\n"
    assert read(start=length + 5, end=length + 6) == b"two\n"
    assert read(start=length - 1, end=length + 1) == b"one\ntwo\n"
    assert read(start=len(data)) == b""
    assert read(end=0) == b""
    with pytest.raises(InvalidInput) as beyond:
        read(start=len(data) + 1)
    assert beyond.value.code == "log_offset_beyond_end"
    with pytest.raises(InvalidInput) as reversed_range:
        read(start=9, end=8)
    assert reversed_range.value.fields == {"to": "smaller than from"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(LINES, st.integers(1, 8), st.sampled_from([None, "stdout", "stderr"]), st.sampled_from([None, b"needle"]))
def test_text_when_given_any_log_then_it_is_what_joining_and_filtering_give(
    log_path: Path,
    read: Read,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[LogLine],
    count: int,
    stream: Any,
    grep: Any,
) -> None:
    monkeypatch.setattr(log_reader, "BLOCK_BYTES", 150)
    monkeypatch.setattr(log_reader, "BACKWARD_BLOCK_BYTES", 70)
    write(log_path, lines)
    joined = [one for one in join_parts(lines) if stream in (None, one.stream) and (grep is None or grep in one.text)]
    whole, waiting = [one for one in joined if not one.is_part], [one for one in joined if one.is_part]
    text = read(stream=stream, grep=grep)
    assert text.startswith(b"".join(map(ended_text, whole)))
    assert sorted(text[len(b"".join(map(ended_text, whole))) :].replace(b"\n", b"")) == sorted(
        b"".join(one.text for one in waiting)
    )
    if not waiting:
        assert read(stream=stream, grep=grep, tail=count) == b"".join(map(ended_text, whole[-count:]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(LINES, st.data())
def test_text_when_read_range_after_range_then_the_raw_bytes_are_the_file(
    log_path: Path, read: Read, lines: list[LogLine], data: st.DataObject
) -> None:
    raw = write(log_path, lines)
    ends = [0]
    for one in lines:
        ends.append(ends[-1] + len(format_line(one)))
    cut = data.draw(st.sampled_from(ends))
    assert read(times=True, end=cut) + read(times=True, start=cut) == raw
