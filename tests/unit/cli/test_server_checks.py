"""`fastflow doctor` over the network tells a server's health in the words of a machine's."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from fastflow.cli.client import Api
from fastflow.cli.server_checks import check_server
from fastflow.findings import Finding

PROCESS = {
    "run_user": 64900,
    "namespaces": ["user", "mount", "pid", "ipc", "network"],
    "memory_limit": "cgroup",
    "pids_limit": "cgroup",
    "cpu_limit": "cgroup",
}
PARTS: dict[str, Any] = {
    "database": {"ok": True, "kind": "sqlite", "schema": "0001"},
    "disk": {"ok": True, "free_bytes": {"DATA_DIR": 2**30, "LOGS_DIR": 2**31}},
    "runner": {
        "ok": True,
        "last_seen_at": "2026-11-21T04:35:18+00:00",
        "silent_seconds": 0.4,
        "executors": {"process": PROCESS},
    },
}
WITH_SCHEDULER: dict[str, Any] = {**PARTS, "scheduler": {"ok": True, "schedules": 0, "paused": False}}
SCHEDULER: dict[str, Any] = {"schedules": 0, "next_fire_at": None, "troubled": [], "pauses": []}
FAULT = {"pipeline": "bad", "severity": "error"}


def check(
    parts: dict[str, Any] | None, faults: list[dict[str, Any]] | None = None, under_way: Sequence[str] = ()
) -> dict[str, Finding]:
    health = {"status": "ok"} if parts is None else {"status": "ok", "version": "1.2", "parts": parts}
    pipelines = {"items": [{"name": "bad", "faults": faults or []}]}
    runs = {"items": [{"pipeline_name": name} for name in under_way]}

    empty: dict[str, Any] = {"items": []}
    answers = {
        "/health": health, "/pipelines": pipelines, "/channels": empty, "/alerts/rules": empty, "/notifications": empty,
        "/runs": runs,
    }  # fmt: skip
    if parts and "scheduler" in parts:
        answers["/scheduler"] = SCHEDULER

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=answers[request.url.path])

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://server:8000")
    with Api(client, asyncio.Runner()) as api:
        findings = check_server(api)
    names = [finding.name for finding in findings]
    assert len(names) == len(set(names)), "each thing is told once"
    return {finding.name: finding for finding in findings}


def test_check_server_when_a_folder_went_with_runs_under_way_then_it_is_warned_of() -> None:
    assert "runs" not in check(PARTS, under_way=["bad"])
    found = check(PARTS, under_way=["bad", "gone"])["runs"]
    assert found.level == "warning"
    assert found.text == "2 runs under way of pipelines that are not there any more: gone"


def test_check_server_when_the_engine_lacks_the_image_then_it_is_told_with_both_ways_to_get_one() -> None:
    engine = {"ok": True, "version": "28.2", "image": "mine:1", "image_here": False, "pool": {}}
    found = check({**PARTS, "engine": engine})["engine"]
    assert (found.level, found.text) == ("warning", "version 28.2, without the image mine:1")
    assert "pulled at the first run" in found.remedy and "make worker-image" in found.remedy
    assert check({**PARTS, "engine": {**engine, "image_here": True}})["engine"].level == "ok"


def test_check_server_when_an_executor_was_not_reached_then_it_is_not_told_as_one_of_the_others() -> None:
    executors = {"process": PROCESS, "docker": {"reachable": False, "why": "not asked yet"}}
    found = check({**PARTS, "runner": {**PARTS["runner"], "executors": executors}})
    assert found["runner"].text.endswith("; executors: process; not reached: docker (not asked yet)")
    containers = found["containers"]
    assert (containers.level, containers.text) == ("note", "the container engine is not reached: not asked yet")


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"is_compared": True}, "agrees with those of the runners"),
        (
            {"is_compared": True, "database_skew_seconds": -0.02},
            "agrees with those of the runners, 0.02 s from the database's",
        ),
        ({"is_compared": False}, "not compared with others: the database does not answer"),
    ],
)
def test_check_server_when_clocks_were_compared_then_it_is_told_in_words(part: dict[str, Any], text: str) -> None:
    assert check({**PARTS, "clock": {"ok": True, **part}})["clock"].text == text


def test_check_server_when_all_is_well_then_every_part_is_told_in_words() -> None:
    found = check(WITH_SCHEDULER)
    assert {finding.level for finding in found.values()} == {"ok"}
    assert found["server"].text == "http://server:8000, version 1.2, ok"
    assert found["database"].text == "SQLite, schema 0001"
    assert found["disk"].text == "DATA_DIR has 1.0 GB free, LOGS_DIR has 2.0 GB free"
    assert found["runner"].text.startswith("last heard of 400 ms ago; ")
    assert set(found) == {
        "server",
        "database",
        "disk",
        "runner",
        "isolation",
        "limits",
        "pipelines",
        "shipped pipelines",
        "schedules",
        "alerts",
    }
    assert not any(mark in finding.text for finding in found.values() for mark in "{}[]")


def test_check_server_when_the_server_tells_of_no_scheduler_then_it_is_not_asked_for_one() -> None:
    assert "schedules" not in check(PARTS)


def test_check_server_when_the_scheduler_fails_then_one_fault_with_its_words() -> None:
    late = {"ok": False, "problem": "No scheduler has handled a due time.", "hint": "Start it."}
    found = check({**PARTS, "scheduler": late})
    assert (found["scheduler"].level, found["scheduler"].text) == ("fault", late["problem"])
    assert "schedules" not in found


def test_check_server_when_a_part_fails_then_a_fault_with_its_remedy() -> None:
    broken = {
        **PARTS,
        "database": {"ok": False, "problem": "It is away.", "hint": "Start it."},
        "disk": {"ok": False, "free_bytes": {"DATA_DIR": 5}},
        "queue": {"ok": False, "length": 3},
    }
    found = check(broken, [FAULT, FAULT])
    assert [(found[name].level, found[name].text) for name in ("database", "disk", "queue", "pipelines")] == [
        ("fault", "It is away."),
        ("fault", "DATA_DIR has 5 B free"),
        ("fault", "length 3"),
        ("fault", "http://server:8000, 2 faults in bad"),
    ]
    assert found["database"].remedy == "Start it."
    assert found["disk"].remedy


def test_check_server_when_it_does_not_know_us_then_the_token_is_at_fault() -> None:
    found = check(None)
    assert found["token"].level == "fault"
    assert "FASTFLOW_TOKEN" in found["token"].remedy


@pytest.mark.parametrize("silent", [20.0, 90.0])
def test_check_server_when_the_runner_is_silent_then_a_fault(silent: float) -> None:
    runner = {**PARTS["runner"], "ok": False, "silent_seconds": silent}
    assert check({**PARTS, "runner": runner})["runner"].level == "fault"
