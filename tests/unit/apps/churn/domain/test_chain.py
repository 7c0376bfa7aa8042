"""Chains: one step after the other, and none after one that failed."""

from typing import Any

import pytest

from fastflow.apps.churn.domain.chain import WHOLE, Chain, read_chain
from fastflow.apps.churn.domain.problem import Refused


def chain() -> Chain:
    return Chain(chain_id="c", asked_by="user:olga", asked_at="now")


def statuses(of: Chain) -> list[str]:
    return [step.status for step in of.steps]


def test_steps_when_each_is_done_then_the_next_is_current_and_at_last_none() -> None:
    now, seen = chain(), []
    while now.current is not None:
        seen.append(now.current.name)
        now = now.begun(f"run of {now.current.name}").done()
    assert tuple(seen) == WHOLE
    assert [step.run_id for step in now.steps] == [f"run of {name}" for name in WHOLE]
    assert now.done() == now


def test_steps_when_one_fails_then_those_after_it_are_dropped_and_those_before_stay_done() -> None:
    failed = chain().begun("r1").done().begun("r2").failed()
    assert statuses(failed) == ["done", "failed", "dropped", "dropped"]
    assert failed.current is None
    assert failed.steps[1].run_id == "r2"


def test_done_when_a_later_attempt_succeeded_then_its_run_counts() -> None:
    assert chain().begun("r1").done("r2").steps[0].run_id == "r2"


def test_record_when_read_then_it_is_the_same_chain() -> None:
    there = chain().begun("r1").done()
    assert read_chain(there.record()) == there
    assert read_chain({}) is None
    assert read_chain(None) is None


@pytest.mark.parametrize(
    "damage",
    [
        {"steps": "churn"},
        {"steps": [{"name": "churn", "status": "lost", "run_id": ""}]},
        {"steps": [{"name": "dance", "status": "done", "run_id": ""}]},
        {"steps": [1]},
    ],
)
def test_record_when_damaged_then_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="chain: is damaged"):
        read_chain({**chain().record(), **damage})
