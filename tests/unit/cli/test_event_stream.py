"""Server-sent events are read whole, however the network cuts them."""

from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from fastflow.cli.event_stream import Event, read_events

STREAM = (
    b"retry: 1000\n\n: keep-alive\n\n"
    b'event: log\nid: 57\ndata: {"ts":"t","stream":"stdout","line":"a\xe2\x80\xa8b"}\n\n'
    b'event: unfinished\ndata: {"stream":"stdout","line":"x"}\n\n'
    b'event: end\ndata: {"status":"SUCCESS"}\n\n'
    b"event: log\nid: 99\nda"
)


async def _cut(data: bytes, places: list[int]) -> AsyncIterator[bytes]:
    start = 0
    for place in [*sorted(places), len(data)]:
        yield data[start:place]
        start = place


@given(places=st.lists(st.integers(0, len(STREAM))))
async def test_read_events_when_the_stream_is_cut_anywhere_then_the_events_are_the_same(places: list[int]) -> None:
    events = [event async for arrived in read_events(_cut(STREAM, places)) for event in arrived]
    assert events == [
        Event("log", "57", {"ts": "t", "stream": "stdout", "line": "a\u2028b"}),
        Event("unfinished", None, {"stream": "stdout", "line": "x"}),
        Event("end", None, {"status": "SUCCESS"}),
    ]
