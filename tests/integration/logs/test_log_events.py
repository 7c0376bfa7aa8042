import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import insert

from fastflow.kernel.runs.infra.rows import EVENT
from fastflow.kernel.runs.infra.run_ends import RunEnds
from fastflow.kit.errors import NotFound, Unavailable
from fastflow.kit.ids import new_id
from fastflow.testing.logs import ServerEvent, logged, read_events

NOW = datetime(2026, 11, 21, 4, 35, tzinfo=UTC)
LOG = logged(b"one") + logged(b"tw", part=True) + logged(b"err \xff", "stderr") + logged(b"o") + logged(b"three")


async def read_until(stream: AsyncGenerator[bytes, None], count: int) -> list[ServerEvent]:
    data = b""
    while len(found := list(read_events(data))) < count:
        data += await anext(stream)
    return found


async def test_feed_when_runs_tell_things_then_each_comes_once_in_order_and_resumes(logs: Any) -> None:
    first, second = logs.add_run(status="RUNNING"), logs.add_run(status="RUNNING", pipeline="other")
    logs.tell(first, "state", status="RUNNING")
    logs.tell(second, "progress", progress=0.5)
    async with aclosing(logs.service.listen(logs.actor, since=0)) as stream:
        old = await read_until(stream, 2)
        await asyncio.to_thread(logs.tell, first, "metric", auc=0.81)
        logs.service.notify()
        new = await read_until(stream, 1)
    assert [(event.kind, event.data["run_id"], event.data["data"]) for event in old + new] == [
        ("state", first, {"status": "RUNNING"}),
        ("progress", second, {"progress": 0.5}),
        ("metric", first, {"auc": 0.81}),
    ]
    assert old[0].data["at"] == "2026-11-21T04:35:00Z"
    async with aclosing(logs.service.listen(logs.actor, since=old[0].id)) as stream:
        assert [event.id for event in await read_until(stream, 2)] == [old[1].id, new[0].id]


async def test_feed_when_nobody_signals_then_the_poll_finds_what_is_new(logs: Any) -> None:
    run_id = logs.add_run(status="RUNNING")
    logs.tell(run_id, "note", text="before")
    async with aclosing(logs.service.listen(logs.actor, since=None)) as stream:
        assert await anext(stream) == b"retry: 1000\n\n"
        await asyncio.to_thread(logs.tell, run_id, "note", text="after")
        assert [event.data["data"] for event in await read_until(stream, 1)] == [{"text": "after"}]


async def test_feed_when_the_actor_is_limited_then_only_their_runs_and_kinds_are_told(
    make_logs: Callable[..., Any],
) -> None:
    logs = make_logs(pipelines=("mine",))
    mine, theirs = logs.add_run(pipeline="mine"), logs.add_run(pipeline="theirs")
    logs.tell(theirs, "state", secret="not for you")
    logs.tell(mine, "sample", cpu=1)
    logs.tell(mine, "state", status="SUCCESS")
    async with aclosing(logs.service.listen(logs.actor, since=0, kinds=["state"])) as stream:
        assert [event.data["run_id"] for event in await read_until(stream, 1)] == [mine]


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_feed_when_a_lower_id_is_committed_later_then_it_is_not_missed(logs: Any) -> None:
    run_id = logs.add_run(status="RUNNING")
    async with aclosing(logs.service.listen(logs.actor, since=None)) as stream:
        await anext(stream)
        with logs.database.write() as slow:
            slow.execute(insert(EVENT).values(run_id=run_id, at=NOW, kind="note", data={"n": 1}))
            await asyncio.to_thread(logs.tell, run_id, "note", n=2)
            logs.service.notify()
            waiting = asyncio.ensure_future(read_until(stream, 2))
            done, _ = await asyncio.wait([waiting], timeout=0.6)
            assert not done
        assert [event.data["data"]["n"] for event in await waiting] == [1, 2]


async def test_stream_when_the_row_says_the_end_then_the_stream_ends(logs: Any) -> None:
    run_id = logs.add_run(LOG, status="RUNNING")
    stream = await logs.service.follow_log(logs.actor, run_id, since=None)
    found = await read_until(stream, 4)
    await asyncio.to_thread(logs.append, run_id, logged(b"last"))
    await asyncio.to_thread(logs.set_run, run_id, status="FAILED", reason="oom", exit_code=-9)
    logs.service.notify()
    found += list(read_events(b"".join([chunk async for chunk in stream])))
    assert [event.data.get("line") for event in found[:-1]] == ["one", "tw", "err \ufffd", "o", "three", "last"]
    assert found[-1].data == {"status": "FAILED", "reason": "oom", "exit_code": -9}


async def test_stream_when_it_begins_at_the_tail_then_only_the_last_lines_come(logs: Any) -> None:
    run_id = logs.add_run(LOG)
    stream = await logs.service.follow_log(logs.actor, run_id, since=None, tail=1)
    found = list(read_events(b"".join([chunk async for chunk in stream])))
    assert [(event.kind, event.data.get("line")) for event in found] == [("log", "three"), ("end", None)]


async def test_wait_when_many_wait_then_each_gets_its_own_run(logs: Any) -> None:
    ids = [logs.add_run(status="RUNNING") for _ in range(5)]
    waiting = [asyncio.ensure_future(logs.service._ends.wait_ended(run_id)) for run_id in ids]
    for run_id in ids:
        await asyncio.to_thread(logs.set_run, run_id, status="SUCCESS")
        logs.service.notify()
    assert [run.id for run in await asyncio.gather(*waiting)] == ids
    with pytest.raises(NotFound):
        await logs.service._ends.wait_ended(new_id())


async def test_wait_when_the_database_is_away_for_a_while_then_the_wait_goes_on(logs: Any) -> None:
    run_id = logs.add_run()
    runs = logs.service._runs
    left = [Unavailable("The database does not answer.")]

    def find_ended(run_ids: Any) -> Any:
        if left:
            raise left.pop()
        return runs.find_ended(run_ids)

    ends = RunEnds(find_ended, runs.find, poll=0.01)
    assert (await ends.wait_ended(run_id)).id == run_id


async def test_live_when_runs_run_then_their_last_lines_are_shown(logs: Any, client: httpx.AsyncClient) -> None:
    logs.add_run(LOG)
    older = logs.add_run(LOG, status="RUNNING")
    newer = logs.add_run(status="RUNNING")
    items = (await client.get("/logs/live", params={"lines": 2})).json()["items"]
    assert [(item["run_id"], [line["line"] for line in item["lines"]]) for item in items] == [
        (newer, []),
        (older, ["two", "three"]),
    ]


async def test_live_when_one_job_is_polled_then_its_lines_and_ids_are_those_of_the_stream(
    logs: Any, client: httpx.AsyncClient
) -> None:
    other = logs.add_run(LOG, status="RUNNING")
    log = b"".join(
        logged(b"%d \xff" % number if number % 5 == 0 else b"%d \xc3\xa4" % number, part=number % 7 == 0)
        for number in range(2000)
    )
    run_id = logs.add_run(log, status="RUNNING")
    polled, since = [], 0

    async def poll() -> str:
        nonlocal since
        while True:
            answer = (await client.get("/logs/live", params={"job_id": run_id, "since": since, "lines": 77})).json()
            (item,) = answer["items"]
            assert item["run_id"] == run_id != other
            polled.extend(item["lines"])
            if answer["next_since"] == since:
                return str(item["status"])
            since = answer["next_since"]

    assert await poll() == "RUNNING"
    logs.append(run_id, logged(b"half", part=True))
    logs.set_run(run_id, status="SUCCESS", exit_code=0)
    assert await poll() == "SUCCESS"
    for path in (f"/runs/{run_id}/logs/stream", f"/logs/stream?job_id={run_id}"):
        events = list(read_events((await client.get(path)).content))
        assert events[-1].kind == "end"
        told = [(event.id, event.data["ts"], event.data["line"], event.data.get("b64")) for event in events[:-1]]
        assert told == [(line["id"], line["ts"], line["line"], line["b64"]) for line in polled]
    ids = [line["id"] for line in polled]
    assert ids == sorted(set(ids))

    resumed = await client.get(f"/logs/stream?job_id={run_id}", headers={"Last-Event-ID": str(ids[-3])})
    assert [event.id for event in read_events(resumed.content)] == [*ids[-2:], None]
    last = (await client.get("/logs/live", params={"job_id": run_id, "lines": 2})).json()
    assert [line["id"] for line in last["items"][0]["lines"]] == ids[-2:]
    assert polled[-1]["partial"] is True


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("/logs/live?since=3", 422, "since"),
        ("/logs/live?job_id=nonsense", 422, "job_id"),
        ("/logs/stream?job_id={run}&kind=state", 422, "kind"),
        ("/logs/live?job_id={run}&since=1", 422, "since"),
        ("/logs/live?job_id={run}&since=99999", 422, "since"),
        ("/logs/live?job_id=0199aaaa-0000-7000-8000-000000000000", 404, "run_id"),
        ("/logs/stream?job_id=0199aaaa-0000-7000-8000-000000000000", 404, "run_id"),
    ],
)
async def test_filter_by_job_when_it_cannot_be_then_the_field_is_named(
    logs: Any, client: httpx.AsyncClient, path: str, status: int, field: str
) -> None:
    answer = await client.get(path.format(run=logs.add_run(LOG)))
    assert (answer.status_code, list(answer.json()["fields"])) == (status, [field])


async def test_artifacts_when_stored_then_they_are_listed_and_fetched(logs: Any, client: httpx.AsyncClient) -> None:
    run_id = logs.add_run()
    folder = logs.artifacts_dir / run_id / "sub dir"
    folder.mkdir(parents=True)
    (folder / "täble.csv").write_bytes(b"a,b\n1,2\n")
    (folder / "secret").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe")
    logs.store_artifacts(run_id)
    [item] = (await client.get(f"/runs/{run_id}/artifacts")).json()["items"]
    assert (item["path"], item["size_bytes"]) == ("sub dir/täble.csv", 8)
    answer = await client.get(item["url"])
    assert (answer.status_code, answer.content, answer.headers["x-content-type-options"]) == (
        200,
        b"a,b\n1,2\n",
        "nosniff",
    )
    assert answer.headers["content-disposition"].endswith("filename*=UTF-8''t%C3%A4ble.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    part = await client.get(item["url"], headers={"Range": "bytes=4-", "If-Range": answer.headers["etag"]})
    assert (part.status_code, part.content) == (206, b"1,2\n")
    for trick in ("sub dir/secret", "../" + run_id, "sub%20dir/..%2f..%2f..%2fetc/passwd", "sub dir/pipe", ""):
        assert (await client.get(f"/runs/{run_id}/artifacts/{trick}")).status_code == 404
    (folder / "täble.csv").unlink()
    (folder / "täble.csv").symlink_to("/etc/passwd")
    gone = await client.get(item["url"])
    assert (gone.status_code, gone.json()["code"]) == (404, "artifact_deleted")
