from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fastflow.kernel.pipelines.domain.retry import RetryPolicy
from fastflow.kernel.runs.domain.capsule import Capsule
from fastflow.kernel.runs.domain.retrying import next_attempt, why_final
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.testing.clock import START
from fastflow.testing.run_doubles import make_run

TWICE = RetryPolicy(max_retries=2, policy="fixed", delay=30, jitter=0)


def failed(policy: RetryPolicy | None = TWICE, **values: Any) -> Run:
    run = make_run(status=RunStatus.FAILED, **{"reason": "exit", "exit_code": 1, "claimed_at": START, **values})
    return make_run(**{**vars(run), "capsule": {**run.capsule, "retry": policy.to_json() if policy else None}})


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (failed(), None),
        (failed(None), "no retries are set"),
        (failed(attempt=3), "its 2 retries are used up"),
        (failed(reason="cancelled"), "a cancelled run is not tried again"),
        (failed(cancel_requested_at=START), "a cancelled run is not tried again"),
        (failed(reason="timeout", claimed_at=None), "a run that waited too long is not tried again"),
        (failed(reason="timeout"), "a run that waited too long is not tried again"),
        (failed(reason="timeout", started_at=START), None),
    ],
)
def test_retry_when_the_run_failed_then_it_is_told_why_there_is_none(run: Run, why: str | None) -> None:
    assert why_final(run) == why


def test_next_attempt_when_made_then_it_takes_the_same_parts_and_knows_the_others() -> None:
    run = failed(
        params={"A": 1},
        priority=3,
        concurrency_key="a",
        pipeline_limit=2,
        key_limit=1,
        schedule_id="s",
        idempotency_key="k",
        environment="e" * 64,
        log_file="/logs/first.log",
    )
    second = next_attempt(run, START)
    third = next_attempt(replace(second, status=RunStatus.FAILED, reason="exit", exit_code=1), START)
    assert (second.attempt, second.retry_of, second.root_id) == (2, run.id, run.id)
    assert (third.attempt, third.retry_of, third.root_id) == (3, second.id, run.id)
    assert second.not_before == START + timedelta(seconds=30)
    same = ("pipeline_name", "params", "priority", "concurrency_key", "pipeline_limit", "key_limit", "schedule_id")
    assert [getattr(second, name) for name in same] == [getattr(run, name) for name in same]
    assert (second.trigger, second.status, second.idempotency_key) == ("retry", RunStatus.PENDING, None)
    assert second.log_file == f"/logs/{second.id}.log"
    capsule = Capsule.from_json(second.capsule)
    assert (capsule.exact, capsule.environment.hash) == (True, "e" * 64)
    assert capsule.retry == TWICE.to_json()


def test_next_attempt_when_the_setup_failed_then_the_environment_is_made_anew() -> None:
    again = next_attempt(failed(reason="setup", environment="e" * 64), START)
    assert (again.environment, Capsule.from_json(again.capsule).exact) == (None, False)


def test_next_attempt_when_there_is_no_pause_then_it_is_in_the_queue_at_once() -> None:
    policy = RetryPolicy(max_retries=1, policy="list", delays=(0,))
    run = failed(policy)
    run = make_run(**{**vars(run), "capsule": {**run.capsule, "timeouts": {"wait": 60.0}}})
    again = next_attempt(run, START)
    assert (again.not_before, again.wait_deadline) == (None, START + timedelta(seconds=60))
