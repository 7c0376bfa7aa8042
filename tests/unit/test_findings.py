from typing import Any

import pytest

from fastflow.findings import Finding, Level, judge_executor, judge_part

WELL = {
    "run_user": 64900,
    "namespaces": ["user", "mount", "pid", "ipc", "network"],
    "memory_limit": "cgroup",
    "pids_limit": "cgroup",
    "cpu_limit": "cgroup",
}


@pytest.mark.parametrize(("level", "ok"), [("ok", True), ("note", True), ("warning", False), ("fault", False)])
def test_finding_when_shown_as_json_then_it_says_whether_it_is_well(level: Level, ok: bool) -> None:
    assert Finding(name="x", level=level, text="y").as_json() == {
        "name": "x",
        "level": level,
        "text": "y",
        "remedy": "",
        "ok": ok,
    }


@pytest.mark.parametrize(
    ("told", "name", "level", "said"),
    [
        (WELL, "isolation", "ok", ""),
        (WELL, "limits", "ok", ""),
        ({**WELL, "namespaces": ["pid"], "missing": {"mount": "no right"}}, "isolation", "warning", "mount: no right"),
        ({**WELL, "namespaces": []}, "isolation", "warning", "user namespaces"),
        ({**WELL, "memory_limit": "rlimit", "cgroup_why": "read-only"}, "limits", "warning", "read-only"),
    ],
)
def test_judge_executor_when_something_is_missing_then_a_warning_with_its_reason(
    told: dict[str, Any], name: str, level: Level, said: str
) -> None:
    found = next(finding for finding in judge_executor(told) if finding.name == name)
    assert found.level == level
    assert said in found.remedy


def test_judge_executor_when_all_is_in_force_then_told_in_words() -> None:
    isolation, limits = judge_executor({**WELL, "landlock": True})
    assert isolation.text == (
        "runs act as user 64900, each with files, processes, shared memory and network of its own "
        "(namespaces: user, mount, pid, ipc, network; Landlock)"
    )
    assert limits.text == "enforced on runs: memory by cgroup, pids by cgroup, cpu by cgroup"
    loose = judge_executor({**WELL, "namespaces": ["pid"], "memory_limit": "rlimit", "cpu_limit": "none"})
    assert "each with processes of its own (namespaces: pid); missing: mount" in loose[0].text
    assert loose[1].text == "enforced on runs: memory by rlimit, pids by cgroup; not enforced: cpu"


NODES = [{"ip": "a", "cpus": 2, "memory_bytes": 2**30}, {"ip": "b", "cpus": 2.0, "memory_bytes": 2**30}]


@pytest.mark.parametrize(
    ("name", "part", "text"),
    [
        ("scheduler", {"schedules": 1, "next_fire_at": None, "paused": False}, "1 schedule"),
        (
            "scheduler",
            {"schedules": 2, "next_fire_at": "2026-11-22T05:00:00+01:00", "paused": True},
            "2 schedules, next due 2026-11-22 04:00:00 UTC; all are paused",
        ),
        (
            "engine",
            {"version": "28", "image": "mine:1", "image_here": True, "pool": {"size": 2}},
            "version 28, runs start from the image mine:1",
        ),
        (
            "cluster",
            {"version": "2.9", "address": "10.0.0.1:6379", "nodes": NODES},
            "Ray 2.9 at 10.0.0.1:6379, 2 nodes with 4 CPU and 2.0 GB of memory",
        ),
    ],
)
def test_judge_part_when_it_works_then_told_in_words(name: str, part: dict[str, Any], text: str) -> None:
    (found,) = judge_part(name, {"ok": True, **part})
    assert (found.name, found.level, found.text, found.remedy) == (name, "ok", text, "")


def test_judge_part_when_runs_go_into_containers_then_what_holds_for_them_is_told() -> None:
    told = {
        "docker": {"reachable": True, "run_user": 64900},
        "ray": {"reachable": False, "why": "RAY_ADDRESS is not set"},
    }
    runner, containers = judge_part("runner", {"ok": True, "silent_seconds": 0.4, "executors": told})
    assert runner.text == "last heard of 400 ms ago; executors: docker; not reached: ray (RAY_ADDRESS is not set)"
    assert containers.text.startswith("runs act as user 64900, each in a container")
