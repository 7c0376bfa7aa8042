from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from fastflow.kit.ids import new_id
from fastflow.testing.http import client_of
from fastflow.testing.logs import logged

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
"""What is asked of files alone; `test_log_events` asks both databases."""
LOG = logged(b"one") + logged(b"tw", part=True) + logged(b"err \xff", "stderr") + logged(b"o") + logged(b"three")


async def test_read_log_when_asked_in_each_form_then_that_form_comes(logs: Any, client: httpx.AsyncClient) -> None:
    path = f"/runs/{logs.add_run(LOG)}/logs"

    async def get(**params: Any) -> bytes:
        answer = await client.get(path, params=params)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        return answer.content

    assert await get() == b"one\nerr \xff\ntwo\nthree\n"
    assert await get(times=True) == LOG
    assert await get(tail=1) == b"three\n"
    assert await get(grep="two") == b"two\n"
    assert await get(stream="stderr") == b"err \xff\n"
    assert await get(**{"from": len(logged(b"one")), "to": len(logged(b"one")) + 1, "times": True}) == logged(
        b"tw", part=True
    )


async def test_read_log_when_a_range_is_asked_for_then_it_is_of_the_form_asked_for(
    logs: Any, client: httpx.AsyncClient
) -> None:
    path = f"/runs/{logs.add_run(LOG)}/logs"
    text = b"one\nerr \xff\ntwo\nthree\n"
    for params, whole in (({}, text), ({"times": "true"}, LOG), ({"grep": "o"}, b"one\ntwo\n")):
        for wanted, cut in (("0-3", whole[0:4]), ("2-", whole[2:]), ("-4", whole[-4:]), ("1-9999", whole[1:])):
            answer = await client.get(path, params=params, headers={"Range": f"bytes={wanted}"})
            assert (answer.status_code, answer.content) == (206, cut)
            first = whole.index(cut) if wanted != "-4" else len(whole) - 4
            assert answer.headers["content-range"] == f"bytes {first}-{first + len(cut) - 1}/{len(whole)}"
    beyond = await client.get(path, headers={"Range": "bytes=9999-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(text)}")
    assert beyond.json()["code"] == "range_not_satisfiable"
    for ignored in ("bytes=5-2", "lines=1-2", "bytes=0-1,3-4", "bytes=-"):
        assert (await client.get(path, headers={"Range": ignored})).status_code == 200


async def test_read_log_when_the_run_has_ended_then_the_etag_guards_ranges(
    logs: Any, client: httpx.AsyncClient
) -> None:
    path = f"/runs/{logs.add_run(LOG)}/logs"
    etag = (await client.get(path)).headers["etag"]
    assert (await client.get(path, headers={"If-None-Match": etag})).status_code == 304
    assert (await client.get(path, params={"times": True}, headers={"If-None-Match": etag})).status_code == 200
    same = await client.get(path, headers={"Range": "bytes=0-0", "If-Range": etag})
    other = await client.get(path, headers={"Range": "bytes=0-0", "If-Range": '"other"'})
    assert (same.status_code, other.status_code) == (206, 200)


async def test_read_log_when_the_run_goes_on_then_polling_from_log_to_gives_each_line_once(
    logs: Any, client: httpx.AsyncClient
) -> None:
    run_id = logs.add_run(logged(b"one") + b"2026-11-2", status="RUNNING")
    first = await client.get(f"/runs/{run_id}/logs")
    assert (first.content, "etag" in first.headers) == (b"one\n", False)
    (logs.logs_dir / f"{run_id}.log").write_bytes(logged(b"one") + logged(b"two"))
    second = await client.get(f"/runs/{run_id}/logs", params={"from": first.headers["log-to"]})
    assert second.content == b"two\n"


async def test_read_log_when_only_headers_are_asked_for_then_there_is_no_body(
    logs: Any, client: httpx.AsyncClient
) -> None:
    run_id = logs.add_run(LOG)
    answer = await client.head(f"/runs/{run_id}/logs", params={"times": True, "download": True})
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", str(len(LOG)))
    assert answer.headers["content-disposition"].startswith(f'attachment; filename="demo-{run_id}.log"')


async def test_read_log_when_there_is_nothing_yet_then_it_is_empty(logs: Any, client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/runs/{logs.add_run(status='PENDING')}/logs")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("place", ["logs", "logs/stream"])
async def test_log_when_retention_removed_it_then_that_and_the_setting_are_told(
    logs: Any, client: httpx.AsyncClient, place: str
) -> None:
    run_id = logs.add_run(log_deleted_at=datetime(2026, 11, 1, tzinfo=UTC))
    answer = await client.get(f"/runs/{run_id}/{place}")
    assert (answer.status_code, answer.json()["code"]) == (404, "log_deleted")
    assert "LOG_RETENTION_DAYS" in answer.json()["hint"]


@pytest.mark.parametrize("place", ["logs", "logs/stream", "artifacts", "artifacts/x"])
async def test_run_when_unknown_or_out_of_scope_then_it_is_refused(make_logs: Callable[..., Any], place: str) -> None:
    logs = make_logs(pipelines=("other",))
    async with client_of(logs.app) as client:
        hidden = await client.get(f"/runs/{logs.add_run(LOG)}/{place}")
        unknown = await client.get(f"/runs/{new_id()}/{place}")
        nonsense = await client.get(f"/runs/nonsense/{place}")
    assert (hidden.status_code, unknown.status_code, nonsense.status_code) == (403, 404, 422)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"from": 10_000}, "from"),
        ({"from": 20, "to": 10}, "to"),
        ({"tail": -1}, "tail"),
        ({"stream": "stdin"}, "stream"),
        ({"grep": ""}, "grep"),
    ],
)
async def test_read_log_when_a_parameter_is_wrong_then_the_field_is_named(
    logs: Any, client: httpx.AsyncClient, params: dict[str, Any], field: str
) -> None:
    answer = await client.get(f"/runs/{logs.add_run(LOG)}/logs", params=params)
    assert (answer.status_code, list(answer.json()["fields"])) == (422, [field])


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Last-Event-ID": "10000"}, "log_offset_beyond_end"),
        ({"Last-Event-ID": "5"}, "log_offset_not_aligned"),
        ({"Last-Event-ID": "x"}, "invalid_last_event_id"),
    ],
)
async def test_stream_when_it_cannot_resume_there_then_it_says_where(
    logs: Any, client: httpx.AsyncClient, headers: dict[str, str], code: str
) -> None:
    answer = await client.get(f"/runs/{logs.add_run(LOG)}/logs/stream", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_openapi_when_made_then_it_holds_every_path(logs: Any) -> None:
    paths = logs.app.openapi()["paths"]
    assert set(paths) >= {
        "/runs/{run_id}/logs",
        "/runs/{run_id}/logs/stream",
        "/logs/live",
        "/logs/stream",
        "/runs/{run_id}/artifacts",
        "/runs/{run_id}/artifacts/{path}",
    }
