import asyncio
from collections.abc import AsyncGenerator, Sequence

from fastflow.kernel.http.sse import KEEP_ALIVE, RETRY, format_event
from fastflow.ui.live import Happening, Hub, concerns, read_events

STATE = Happening(run_id="r1", pipeline_name="p1", kind="state")


def event(run_id: str, kind: str = "state") -> bytes:
    return format_event(kind, {"run_id": run_id, "pipeline_name": "p1", "at": "now", "kind": kind, "data": {}}, 7)


class Stream:
    """An event stream that is fed by hand."""

    def __init__(self) -> None:
        self.opened = 0
        self.closed = asyncio.Event()
        self.blocks: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(self) -> AsyncGenerator[bytes, None]:
        self.opened += 1
        try:
            while True:
                yield await self.blocks.get()
        finally:
            self.closed.set()


class Ear:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Sequence[Happening]] = asyncio.Queue()

    def __call__(self, happened: Sequence[Happening]) -> None:
        self.heard.put_nowait(happened)


def test_events_when_read_then_comments_and_retries_are_none() -> None:
    assert list(read_events(RETRY + KEEP_ALIVE + event("r1") + event("r2", "metric"))) == [
        STATE,
        Happening(run_id="r2", pipeline_name="p1", kind="metric"),
    ]


async def test_hub_when_two_pages_listen_then_the_stream_is_read_once() -> None:
    stream, first, second = Stream(), Ear(), Ear()
    hub = Hub(stream.listen)
    leave = [hub.subscribe(first), hub.subscribe(second)]
    await stream.blocks.put(event("r1"))
    async with asyncio.timeout(5):
        assert await first.heard.get() == [STATE]
        assert await second.heard.get() == [STATE]
    assert stream.opened == 1
    leave[0]()
    assert len(hub) == 1
    leave[1]()
    async with asyncio.timeout(5):
        await stream.closed.wait()
    assert len(hub) == 0


async def test_hub_when_everybody_left_and_somebody_comes_then_it_reads_again() -> None:
    stream, ear = Stream(), Ear()
    hub = Hub(stream.listen)
    hub.subscribe(Ear())()
    leave = hub.subscribe(ear)
    await stream.blocks.put(event("r1"))
    async with asyncio.timeout(5):
        assert await ear.heard.get() == [STATE]
    leave()


def test_concerns_when_something_may_have_been_missed_then_everybody_looks() -> None:
    assert concerns([], run_id="x", pipeline_name=None, kinds=("state",))
    assert concerns([STATE], run_id="r1", pipeline_name=None, kinds=("state",))
    assert not concerns([STATE], run_id="r2", pipeline_name=None, kinds=None)
    assert not concerns([STATE], run_id=None, pipeline_name="p2", kinds=None)
    assert not concerns([STATE], run_id=None, pipeline_name=None, kinds=("metric",))
