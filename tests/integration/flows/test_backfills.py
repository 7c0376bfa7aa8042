"""Backfills: throttled, behind ordinary runs, resumable, cancelled as one, never the same twice."""

from typing import Any

import pytest
from tests.integration.flows.conftest import OPERATOR, FlowDesk

from fastflow.kernel.flows.domain.backfilling import BackfillRequest
from fastflow.kernel.flows.domain.errors import FlowEnded, InvalidBackfill
from fastflow.kernel.flows.domain.explaining import explain_flow
from fastflow.kernel.flows.domain.flow import FlowStatus
from fastflow.kernel.flows.ports import FlowView
from fastflow.kernel.runs.domain.errors import InvalidParams
from fastflow.kit.errors import NotFound
from fastflow.kit.identity import Actor, Role

SCHEMA = {"properties": {"DAY": {"type": "string"}}, "required": ["DAY"]}


def request(**values: Any) -> BackfillRequest:
    given = {"pipeline_name": "demo", "since": "2026-01-01", "until": "2026-01-10", "params": {"DAY": "{date}"}}
    return BackfillRequest(**{**given, **values})


def begin(desk: FlowDesk, **values: Any) -> FlowView:
    return desk.room.backfills.start(request(**values), actor=OPERATOR)


def days(desk: FlowDesk) -> list[str]:
    return [run.params["DAY"][-2:] for run in desk.active("demo")]


@pytest.fixture
def filled(desk: FlowDesk) -> FlowDesk:
    desk.add("demo", params_schema=SCHEMA)
    desk.add("follower", ["demo"])
    return desk


def test_backfill_when_begun_then_throttled_in_order_and_behind_ordinary_runs(filled: FlowDesk) -> None:
    flow = begin(filled, throttle=3)
    assert days(filled) == ["01", "02", "03"]
    assert {run.priority for run in filled.active()} == {-100}
    assert {run.trigger for run in filled.active()} == {"backfill"}
    filled.end(filled.active()[1])
    assert days(filled) == ["01", "03", "04"]
    while filled.end_all():
        assert len(filled.active()) <= 3
    after = filled.view(flow)
    assert after.flow.status is FlowStatus.SUCCESS and after.counts["demo"].success == 10
    assert filled.active("follower") == []


def test_backfill_when_newest_first_then_so(filled: FlowDesk) -> None:
    begin(filled, order="newest", throttle=2)
    assert days(filled) == ["10", "09"]


def test_backfill_when_made_again_then_what_was_done_is_not_and_what_failed_is(filled: FlowDesk) -> None:
    begin(filled, until="2026-01-03", throttle=3, max_failures=3)
    first, second, third = filled.active()
    filled.end(first)
    filled.end(second, exit_code=1)
    again = begin(filled, until="2026-01-04", throttle=4)
    assert sorted(days(filled)) == ["02", "03", "04"]  # 03 is the first one's, and is waited for
    assert len(filled.active()) == 3
    filled.end(third)
    filled.end_all()
    after = filled.view(again)
    assert after.flow.status is FlowStatus.SUCCESS and after.counts["demo"].success == 4
    keys = [element.why for element in filled.elements(again, "demo")]
    assert "of an earlier backfill did the same" in keys[0]
    begin(filled, until="2026-01-01", again=True)
    assert days(filled) == ["01"]


def test_backfill_when_something_was_done_already_then_plan_and_words_say_what(filled: FlowDesk) -> None:
    first = begin(filled, until="2026-01-03", throttle=3, max_failures=1)
    one, two, _ = filled.active()
    filled.end(one)
    filled.end(two, exit_code=1)
    plan = filled.room.backfills.plan(request(until="2026-01-04"), actor=OPERATOR)
    assert [slot.already for slot in plan.slots] == ["done", None, "under_way", None]
    assert (plan.to_run, plan.done_already, plan.under_way_already, plan.done_by) == (2, 1, 1, [first.flow.id])
    assert filled.room.backfills.plan(request(until="2026-01-04", again=True), actor=OPERATOR).to_run == 4
    again = begin(filled, until="2026-01-01")
    assert filled.view(again).flow.status is FlowStatus.SUCCESS
    told = explain_flow(filled.view(again).flow, filled.view(again).steps)
    assert told.endswith(f"At its beginning: 0 to run, 1 done already (by backfill {first.flow.id}).")
    with pytest.raises(FlowEnded) as caught:
        filled.room.flows.cancel(again.flow.id, actor=OPERATOR)
    assert "flows" not in caught.value.hint and "fastflow backfill show" in caught.value.hint


def test_backfill_when_more_fail_than_may_then_stops_and_resume_does_the_rest(filled: FlowDesk) -> None:
    flow = begin(filled, throttle=1, max_failures="10%")
    filled.end_all()
    filled.end_all(exit_code=1)
    filled.end_all(exit_code=1)
    assert filled.active() == [] and filled.view(flow).flow.status is FlowStatus.FAILED
    filled.room.flows.rerun(flow.flow.id, actor=OPERATOR)
    assert days(filled) == ["02"]
    count = 0
    while filled.end_all():
        count += 1
    assert count == 9 and filled.view(flow).flow.status is FlowStatus.SUCCESS


def test_backfill_when_cancelled_then_as_one(filled: FlowDesk) -> None:
    flow = begin(filled, throttle=2)
    filled.room.flows.cancel(flow.flow.id, actor=OPERATOR, reason="no need")
    filled.keeper.tick()
    assert filled.active() == [] and filled.view(flow).flow.status is FlowStatus.FAILED
    counts = filled.view(flow).counts["demo"]
    assert (counts.skipped, counts.failed) == (8, 2)
    told = explain_flow(filled.view(flow).flow, filled.view(flow).steps)
    assert told.startswith(
        "The backfill was cancelled by user:olga: no need; 0 of 10 elements succeeded; 2 failed, 8 were"
    )
    assert "may" not in told


def test_backfill_when_cancelled_within_its_allowance_then_it_can_be_resumed(filled: FlowDesk) -> None:
    flow = begin(filled, throttle=1, max_failures=5)
    filled.end_all()
    filled.room.flows.cancel(flow.flow.id, actor=OPERATOR)
    filled.keeper.tick()
    assert filled.states(flow) == {"demo": "FAILED"} and filled.active() == []
    filled.room.flows.rerun(flow.flow.id, actor=OPERATOR)
    assert days(filled) == ["02"]


def test_backfill_when_its_pipeline_was_removed_by_force_then_nothing_more_begins_and_it_ends(filled: FlowDesk) -> None:
    view = begin(filled, throttle=2)
    why = "its pipeline went with the sync 7"
    (step,) = filled.room.flows.end_removed(["demo"], actor=OPERATOR, why=why)
    assert step.flow_id == view.flow.id and filled.view(view).flow.status.value == "RUNNING"
    filled.end_all(exit_code=1)
    ended = filled.view(view)
    assert filled.active() == [] and ended.flow.status.value == "FAILED"
    assert why in {element.why for element in filled.elements(view, "demo")}
    assert filled.room.flows.end_removed(["demo"], actor=OPERATOR, why=why) == []  # there is nothing left


def test_backfill_when_only_planned_then_nothing_is_made(filled: FlowDesk) -> None:
    plan = filled.room.backfills.plan(request(), actor=OPERATOR)
    assert len(plan.slots) == 10 and filled.active() == []


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"pipeline_name": "dmo"}, NotFound),
        ({"params": {"DYA": "{date}"}}, InvalidParams),
        ({"params": {"DAY": "always"}}, InvalidBackfill),
        ({"until": "2025-01-01"}, InvalidBackfill),
        ({"step": "1s", "params": {"DAY": "{start}"}}, InvalidBackfill),
    ],
)
def test_backfill_when_something_is_wrong_then_refused_and_nothing_is_made(
    filled: FlowDesk, values: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        begin(filled, **values)
    assert filled.active() == [] and filled.room.store.find_due(filled.clock.now(), limit=9) == []


def test_backfill_when_of_ten_thousand_then_it_is_kept_at_once_and_goes_on_after_a_restart(filled: FlowDesk) -> None:
    flow = begin(filled, since="2025-11-01", until="2025-11-30T23:59", step="5m", params={"DAY": "{start}"}, throttle=2)
    assert filled.view(flow).counts["demo"].total == 30 * 288
    other = filled.beside(filled.database)  # another process
    for _ in range(3):
        other.end_all()
    assert other.view(flow).counts["demo"].success == 6 and len(other.active()) == 2


def test_backfill_when_the_actor_may_not_then_refused(filled: FlowDesk) -> None:
    for actor in (
        Actor(name="user:v", role=Role.VIEWER),
        Actor(name="token:t", role=Role.OPERATOR, pipelines={"other"}),
    ):
        with pytest.raises(Exception, match=r"role|access"):
            filled.room.backfills.plan(request(), actor=actor)
