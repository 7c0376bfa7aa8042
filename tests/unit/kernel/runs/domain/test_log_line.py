from hypothesis import given
from hypothesis import strategies as st

from fastflow.kernel.runs.domain.log_line import LogLine, format_line, join_parts, parse_line, read_head

AT = "2026-11-21T04:35:18.123456789Z"
TEXT = st.binary(max_size=60).map(lambda data: data.replace(b"\n", b""))
LINES = st.builds(LogLine, st.just(AT), st.sampled_from(["stdout", "stderr"]), st.booleans(), TEXT)


@given(LINES)
def test_parse_when_given_a_formatted_line_then_it_comes_back(line: LogLine) -> None:
    assert parse_line(format_line(line)[:-1]) == line


@given(st.binary(max_size=200))
def test_parse_when_given_any_bytes_then_nothing_is_lost(data: bytes) -> None:
    line = parse_line(data)
    assert data.endswith(line.text)
    assert len(line.text) == len(data) - read_head(data).text_at


def test_parse_when_the_time_is_of_another_writer_then_it_is_still_read() -> None:
    line = parse_line(b"2026-11-21T04:35:18.12+01:00 stderr P half")
    assert line == LogLine("2026-11-21T04:35:18.12+01:00", "stderr", True, b"half")


def test_parse_when_the_line_is_not_in_the_form_then_all_of_it_is_text() -> None:
    assert parse_line(b"stdout F nothing before") == LogLine("", "stdout", False, b"stdout F nothing before")


def test_parse_when_the_text_is_empty_then_the_last_space_may_be_missing() -> None:
    assert parse_line(f"{AT} stdout F".encode()) == LogLine(AT, "stdout", False, b"")
    assert parse_line(f"{AT} stdout F ".encode()) == LogLine(AT, "stdout", False, b"")


def test_join_when_the_other_stream_comes_between_then_parts_still_find_each_other() -> None:
    lines = [
        LogLine("1", "stdout", True, b"a"),
        LogLine("2", "stderr", False, b"x"),
        LogLine("3", "stdout", False, b"b"),
        LogLine("4", "stderr", True, b"open"),
    ]
    assert list(join_parts(lines)) == [
        LogLine("2", "stderr", False, b"x"),
        LogLine("1", "stdout", False, b"ab"),
        LogLine("4", "stderr", True, b"open"),
    ]


@given(st.lists(LINES, max_size=30))
def test_join_when_given_any_lines_then_each_stream_keeps_its_bytes(lines: list[LogLine]) -> None:
    joined = list(join_parts(lines))
    for stream in ("stdout", "stderr"):
        before = b"".join(line.text + (b"" if line.is_part else b"\n") for line in lines if line.stream == stream)
        after = b"".join(line.text + (b"" if line.is_part else b"\n") for line in joined if line.stream == stream)
        assert after == before
