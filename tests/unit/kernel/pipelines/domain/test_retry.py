from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflow.kernel.executors.port import Reason
from fastflow.kernel.pipelines.domain.retry import RETRYABLE, RetryPolicy

policies = st.builds(
    RetryPolicy,
    max_retries=st.integers(1, 100),
    policy=st.sampled_from(["fixed", "exponential", "list"]),
    delay=st.floats(0, 3600),
    factor=st.floats(1, 100),
    max_delay=st.floats(0, 86400),
    delays=st.lists(st.floats(0, 86400), min_size=1, max_size=10).map(tuple),
    jitter=st.floats(0, 1),
)
seeds = st.text(min_size=1, max_size=40)


@given(policies, st.integers(1, 100), seeds)
def test_pause_when_computed_then_it_is_the_same_again_and_within_bounds(
    policy: RetryPolicy, retry: int, seed: str
) -> None:
    pause = policy.pause(retry, seed)
    assert pause == policy.pause(retry, seed)
    assert 0 <= pause <= policy.max_delay


@given(policies, st.integers(1, 99), seeds)
def test_pause_when_exponential_without_jitter_then_it_never_shrinks(
    policy: RetryPolicy, retry: int, seed: str
) -> None:
    plain = RetryPolicy(max_retries=100, delay=policy.delay, factor=policy.factor, max_delay=policy.max_delay, jitter=0)
    assert plain.pause(retry, seed) <= plain.pause(retry + 1, seed)


@given(st.floats(0.001, 100), st.floats(0, 1), seeds)
def test_pause_when_jittered_then_it_stays_within_its_share(delay: float, jitter: float, seed: str) -> None:
    policy = RetryPolicy(max_retries=1, policy="fixed", delay=delay, jitter=jitter)
    assert delay * (1 - jitter) * 0.999 <= policy.pause(1, seed) <= delay * (1 + jitter) * 1.001


def test_pauses_when_runs_differ_then_they_spread() -> None:
    policy = RetryPolicy(max_retries=1, policy="fixed", delay=100, jitter=0.5)
    assert len({round(policy.pause(1, f"run-{number}")) for number in range(50)}) > 25


def test_pause_when_listed_then_the_last_one_is_used_again() -> None:
    policy = RetryPolicy(max_retries=9, policy="list", delays=(1, 5), jitter=0)
    assert [policy.pause(retry, "x") for retry in (1, 2, 3, 4)] == [1, 5, 5, 5]


@given(policies)
def test_policy_when_kept_as_json_then_it_comes_back(policy: RetryPolicy) -> None:
    assert RetryPolicy.from_json({**policy.to_json(), "of_a_later_release": 1}) == policy


@pytest.mark.parametrize(
    ("policy", "reason", "code", "retry", "why"),
    [
        (RetryPolicy(), "exit", 1, 1, "no retries are set"),
        (RetryPolicy(max_retries=2, policy="none"), "exit", 1, 1, "no retries are set"),
        (RetryPolicy(max_retries=2), "exit", 1, 2, None),
        (RetryPolicy(max_retries=2), "exit", 1, 3, "its 2 retries are used up"),
        (RetryPolicy(max_retries=2), "cancelled", None, 1, "the reason cancelled is not tried again"),
        (RetryPolicy(max_retries=2, on=("lost",)), "oom", None, 1, "the reason oom is not tried again"),
        (RetryPolicy(max_retries=2, exit_codes=(75,)), "exit", 1, 1, "the exit code 1 is not tried again"),
        (RetryPolicy(max_retries=2, exit_codes=(75,)), "timeout", -15, 1, None),
        (RetryPolicy(max_retries=2, never_exit_codes=(2,)), "exit", 2, 1, "the exit code 2 is never tried again"),
    ],
)
def test_retry_when_judged_then_the_reason_against_it_is_told(
    policy: RetryPolicy, reason: str, code: int | None, retry: int, why: str | None
) -> None:
    assert policy.why_not(reason, code, retry) == why


def test_retryable_when_listed_then_it_is_every_reason_but_cancelled() -> None:
    assert {*RETRYABLE, "cancelled"} == set(get_args(Reason))


def test_dead_letters_when_nothing_is_said_then_they_are_kept_where_there_are_retries() -> None:
    assert [RetryPolicy(max_retries=count).keeps_dead_letters for count in (0, 1)] == [False, True]
    assert RetryPolicy(dead_letters=True).keeps_dead_letters
