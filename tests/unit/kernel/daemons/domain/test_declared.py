"""`[daemon]` in a pipeline's settings: read, and every fault with its line."""

from collections.abc import Sequence
from textwrap import dedent
from typing import Any

import pytest

from fastflow.kernel.daemons.domain.declared import judge_daemon, read_daemon
from fastflow.kernel.daemons.domain.records import DaemonSpec
from fastflow.kernel.pipelines.domain.faults import Fault, FaultList
from fastflow.kernel.pipelines.domain.settings import read_settings
from fastflow.kernel.pipelines.domain.toml_text import parse_toml


def judged(text: str) -> Sequence[Fault]:
    faults = FaultList("demo", "demo/")
    toml = parse_toml(dedent(text).lstrip(), "pipeline.toml", faults)
    assert toml is not None
    judge_daemon(toml, faults, read_settings(toml, faults))
    return faults.found


SCHEMA = {"type": "object", "properties": {"CITY": {"type": "string"}}, "required": ["CITY"]}


def test_daemon_when_all_is_given_then_all_is_read() -> None:
    table = {
        "instances": 2, "replace": "stop-first", "port": 9000, "health": "/health", "heartbeat": "30s", "interval": 2,
        "start_period": "1m", "misses": 5, "delay": "2s", "max_delay": "1h", "stable": "10m", "crash_loop": 9,
        "params": {"CITY": "Ulm"},
    }  # fmt: skip
    assert read_daemon(table, SCHEMA) == (
        DaemonSpec(
            instances=2,
            replace="stop-first",
            port=9000,
            health="/health",
            heartbeat=30,
            interval=2,
            start_period=60,
            misses=5,
            delay=2,
            max_delay=3600,
            stable=600,
            crash_loop=9,
            params={"CITY": "Ulm"},
        ),
        {},
    )
    assert read_daemon({}, None) == (DaemonSpec(), {}) and read_daemon(None, SCHEMA) == (None, {})


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ({"instance": 2}, "instance"),
        ({"instances": 0}, "instances"),
        ({"replace": "slowly"}, "replace"),
        ({"port": True}, "port"),
        ({"health": "health", "port": 1}, "health"),
        ({"health": "/a b", "port": 1}, "health"),
        ({"health": "tcp"}, "health"),
        ({"heartbeat": "soon"}, "heartbeat"),
        ({"params": 3}, "params"),
    ],
)
def test_daemon_when_a_key_is_wrong_then_the_problem_is_told_by_its_name(table: dict[str, Any], key: str) -> None:
    _, problems = read_daemon(table, None)
    assert list(problems) == [key] and problems[key]


def test_daemon_when_its_parameters_do_not_fit_then_it_is_told() -> None:
    assert "CITY" in read_daemon({}, SCHEMA)[1]["params"]


def test_judge_when_a_key_is_wrong_then_tells_the_line() -> None:
    (fault,) = judged("""
        description = "a service"
        [daemon]
        instances = 0
        """)
    assert (fault.line, fault.message) == (3, "daemon.instances: 0 is no whole number from 1 to 100.")


def test_judge_when_a_silent_daemon_would_be_ended_then_tells_the_line() -> None:
    (fault,) = judged("""
        idle_timeout = "1m"
        [daemon]
        """)
    assert fault.line == 1
    assert "whenever it is silent" in fault.message


@pytest.mark.parametrize(
    ("concurrency", "daemon", "told"),
    [
        ("concurrency = 2", "instances = 2", "allows 2 at once, and the daemon needs 3: a new instance begins"),
        ("concurrency = 1", "instances = 2\nreplace = 'stop-first'", "allows 1 at once, and the daemon needs 2."),
        (
            "params = { X = { type = 'string', default = 'a' } }\nconcurrency = { key = '{X}' }",
            "",
            "allows 1 at once, and the daemon needs 2",
        ),
        ("concurrency = 2", "instances = 2\nreplace = 'stop-first'", None),
        ("concurrency = 3", "instances = 2", None),
        ("", "instances = 2", None),
    ],
)
def test_judge_when_the_limit_leaves_no_room_for_its_instances_then_tells_it(
    concurrency: str, daemon: str, told: str | None
) -> None:
    faults = judged(f"{concurrency}\n[daemon]\n{daemon}\n")
    assert [told is not None and told in fault.message for fault in faults] == ([True] if told else [])
