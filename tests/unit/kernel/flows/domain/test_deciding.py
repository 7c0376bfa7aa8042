"""What becomes of a step."""

from typing import Any

import pytest

from fastflow.kernel.flows.domain.after import After
from fastflow.kernel.flows.domain.deciding import Told, decide, judge_elements, judge_flow, make_resolver
from fastflow.kernel.flows.domain.expressions import MISSING
from fastflow.kernel.flows.domain.flow import Counts, FlowStatus, Step, StepState


def step(name: str, state: str = "WAITING", after: After | None = None, **values: Any) -> Step:
    known = {"flow_id": "f", "position": 0, "is_root": after is None, "why": "because", **values}
    return Step(name=name, state=StepState(state), after=after, **known)


def verdict(join: Any, *states: str, when: str | None = None, told: dict[str, Any] | None = None) -> tuple[str, str]:
    names = tuple(f"u{number}" for number in range(len(states)))
    ups = {name: step(name, state) for name, state in zip(names, states, strict=True)}
    own = step("own", after=After(pipelines=names, join=join, when=when))
    found = decide(own, ups, lambda name: (told or {}).get(name, MISSING))
    return found.move, found.why


@pytest.mark.parametrize(
    ("join", "states", "move"),
    [
        ("all", ("SUCCESS", "SUCCESS"), "start"),
        ("all", ("SUCCESS", "RUNNING"), "wait"),
        ("all", ("RUNNING", "FAILED"), "skip"),
        ("all", ("SKIPPED", "SUCCESS"), "skip"),
        ("any", ("RUNNING", "SUCCESS"), "start"),
        ("any", ("FAILED", "RUNNING"), "wait"),
        ("any", ("FAILED", "SKIPPED"), "skip"),
        ("always", ("FAILED", "SKIPPED"), "start"),
        ("always", ("FAILED", "APPROVAL"), "wait"),
    ],
)
def test_join_when_upstreams_are_so_then_the_step_moves(join: str, states: tuple[str, ...], move: str) -> None:
    found, why = verdict(join, *states)
    assert found == move and why


def test_any_when_the_condition_does_not_hold_yet_then_waits_for_the_others() -> None:
    assert verdict("any", "SUCCESS", "RUNNING", when="u1.n > 1")[0] == "wait"
    assert verdict("any", "SUCCESS", "SUCCESS", when="u1.n > 1", told={"u1.n": 2})[0] == "start"
    assert verdict("any", "SUCCESS", "FAILED", when="u1.n > 1")[0] == "skip"


def test_step_when_an_upstream_is_in_no_part_of_the_flow_then_skipped_with_the_remedy() -> None:
    found = decide(step("own", after=After(pipelines=("a", "b"))), {"a": step("a", "SUCCESS")}, lambda _: MISSING)
    assert found.move == "skip" and "its upstream b is no part of this flow" in found.why


def test_resolver_when_asked_then_outputs_facts_params_and_items() -> None:
    told = Told(facts={"status": "SUCCESS", "run_id": "r1"}, outputs={"rows": 3, "status": "odd", "deep": {"x": [7]}})
    resolve = make_resolver(After(pipelines=("up",)), {"CITY": "Ulm"}, lambda _name: told, {"id": 5})
    assert [resolve(name) for name in ("up.rows", "up.status", "up.outputs.status", "up.deep.x.0")] == [
        3,
        "SUCCESS",
        "odd",
        7,
    ]
    assert [resolve(name) for name in ("params.CITY", "item.id", "params.NONE")] == ["Ulm", 5, MISSING]


@pytest.mark.parametrize(
    ("counts", "allowed", "state", "stops"),
    [
        (Counts(success=3), 0, "SUCCESS", False),
        (Counts(success=2, failed=1), 0, "FAILED", True),
        (Counts(success=2, failed=1), 1, "SUCCESS", False),
        (Counts(success=1, failed=2, waiting=5), 1, "FAILED", True),
        (Counts(success=1, failed=2, waiting=5, running=1), 1, None, True),
        (Counts(success=1, waiting=5), 0, None, False),
        (Counts(skipped=2), 0, "SKIPPED", False),
    ],
)
def test_fan_out_when_elements_are_so_then_ends_or_stops(
    counts: Counts, allowed: int, state: str | None, stops: bool
) -> None:
    found = judge_elements(counts, allowed)
    assert (found.state, found.stops) == (None if state is None else StepState(state), stops)
    assert found.why


@pytest.mark.parametrize(
    ("counts", "allowed", "is_cancelled", "why"),
    [
        (Counts(success=8, failed=2, skipped=80), 0, True, "8 of 90 elements succeeded; 2 failed, 80 were not started"),
        (Counts(success=8, skipped=2), 0, True, "8 of 10 elements succeeded; 2 were not started"),
        (Counts(success=8, failed=1, skipped=1), 0, False, "8 of 10 elements succeeded; 1 failed, 1 were not started"),
        (
            Counts(success=7, failed=2, skipped=1),
            1,
            False,
            "7 of 10 elements succeeded; 2 failed, 1 may, 1 were not started",
        ),
    ],
)
def test_fan_out_when_it_did_not_reach_its_end_then_fails_and_says_what_ran(
    counts: Counts, allowed: int, is_cancelled: bool, why: str
) -> None:
    found = judge_elements(counts, allowed, is_cancelled=is_cancelled)
    assert (found.state, found.why) == (StepState.FAILED, why)


def test_flow_when_all_steps_have_ended_then_failed_if_one_did() -> None:
    assert judge_flow([step("a", "SUCCESS"), step("b", "RUNNING")])[0] is FlowStatus.RUNNING
    assert judge_flow([step("a", "SUCCESS"), step("b", "SKIPPED")]) == (FlowStatus.SUCCESS, None)
    status, why = judge_flow([step("a", "FAILED"), step("b", "SKIPPED"), step("c", "FAILED")])
    assert status is FlowStatus.FAILED and why == "the step a failed: because (and 1 other step)"
