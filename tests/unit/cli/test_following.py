"""A followed log is whole and has nothing twice, whatever happens to the connection."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from fastflow.cli import following
from fastflow.cli.client import Api
from fastflow.cli.errors import ServerProblem, ServerUnreachable
from fastflow.cli.following import ByteSink, LogFollower

RUN = "019a6c1e-7d4b-7cc0-8000-3f2a1b0c9d8e"


def event(kind: str, event_id: int | None = None, **data: Any) -> bytes:
    head = f"event: {kind}\n" + (f"id: {event_id}\n" if event_id is not None else "")
    return f"{head}data: {json.dumps(data)}\n\n".encode()


def line(event_id: int, text: str, stream: str = "stdout", **more: Any) -> bytes:
    return event("log", event_id, ts="t", stream=stream, line=text, **more)


END = event("end", status="SUCCESS", reason=None, exit_code=0)


class Broken(httpx.AsyncByteStream):
    """A body that breaks off."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._data
        raise httpx.ReadError("the connection broke")


class Server:
    """Answers each request for the stream with the next of the scripted bodies."""

    def __init__(self, *answers: httpx.Response | bytes | Exception, file: bytes = b"") -> None:
        self.answers = list(answers)
        self.file = file
        self.asked: list[dict[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == f"/runs/{RUN}/logs":
            start, end = int(request.url.params["from"]), int(request.url.params["to"])
            return httpx.Response(200, content=self.file[start:end])
        self.asked.append(dict(request.url.params))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, content=answer)


class Output:
    def __init__(self, wants: Callable[[bytes], bool] | None = None) -> None:
        self.stdout, self.stderr, self.notes = bytearray(), bytearray(), list[str]()
        self.sink = ByteSink(self.stdout.extend, self.stderr.extend, wants=wants, on_note=self.notes.append)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "FIRST_RETRY_SECONDS", 0.0)


def follow(server: Server, output: Output, **options: Any) -> dict[str, Any]:
    client = httpx.AsyncClient(transport=httpx.MockTransport(server), base_url="http://test")
    with Api(client, asyncio.Runner()) as api:
        return api.run(LogFollower(api, RUN, output.sink, **options).follow())


def test_follow_when_all_goes_well_then_streams_are_kept_apart_and_the_end_is_told() -> None:
    output = Output()
    end = follow(Server(line(10, "one") + line(20, "two", "stderr") + line(30, "three") + END), output)
    assert (bytes(output.stdout), bytes(output.stderr)) == (b"one\nthree\n", b"two\n")
    assert end == {"status": "SUCCESS", "reason": None, "exit_code": 0}


def test_follow_when_the_connection_breaks_then_it_resumes_after_the_last_event() -> None:
    broken = httpx.Response(200, stream=Broken(line(10, "one") + line(20, "two")))
    server = Server(broken, httpx.ConnectError("refused"), line(30, "three") + END)
    output = Output()
    follow(server, output, tail=100)
    assert bytes(output.stdout) == b"one\ntwo\nthree\n"
    assert server.asked[0]["tail"] == "100"
    assert [(asked.get("tail"), asked.get("since")) for asked in server.asked[1:]] == [(None, "20"), (None, "20")]


def test_follow_when_the_server_is_being_started_again_then_it_waits() -> None:
    problem = httpx.Response(503, json={"code": "unavailable", "detail": "starting"})
    output = Output()
    follow(Server(problem, line(10, "one") + END), output)
    assert bytes(output.stdout) == b"one\n"


def test_follow_when_the_stream_ends_without_an_end_then_it_asks_again() -> None:
    output = Output()
    follow(Server(line(10, "one"), line(20, "two") + END), output)
    assert bytes(output.stdout) == b"one\ntwo\n"


def test_follow_when_the_api_refuses_then_its_problem_is_raised() -> None:
    problem = httpx.Response(404, json={"code": "unknown_run", "detail": "There is no run.", "hint": "Look."})
    with pytest.raises(ServerProblem) as caught:
        follow(Server(problem), Output())
    assert (caught.value.code, caught.value.hint) == ("unknown_run", "Look.")


def test_follow_when_the_server_stays_away_then_it_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "GIVE_UP_SECONDS", -1.0)
    with pytest.raises(ServerUnreachable):
        follow(Server(httpx.ConnectError("refused")), Output())


def test_follow_when_lines_were_skipped_then_they_are_fetched_from_the_file() -> None:
    file = b"".join(
        b"2026-11-21T04:35:18.123456789Z %s %s %s\n" % (stream, tag, text)
        for stream, tag, text in [(b"stdout", b"F", b"one"), (b"stdout", b"P", b"tw"), (b"stderr", b"F", b"\xff")]
    )
    more = b"2026-11-21T04:35:18.123456789Z stdout F o\n"
    whole = file + more
    skipped = event("skipped", len(whole), **{"from": 0, "to": len(whole)})
    output = Output()
    follow(Server(skipped + line(len(whole) + 50, "three") + END, file=whole), output)
    assert (bytes(output.stdout), bytes(output.stderr)) == (b"one\ntwo\nthree\n", b"\xff\n")


def test_follow_when_text_is_no_utf8_then_its_bytes_are_kept() -> None:
    raw = b"caf\xe9 \x1b[31m"
    output = Output()
    follow(Server(line(10, "caf\ufffd", b64=base64.b64encode(raw).decode()) + END), output)
    assert bytes(output.stdout) == raw + b"\n"


def test_follow_when_the_last_line_has_no_newline_then_none_is_added() -> None:
    output = Output()
    follow(Server(line(10, "one") + line(20, "no newline", partial=True) + END), output)
    assert bytes(output.stdout) == b"one\nno newline"


def test_follow_when_a_line_is_shown_before_its_end_then_its_text_comes_once() -> None:
    preview = event("unfinished", stream="stdout", line="Name? ") + event("unfinished", stream="stdout", line="Ada")
    output = Output()
    follow(Server(preview + line(40, "Name? Ada Lovelace") + line(50, "next") + END), output)
    assert bytes(output.stdout) == b"Name? Ada Lovelace\nnext\n"


def test_follow_when_the_connection_breaks_inside_a_line_then_its_text_comes_once() -> None:
    broken = httpx.Response(200, stream=Broken(event("unfinished", stream="stdout", line="50 %")))
    again = event("unfinished", stream="stdout", line="50 %") + event("unfinished", stream="stdout", line=" 60 %")
    output = Output()
    follow(Server(broken, again + line(40, "50 % 60 % done") + END), output)
    assert bytes(output.stdout) == b"50 % 60 % done\n"


def test_follow_when_parts_of_a_long_line_come_one_by_one_then_previews_are_not_repeated() -> None:
    previews = event("unfinished", stream="stdout", line="aaaa") + event("unfinished", stream="stdout", line="bbbb")
    output = Output()
    follow(Server(previews + line(10, "aaaa", partial=True) + line(20, "bbbbcc") + END), output)
    assert bytes(output.stdout) == b"aaaabbbbcc\n"


def test_follow_when_only_some_lines_are_wanted_then_previews_are_left_out() -> None:
    output = Output(wants=lambda text: b"error" in text)
    preview = event("unfinished", stream="stdout", line="an err")
    follow(Server(line(10, "fine") + preview + line(20, "an error") + END), output)
    assert bytes(output.stdout) == b"an error\n"


def test_sink_when_streams_alternate_then_they_are_written_in_that_order() -> None:
    written: list[bytes] = []
    sink = ByteSink(written.append, written.append, on_note=lambda _text: None)
    for stream, text in [("stdout", b"1"), ("stdout", b"2"), ("stderr", b"3"), ("stdout", b"4")]:
        sink.write(stream, text, complete=True)
    sink.flush()
    assert written == [b"1\n2\n", b"3\n", b"4\n"]
