import asyncio
import hashlib
import os
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from threading import Thread

import pytest

from fastflow.kernel.http.sse import KEEP_ALIVE
from fastflow.kernel.runs.domain.logged_run import LoggedRun, LogQuery
from fastflow.kernel.runs.infra import log_follower
from fastflow.kernel.runs.infra.log_follower import LogFollower
from fastflow.kernel.runs.infra.log_reader import LogFile
from fastflow.kernel.runs.infra.log_text import LogText
from fastflow.kit.errors import NotFound
from fastflow.testing.logs import ServerEvent, logged, logged_run, read_events, text_of


class Run:
    """A run that the test writes the log of and ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run = logged_run(path)
        self.ended: asyncio.Future[LoggedRun] = asyncio.get_running_loop().create_future()

    def write(self, data: bytes) -> None:
        with self.path.open("ab", buffering=0) as log:
            log.write(data)

    def end(self, status: str = "SUCCESS") -> None:
        self.ended.set_result(logged_run(self.path, status=status))

    async def wait_ended(self, run_id: str) -> LoggedRun:
        assert run_id == self.run.id
        return await asyncio.shield(self.ended)

    def text(self) -> bytes:
        log = LogFile(self.path, ended=True)
        try:
            return b"".join(LogText(log, LogQuery()).chunks())
        finally:
            log.close()


@pytest.fixture
async def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "run.log")


async def read_all(stream: AsyncGenerator[bytes, None]) -> bytes:
    async with aclosing(stream):
        return b"".join([chunk async for chunk in stream])


async def read_until(stream: AsyncGenerator[bytes, None], what: bytes) -> bytes:
    data = b""
    while what not in data:
        data += await anext(stream)
    return data


def open_files(path: Path) -> int:
    links = [
        os.readlink(f"/proc/self/fd/{name}")
        for name in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{name}")
    ]
    return sum(link == str(path) or "inotify" in link for link in links)


async def test_follow_when_a_line_is_written_then_it_is_told_and_the_end_comes_last(run: Run) -> None:
    hub = LogFollower(run.wait_ended)
    stream = hub.follow(run.run, 0)
    assert await anext(stream) == b"retry: 1000\n\n"
    run.write(logged(b"one"))
    first = await anext(stream)
    run.write(logged(b"two", "stderr"))
    second = await anext(stream)
    run.write(logged(b"three"))
    run.end("FAILED")
    events = list(read_events(first + second + await read_all(stream)))
    assert [event.kind for event in events] == ["log", "log", "log", "end"]
    assert [event.data.get("line") for event in events[:3]] == ["one", "two", "three"]
    assert events[-1].data == {"status": "FAILED", "reason": "exit", "exit_code": 3}
    assert events[2].id == run.path.stat().st_size
    assert hub.followed_runs == 0
    assert open_files(run.path) == 0


async def test_follow_when_the_log_is_not_there_yet_then_it_waits_and_keeps_the_stream_alive(run: Run) -> None:
    stream = LogFollower(run.wait_ended, keep_alive=0.02).follow(run.run, 0)
    await anext(stream)
    assert await anext(stream) == KEEP_ALIVE
    run.write(logged(b"at last"))
    data = await read_until(stream, b"at last")
    run.end()
    assert text_of(read_events(data + await read_all(stream))) == b"at last\n"


async def test_follow_when_a_queued_run_ends_without_a_log_then_the_end_is_told(run: Run) -> None:
    stream = LogFollower(run.wait_ended).follow(run.run, 0)
    await anext(stream)
    run.end("FAILED")
    assert [event.kind for event in read_events(await read_all(stream))] == ["end"]


async def test_follow_when_the_run_is_deleted_then_the_stream_breaks(run: Run) -> None:
    stream = LogFollower(run.wait_ended).follow(run.run, 0)
    await anext(stream)
    run.ended.set_exception(NotFound("The run was deleted."))
    with pytest.raises(NotFound):
        await read_all(stream)


async def test_follow_when_text_has_no_end_then_it_is_shown_to_those_who_ask(run: Run) -> None:
    hub = LogFollower(run.wait_ended)
    plain, live = hub.follow(run.run, 0), hub.follow(run.run, 0, unfinished=True)
    run.write(logged(b"Pass", part=True))
    await anext(live)
    data = await read_until(live, b"Pass")
    run.write(logged(b"word: ", part=True))
    data += await read_until(live, b"word")
    run.write(logged(b"x"))
    run.end()
    told = list(read_events(data + await read_all(live)))
    assert [(event.kind, event.data.get("line"), event.id is None) for event in told[:-1]] == [
        ("unfinished", "Pass", True),
        ("unfinished", "word: ", True),
        ("log", "Password: x", False),
    ]
    assert [event.kind for event in read_events(await read_all(plain))] == ["log", "end"]


async def test_follow_when_the_supervisor_was_killed_in_mid_line_then_all_bytes_are_told(run: Run) -> None:
    run.write(logged(b"one") + logged(b"par", part=True) + logged(b"tial")[:-3])
    run.end()
    data = await read_all(LogFollower(run.wait_ended).follow(run.run, 0))
    assert text_of(read_events(data)) == b"one\npar" + b"ti"


def start_writing(run: Run, lines: int, seed: int) -> Thread:
    def write() -> None:
        generator = random.Random(seed)
        with run.path.open("ab", buffering=0) as log:
            for number in range(lines):
                text = b"%d \xff %s" % (number, b"x" * generator.choice([0, 10, 200, 3000]))
                data = logged(text, generator.choice(["stdout", "stderr"]), part=generator.random() < 0.1)
                cut = generator.randrange(len(data))
                log.write(data[:cut])
                log.write(data[cut:])

    thread = Thread(target=write)
    thread.start()
    return thread


async def test_follow_when_clients_break_off_at_random_then_resuming_gives_the_file_exactly(run: Run) -> None:
    hub = LogFollower(run.wait_ended)
    writer = start_writing(run, 2000, seed=1)

    async def read_with_breaks(seed: int) -> list[ServerEvent]:
        generator = random.Random(seed)
        events: list[ServerEvent] = []
        while not events or events[-1].kind != "end":
            position = next((event.id for event in reversed(events) if event.id is not None), 0)
            patience = generator.randrange(1, 12)
            async with aclosing(hub.follow(run.run, position)) as stream:
                async for chunk in stream:
                    events.extend(read_events(chunk))
                    patience -= 1
                    if not patience:
                        break
        return events

    readers = [asyncio.create_task(read_with_breaks(seed)) for seed in range(4)]
    await asyncio.to_thread(writer.join)
    run.end()
    results = await asyncio.gather(*readers)
    for events in results:
        for stream in ("stdout", "stderr"):
            wanted = _stream_bytes(run.path.read_bytes(), stream.encode())
            told = text_of(events, "stdout" if stream == "stdout" else "stderr")
            assert hashlib.sha256(told).digest() == hashlib.sha256(wanted).digest()
        ids = [event.id for event in events if event.id is not None]
        assert ids == sorted(set(ids))
    assert open_files(run.path) == 0


def _stream_bytes(data: bytes, stream: bytes) -> bytes:
    lines = [line for line in data.split(b"\n") if line[31:37] == stream]
    return b"".join(line[40:] + (b"" if line[38:39] == b"P" else b"\n") for line in lines)


async def test_follow_when_200_read_one_log_then_all_get_the_same_bytes(run: Run) -> None:
    hub = LogFollower(run.wait_ended)
    writer = start_writing(run, 300, seed=2)
    readers = [asyncio.create_task(read_all(hub.follow(run.run, 0))) for _ in range(200)]
    await asyncio.to_thread(writer.join)
    run.end()
    late = asyncio.create_task(read_all(hub.follow(run.run, 0)))
    streams = {hashlib.sha256(data).digest() for data in await asyncio.gather(*readers, late)}
    assert len(streams) == 1
    assert open_files(run.path) == 0


async def test_follow_when_events_are_no_longer_kept_then_late_readers_get_the_same(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_follower, "CACHE_BYTES", 4096)
    monkeypatch.setattr(os, "preadv", _not_in_memory)
    writer = start_writing(run, 1500, seed=3)
    await asyncio.to_thread(writer.join)
    run.end()
    hub = LogFollower(run.wait_ended)
    first, second = await asyncio.gather(read_all(hub.follow(run.run, 0)), read_all(hub.follow(run.run, 0)))
    assert first == second
    assert text_of(read_events(first), "stderr") == _stream_bytes(run.path.read_bytes(), b"stderr")


def _not_in_memory(*_args: object) -> int:
    raise BlockingIOError(11, "not in the page cache")


async def test_follow_when_lines_come_faster_than_allowed_then_what_is_skipped_is_told_and_can_be_fetched(
    run: Run,
) -> None:
    hub = LogFollower(run.wait_ended, rate=40)
    stream = hub.follow(run.run, 0)
    await anext(stream)
    run.write(b"".join(logged(b"first %d" % number) for number in range(30)))
    data = await read_until(stream, b"first 29")
    run.write(b"".join(logged(b"flood %d" % number) for number in range(5000)))
    data += await read_until(stream, b"flood 4999")
    run.write(logged(b"last"))
    run.end()
    events = list(read_events(data + await read_all(stream)))
    assert sum(event.kind == "log" for event in events) <= 75
    assert sum(event.kind == "skipped" for event in events) >= 1
    assert _with_ranges_fetched(run, events) == run.text()
    assert events[-2].data["line"] == "last"


def _with_ranges_fetched(run: Run, events: list[ServerEvent]) -> bytes:
    log = LogFile(run.path, ended=True)
    pieces: list[bytes] = []
    position = 0
    for event in events:
        if event.kind == "skipped":
            assert event.data["from"] == position
            query = LogQuery(start=event.data["from"], end=event.data["to"])
            pieces.extend(LogText(log, query).chunks())
        else:
            pieces.append(text_of([event]))
        position = event.id if event.id is not None else position
    log.close()
    return b"".join(pieces)


async def test_follow_when_an_ended_log_is_long_then_a_limited_reader_gets_its_end_soon(run: Run) -> None:
    run.write(b"".join(logged(b"%d" % number) for number in range(100_000)))
    run.end()
    started = asyncio.get_running_loop().time()
    ended = logged_run(run.path, status="SUCCESS")
    events = list(read_events(await read_all(LogFollower(run.wait_ended, rate=100).follow(ended, 0))))
    assert asyncio.get_running_loop().time() - started < 5
    assert [event.kind for event in events] == ["skipped"] + ["log"] * (len(events) - 2) + ["end"]
    assert events[-2].data["line"] == "99999"


async def test_follow_when_a_little_over_the_limit_then_it_is_paced_without_a_skip(run: Run) -> None:
    run.write(b"".join(logged(b"%d" % number) for number in range(60)))
    run.end()
    events = list(read_events(await read_all(LogFollower(run.wait_ended, rate=50).follow(run.run, 0))))
    assert [event.kind for event in events] == ["log"] * 60 + ["end"]


async def test_follow_when_the_reader_goes_then_everything_is_released(run: Run) -> None:
    hub = LogFollower(run.wait_ended)
    for _ in range(20):
        stream = hub.follow(run.run, 0)
        await anext(stream)
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.wait([waiting], timeout=0.001)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await stream.aclose()
    assert hub.followed_runs == 0
    assert open_files(run.path) == 0
    assert len(asyncio.all_tasks()) == 1 or all(
        task.cancelling() for task in asyncio.all_tasks() - {asyncio.current_task()}
    )


async def test_close_when_called_then_streams_stop_without_an_end_event(run: Run) -> None:
    hub = LogFollower(run.wait_ended)
    stream = hub.follow(run.run, 0)
    run.write(logged(b"one"))
    data = await read_until(stream, b"one")
    hub.close()
    assert [event.kind for event in read_events(data + await read_all(stream))] == ["log"]
    assert await read_all(hub.follow(run.run, 0)) == b""
    assert open_files(run.path) == 0
