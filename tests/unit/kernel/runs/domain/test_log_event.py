import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fastflow.kernel.runs.domain.log_event import (
    MAX_LINE_BYTES,
    MAX_SPAN_BYTES,
    format_block,
    format_end,
    format_skipped,
    split_block,
)
from fastflow.kernel.runs.domain.log_line import PART_BYTES, LogLine, format_line

AT = "2026-11-21T04:35:18.123456789Z"
TEXT = st.binary(max_size=40).map(lambda data: data.replace(b"\n", b""))
LINES = st.lists(
    st.builds(LogLine, st.just(AT), st.sampled_from(["stdout", "stderr"]), st.booleans(), TEXT), max_size=25
)
TAILS = st.sampled_from([b"", b"2026-11-21T04:35:18.123456789Z stdout F cut sho", b"\xff\xfe"])


def logged(stream: Any, text: bytes, *, part: bool = False) -> bytes:
    return format_line(LogLine(AT, stream, part, text))


def read(events: bytes) -> list[tuple[str, int | None, dict[str, Any]]]:
    found = []
    for event in events.split(b"\n\n")[:-1]:
        fields = dict(row.split(b": ", 1) for row in event.split(b"\n"))
        event_id = int(fields[b"id"]) if b"id" in fields else None
        found.append((fields[b"event"].decode(), event_id, json.loads(fields[b"data"])))
    return found


def text_of(data: dict[str, Any]) -> bytes:
    text = base64.b64decode(data["b64"]) if "b64" in data else data["line"].encode()
    return text if data.get("partial") else text + b"\n"


def test_format_when_lines_are_whole_then_each_is_an_event_with_the_offset_after_it() -> None:
    first, second = logged("stdout", b'say "hi"\r\x1b[1m'), logged("stderr", "ä".encode())
    block = format_block(first + second, 100)
    assert read(block.events) == [
        ("log", 100 + len(first), {"ts": AT, "stream": "stdout", "line": 'say "hi"\r\x1b[1m'}),
        ("log", 100 + len(first + second), {"ts": AT, "stream": "stderr", "line": "ä"}),
    ]
    assert (block.start, block.end, block.count) == (100, 100 + len(first + second), 2)


def test_format_when_text_is_not_utf8_then_its_bytes_come_along() -> None:
    [(_, _, data)] = read(format_block(logged("stdout", b"a\xffb"), 0).events)
    assert data["line"] == "a�b"
    assert base64.b64decode(data["b64"]) == b"a\xffb"


def test_format_when_a_line_is_in_parts_then_one_event_tells_it_once_it_is_whole() -> None:
    part, rest = logged("stdout", b"ab", part=True), logged("stdout", b"cd")
    waiting = format_block(part, 0)
    assert (waiting.count, waiting.end) == (0, 0)
    assert [(u.end, read(u.event)) for u in waiting.unfinished] == [
        (len(part), [("unfinished", None, {"ts": AT, "stream": "stdout", "line": "ab"})])
    ]
    [(_, event_id, data)] = read(format_block(part + rest, 0).events)
    assert (event_id, data["line"], "partial" in data) == (len(part + rest), "abcd", False)


def test_format_when_the_other_stream_comes_between_then_the_part_is_told_first() -> None:
    part, other, rest = logged("stdout", b"ab", part=True), logged("stderr", b"x"), logged("stdout", b"cd")
    events = read(format_block(part + other + rest, 0).events)
    assert [(data["line"], data.get("partial", False)) for _, _, data in events] == [
        ("ab", True),
        ("x", False),
        ("cd", False),
    ]
    assert [event_id for _, event_id, _ in events] == [len(part), len(part + other), len(part + other + rest)]


def test_format_when_a_line_has_64_kib_then_it_is_one_event_and_longer_ones_are_several() -> None:
    part = logged("stdout", b"x" * PART_BYTES, part=True)
    whole = format_block(part * 3 + logged("stdout", b"y" * PART_BYTES), 0)
    assert whole.count == 1
    longer = format_block(part * 9 + logged("stdout", b"end"), 0)
    told = [data for _, _, data in read(longer.events)]
    assert b"".join(map(text_of, told)) == b"x" * 9 * PART_BYTES + b"end\n"
    assert [data.get("partial", False) for data in told] == [True, True, False]


def test_format_when_there_is_no_newline_for_too_long_then_it_is_told_all_the_same() -> None:
    assert format_block(b"x" * (MAX_LINE_BYTES - 1), 0).count == 0
    block = format_block(b"x" * MAX_LINE_BYTES, 0)
    assert (block.count, block.end) == (1, MAX_LINE_BYTES)


@given(LINES, TAILS, st.lists(st.integers(0, 2000), max_size=6))
def test_format_when_the_file_grows_by_any_steps_then_the_events_are_the_same(
    lines: list[LogLine], tail: bytes, steps: list[int]
) -> None:
    data = b"".join(map(format_line, lines)) + tail
    at_once = format_block(data, 0, final=True)
    told, position = b"", 0
    for stop in [*sorted(steps), len(data)]:
        block = format_block(data[position:stop], position)
        told, position = told + block.events, block.end
    told += format_block(data[position:], position, final=True).events
    assert told == at_once.events
    assert at_once.end == len(data)


@given(LINES, TAILS)
def test_format_when_resumed_at_any_id_then_the_rest_follows_exactly(lines: list[LogLine], tail: bytes) -> None:
    data = b"".join(map(format_line, lines)) + tail
    whole = format_block(data, 0, final=True)
    for count in range(1, whole.count):
        first = split_block(whole, count)
        assert first.events + format_block(data[first.end :], first.end, final=True).events == whole.events
        assert len(read(first.events)) == count


@given(LINES)
def test_format_when_events_are_put_together_then_each_stream_has_its_bytes(lines: list[LogLine]) -> None:
    events = read(format_block(b"".join(map(format_line, lines)), 0, final=True).events)
    for stream in ("stdout", "stderr"):
        written = b"".join(line.text + (b"" if line.is_part else b"\n") for line in lines if line.stream == stream)
        assert b"".join(text_of(data) for _, _, data in events if data["stream"] == stream) == written


def test_span_when_compared_then_a_block_always_holds_an_event() -> None:
    assert MAX_SPAN_BYTES + PART_BYTES + 64 < MAX_LINE_BYTES


def test_other_events_when_formatted_then_they_are_as_documented() -> None:
    assert read(format_skipped(10, 30)) == [("skipped", 30, {"from": 10, "to": 30})]
    assert read(format_end("FAILED", "exit", 3)) == [
        ("end", None, {"status": "FAILED", "reason": "exit", "exit_code": 3})
    ]
