"""What agents may send and are told: through the routes, over files in a folder."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fastflow.kernel.executors.port import RunKey
from fastflow.kernel.executors.ray.folders import AttemptFolder, AttemptFolders, Note
from fastflow.kernel.executors.ray.ingest import FENCE_SECONDS, Ingest
from fastflow.kernel.executors.ray.order import digest_of, encrypt
from fastflow.kernel.executors.ray.router import build_router
from fastflow.kernel.http.app import build_app
from fastflow.kit.errors import Unauthenticated

RUN = "019a6c1e-7d4b-7cc0-8000-3f2a1b0c9d8e"
KEY = RunKey(run_id=RUN, token=3)
TOKEN = "the launch's token"
ORDER = {"run_id": RUN, "env": {"TOKEN": "s3cret"}}
MEGABYTE = 1 << 20


class Door:
    """An attempt that was just launched, and a client that speaks as its agent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = 100.0
        self.is_current = True
        self.asked = 0
        self.folders = AttemptFolders(folder)
        self.place: AttemptFolder = self.folders.of(KEY)
        self.log = folder / "run.log"
        self.artifacts = folder / "artifacts"
        self.log.write_bytes(b"a note of the runner's\n")
        self.place.offer(self.note(), encrypt(ORDER, TOKEN))
        self.ingest = Ingest(self.folders, is_current=self._fence, find_uv=lambda: __file__, clock=lambda: self.now)
        app = build_app([build_router(self.ingest)], authenticate=_nobody, max_body_bytes=4 * MEGABYTE)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://server")
        self.token = TOKEN

    def note(self, token: str = TOKEN, **changes: Any) -> Note:
        given: dict[str, Any] = {
            "submission": "fastflow-1",
            "token_digest": digest_of(token),
            "log_path": self.log,
            "artifacts_dir": self.artifacts,
            "log_max_bytes": None,
            "artifacts_max_bytes": 100,
        }
        return Note(**{**given, **changes})

    def _fence(self, run_id: str, token: int) -> bool:
        self.asked += 1
        return self.is_current and (run_id, token) == (RUN, 3)

    async def post(self, what: str, *, attempt: int = 3, token: str | None = None, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return await self.client.post(f"/agent/{RUN}/{attempt}/{what}", headers=headers, **more)

    async def claim(self, nonce: str = "n" * 32, token: str = TOKEN) -> httpx.Response:
        return await self.post(
            "claim", token=token, json={"nonce": nonce, "submission": "fastflow-1", "node": "worker"}
        )

    async def enter(self) -> None:
        self.token = (await self.claim()).json()["token"]
        assert (await self.post("begin")).status_code == 200


def _nobody(_request: Any) -> Any:
    raise Unauthenticated("no user has any business here")


def _code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    opened = Door(tmp_path)
    yield opened
    opened.ingest.close()
    await opened.client.aclose()


# -- the exchange -----------------------------------------------------------------------------------------------------


async def test_claim_when_first_then_order_and_another_token(door: Door) -> None:
    answer = await door.claim()
    assert answer.status_code == 200 and answer.json()["order"] == ORDER
    assert answer.json()["token"] not in ("", TOKEN)
    claim = door.place.claim()
    assert claim is not None and (claim.node, claim.log_base) == ("worker", 23)


async def test_claim_when_its_answer_got_lost_then_the_same_request_gets_it_again(door: Door) -> None:
    assert (await door.claim()).json() == (await door.claim()).json()


async def test_claim_when_somebody_else_was_first_then_refused_and_the_first_goes_on(door: Door) -> None:
    first = (await door.claim("a" * 32)).json()["token"]
    assert _code(await door.claim("b" * 32)) == (409, "order_taken")
    assert (await door.post("begin", token=first)).status_code == 200


async def test_claim_when_the_script_has_begun_then_the_order_is_nowhere_any_more(door: Door) -> None:
    await door.enter()
    assert _code(await door.claim()) == (409, "order_taken")
    assert all(b"s3cret" not in path.read_bytes() for path in door.place.path.rglob("*") if path.is_file())


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x"])
async def test_claim_when_the_token_is_wrong_then_refused(door: Door, token: str) -> None:
    answer = await door.claim(token=token or "-")
    assert _code(answer) == (401, "attempt_token_invalid")
    assert door.place.claim() is None


async def test_claim_when_the_launch_was_offered_anew_then_the_old_token_is_void(door: Door) -> None:
    door.place.offer(door.note("another"), encrypt(ORDER, "another"))
    assert _code(await door.claim()) == (401, "attempt_token_invalid")
    assert (await door.claim(token="another")).status_code == 200


async def test_request_when_without_a_token_then_refused(door: Door) -> None:
    answer = await door.client.post(f"/agent/{RUN}/3/begin")
    assert _code(answer) == (401, "attempt_token_invalid")


@pytest.mark.parametrize("what", ["begin", "log?offset=0", "events?offset=0", "orders"])
async def test_launch_token_when_used_for_anything_but_the_exchange_then_refused(door: Door, what: str) -> None:
    await door.claim()
    assert _code(await door.post(what, token=TOKEN)) == (401, "attempt_token_invalid")


# -- who may go on ------------------------------------------------------------------------------------------------------


async def test_attempt_when_unknown_or_another_then_said(door: Door) -> None:
    await door.enter()
    assert _code(await door.post("log?offset=0", attempt=4, content=b"x")) == (404, "attempt_unknown")
    door.place.remove()
    assert _code(await door.post("log?offset=0", content=b"x")) == (404, "attempt_unknown")


async def test_begin_when_sealed_then_over_and_when_begun_then_it_cannot_be_sealed(door: Door) -> None:
    door.token = (await door.claim()).json()["token"]
    assert door.place.seal() is True
    assert _code(await door.post("begin")) == (409, "attempt_over")


async def test_begin_when_repeated_then_granted_again(door: Door) -> None:
    await door.enter()
    assert (await door.post("begin")).status_code == 200
    assert door.place.seal() is False and door.place.has_begun()


async def test_run_when_it_is_another_attempts_by_now_then_nothing_is_taken(door: Door) -> None:
    await door.enter()
    door.is_current = False
    door.now += FENCE_SECONDS
    assert _code(await door.post("log?offset=0", content=b"x")) == (409, "attempt_over")
    assert door.log.read_bytes() == b"a note of the runner's\n"


async def test_fence_when_asked_often_then_the_database_is_asked_once_in_a_while(door: Door) -> None:
    await door.enter()
    for offset in range(20):
        assert (await door.post(f"log?offset={offset}", content=b"x")).status_code == 200
    assert door.asked == 1
    door.now += FENCE_SECONDS
    await door.post("log?offset=20", content=b"x")
    assert door.asked == 2


# -- streams ------------------------------------------------------------------------------------------------------------


async def test_log_when_sent_in_pieces_then_appended_behind_what_was_there(door: Door) -> None:
    await door.enter()
    assert (await door.post("log?offset=0", content=b"one\n")).json() == {"size": 4}
    assert (await door.post("log?offset=4", content=b"two\n")).json() == {"size": 8}
    assert door.log.read_bytes() == b"a note of the runner's\none\ntwo\n"


async def test_log_when_a_piece_is_repeated_then_it_is_there_once(door: Door) -> None:
    await door.enter()
    await door.post("log?offset=0", content=b"one\n")
    assert (await door.post("log?offset=0", content=b"one\n")).json() == {"size": 4}
    assert door.log.read_bytes().endswith(b"runner's\none\n")


@pytest.mark.parametrize(("offset", "data"), [(5, b"gap"), (2, b"overlap"), (0, b"on")])
async def test_log_when_the_offset_is_wrong_then_the_right_one_is_said(door: Door, offset: int, data: bytes) -> None:
    await door.enter()
    await door.post("log?offset=0", content=b"one\n")
    answer = await door.post(f"log?offset={offset}", content=data)
    assert _code(answer) == (409, "wrong_offset") and answer.json()["offset"] == 4
    assert door.log.read_bytes().endswith(b"runner's\none\n")


async def test_log_when_two_requests_bring_the_same_at_once_then_it_is_there_once(door: Door) -> None:
    await door.enter()
    data = b"line\n" * 20_000
    answers = await asyncio.gather(*(door.post("log?offset=0", content=data) for _ in range(8)))
    assert [answer.json() for answer in answers] == [{"size": len(data)}] * 8
    assert door.log.read_bytes() == b"a note of the runner's\n" + data


async def test_log_when_a_body_exceeds_the_servers_limit_then_refused(door: Door) -> None:
    await door.enter()
    assert _code(await door.post("log?offset=0", content=b"x" * (5 * MEGABYTE))) == (413, "too_large")


async def test_log_when_far_beyond_its_limit_then_its_sender_is_no_agent_of_ours(door: Door) -> None:
    door.place.offer(door.note(log_max_bytes=1000), encrypt(ORDER, TOKEN))
    await door.enter()
    assert (await door.post("log?offset=0", content=b"x" * 1000)).status_code == 200
    assert _code(await door.post("log?offset=1000", content=b"x" * (MEGABYTE + 1))) == (409, "attempt_over")


async def test_events_when_sent_then_they_lie_where_the_runner_reads_them(door: Door) -> None:
    await door.enter()
    await door.post("events?offset=0", content=b'{"at": 1}\n')
    assert (door.place.control / "events.jsonl").read_bytes() == b'{"at": 1}\n'


# -- artifacts ----------------------------------------------------------------------------------------------------------


def _piece(
    path: str, data: bytes, offset: int = 0, end: int | None = None, digest: str | None = None
) -> dict[str, Any]:
    params = {"path": path, "offset": offset, "total": len(data), "sha256": digest or hashlib.sha256(data).hexdigest()}
    return {"params": params, "content": data[offset:end]}


async def test_artifact_when_sent_in_parts_then_it_appears_whole(door: Door) -> None:
    await door.enter()
    data = b"0123456789"
    assert (await door.post("artifacts", **_piece("plots/a.bin", data, 0, 4))).json() == {"size": 4}
    assert not door.artifacts.joinpath("plots").exists()
    assert (await door.post("artifacts", **_piece("plots/a.bin", data, 4))).json() == {"size": 10}
    assert (door.artifacts / "plots" / "a.bin").read_bytes() == data
    assert (await door.post("artifacts", **_piece("plots/a.bin", data, 4))).json() == {"size": 10}


async def test_artifact_when_empty_then_kept(door: Door) -> None:
    await door.enter()
    assert (await door.post("artifacts", **_piece("empty", b""))).json() == {"size": 0}
    assert (door.artifacts / "empty").read_bytes() == b""


@pytest.mark.parametrize(
    "path",
    ["../out", "a/../../out", "/etc/cron.d/x", "a//b", ".", "a/.", "x" * 300, "a\nb", "/".join("d" * 40), "a\0b"],
)
async def test_artifact_when_its_path_leads_elsewhere_then_refused(door: Door, path: str) -> None:
    await door.enter()
    answer = await door.post("artifacts", **_piece(path, b"x"))
    assert answer.status_code == 422
    assert sorted(path.name for path in door.folder.iterdir()) in (["ray", "run.log"], ["artifacts", "ray", "run.log"])
    assert not door.artifacts.exists() or list(door.artifacts.iterdir()) == []


async def test_artifact_when_damaged_on_the_way_then_refused_and_may_be_sent_again(door: Door) -> None:
    await door.enter()
    assert _code(await door.post("artifacts", **_piece("a", b"damaged", digest="0" * 64))) == (422, "artifact_refused")
    assert (await door.post("artifacts", **_piece("a", b"as it was"))).json() == {"size": 9}


async def test_artifacts_when_too_large_together_then_refused_and_earlier_ones_stay(door: Door) -> None:
    await door.enter()
    assert (await door.post("artifacts", **_piece("a", b"x" * 60))).status_code == 200
    assert _code(await door.post("artifacts", **_piece("b", b"x" * 60))) == (413, "artifacts_too_large")
    assert _code(await door.post("artifacts", **_piece("c", b"x" * 10, end=20) | {"content": b"x" * 30})) == (
        422,
        "artifact_refused",
    )
    assert [path.name for path in door.artifacts.iterdir()] == ["a"]


async def test_artifacts_when_begun_and_never_ended_then_they_count_as_well(door: Door) -> None:
    await door.enter()
    assert (await door.post("artifacts", **_piece("a", b"x" * 90, 0, 40))).json() == {"size": 40}
    assert (await door.post("artifacts", **_piece("b", b"x" * 60, 0, 40))).json() == {"size": 40}
    assert _code(await door.post("artifacts", **_piece("c", b"x" * 60, 0, 1))) == (413, "artifacts_too_large")
    assert (await door.post("artifacts", **_piece("b", b"x" * 60, 40))).json() == {"size": 60}
    assert _code(await door.post("artifacts", **_piece("a", b"x" * 90, 40))) == (413, "artifacts_too_large")
    assert (await door.post("artifacts", **_piece("d", b"x" * 40))).json() == {"size": 40}
    assert sorted(path.name for path in door.artifacts.iterdir()) == ["b", "d"]


async def test_artifacts_when_the_server_was_started_anew_then_what_is_there_counts_still(door: Door) -> None:
    await door.enter()
    await door.post("artifacts", **_piece("a", b"x" * 60))
    door.ingest._shelves.clear()
    assert _code(await door.post("artifacts", **_piece("b", b"x" * 60))) == (413, "artifacts_too_large")


@pytest.mark.parametrize(("first", "second"), [("a", "a/b"), ("a/b", "a")])
async def test_artifact_when_another_stands_in_its_way_then_refused_and_room_is_given_back(
    door: Door, first: str, second: str
) -> None:
    await door.enter()
    await door.post("artifacts", **_piece(first, b"x" * 40))
    assert _code(await door.post("artifacts", **_piece(second, b"y" * 50))) == (422, "artifact_refused")
    assert (await door.post("artifacts", **_piece("c", b"z" * 60))).json() == {"size": 60}


# -- the end and the wish for it ------------------------------------------------------------------------------------------

RECORD = {"reason": "exit", "reason_text": "it failed", "exit_code": 3, "started_at": 1.0, "finished_at": 2.0}


async def test_exit_when_something_is_missing_then_it_is_said_what_and_else_taken_once(door: Door) -> None:
    await door.enter()
    await door.post("log?offset=0", content=b"one\n")
    missing = await door.post("exit", json={"record": RECORD, "log": 9, "events": 0})
    assert _code(missing) == (409, "wrong_offset") and missing.json()["stream"] == "log"
    missing = await door.post("exit", json={"record": RECORD, "log": 4, "events": 7})
    assert missing.json()["stream"] == "events" and missing.json()["offset"] == 0
    assert (await door.post("exit", json={"record": RECORD, "log": 4, "events": 0})).status_code == 200
    told = door.place.get("exit")
    assert told is not None and told["exit_code"] == 3
    assert _code(await door.post("exit", json={"record": RECORD, "log": 4, "events": 0})) == (409, "attempt_over")


async def test_exit_when_the_runner_gave_the_run_up_before_then_its_word_stands(door: Door) -> None:
    await door.enter()
    door.place.put("exit", {**RECORD, "reason": "lost"})
    assert _code(await door.post("exit", json={"record": RECORD, "log": 0, "events": 0})) == (409, "attempt_over")
    told = door.place.get("exit")
    assert told is not None and told["reason"] == "lost"


@pytest.mark.parametrize(
    "change",
    [
        {"reason": "because"},
        {"finished_at": -1},
        {"exit_code": "0x"},
        {"finished_at": 1e300},
        {"isolation": {"node": "x" * 30_000}},
    ],
)
async def test_exit_when_it_makes_no_sense_then_refused(door: Door, change: dict[str, Any]) -> None:
    await door.enter()
    answer = await door.post("exit", json={"record": {**RECORD, **change}, "log": 0, "events": 0})
    assert answer.status_code == 422 and door.place.get("exit") is None


async def test_orders_when_nothing_is_wanted_then_held_for_as_long_as_asked(door: Door) -> None:
    await door.enter()
    assert (await door.post("orders?seen=0&wait=0")).json() == {}
    assert (await door.post("orders?seen=0&wait=0.05")).json() == {}


async def test_orders_when_the_run_shall_stop_then_who_waits_is_told_at_once_and_once(door: Door) -> None:
    await door.enter()
    waiting = asyncio.create_task(door.post("orders?seen=0&wait=20"))
    await asyncio.sleep(0.05)
    door.place.ask_stop("cancelled", "by anna", 5.0)
    async with asyncio.timeout(5):
        told = (await waiting).json()["stop"]
    assert told == {"seq": 1, "reason": "cancelled", "reason_text": "by anna", "grace": 5.0}
    assert (await door.post("orders?seen=1&wait=0")).json() == {}
    door.place.ask_stop("cancelled", "now", 0.0)
    assert (await door.post("orders?seen=1&wait=0")).json()["stop"]["grace"] == 0.0


async def test_orders_when_the_server_stops_then_who_waits_is_let_go(door: Door) -> None:
    await door.enter()
    waiting = asyncio.create_task(door.post("orders?seen=0&wait=20"))
    await asyncio.sleep(0.05)
    door.ingest.close()
    async with asyncio.timeout(5):
        assert (await waiting).json() == {}


async def test_facts_when_told_twice_then_the_first_stays(door: Door) -> None:
    await door.enter()
    await door.post("started", json={"at": 5.0, "isolation": {"node": "worker"}})
    await door.post("started", json={"at": 6.0, "isolation": {}})
    told = door.place.get("started")
    assert told is not None and told["at"] == 5.0


async def test_uv_when_a_node_has_none_then_the_servers_own(door: Door) -> None:
    await door.enter()
    answer = await door.client.get(f"/agent/{RUN}/3/uv", headers={"Authorization": f"Bearer {door.token}"})
    assert b"those who have none" in answer.content  # those who have none: this file stands in for uv
    refused = await door.client.get(f"/agent/{RUN}/3/uv", headers={"Authorization": f"Bearer {TOKEN}"})
    assert _code(refused) == (401, "attempt_token_invalid")
