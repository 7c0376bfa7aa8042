"""Flows from their beginning to their end, through the service, on both databases."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text
from tests.integration.flows.conftest import OPERATOR, FlowDesk

from fastflow.kernel.flows.domain.errors import (
    FlowCycle,
    FlowEnded,
    FlowRuns,
    InvalidFlow,
    NoApproval,
    NothingFailed,
    StepNotFound,
)
from fastflow.kernel.flows.domain.explaining import explain_flow
from fastflow.kernel.flows.domain.flow import ElementState, FlowStatus
from fastflow.kernel.flows.ports import FlowFilter
from fastflow.kernel.pipelines.domain.retry import RetryPolicy
from fastflow.kernel.runs.domain.errors import InvalidParams
from fastflow.kernel.runs.infra.rows import ARTIFACT
from fastflow.kit.clock import SystemClock
from fastflow.kit.errors import Forbidden, NotFound
from fastflow.kit.identity import Actor, Role
from fastflow.ui.rooms.runs.in_flows import find_flows

ANNA = Actor(name="user:anna", role=Role.OPERATOR)


def audited(desk: FlowDesk) -> list[str]:
    with desk.database.read() as connection:
        return list(connection.execute(text("SELECT action FROM audit ORDER BY id")).scalars())


# -- what follows what --------------------------------------------------------------------------------------------------


def test_run_when_submitted_and_others_run_after_it_then_a_flow_begins_with_it(desk: FlowDesk) -> None:
    desk.add("extract")
    desk.add("load", {"pipelines": ["extract"], "params": {"DAY": "{extract.day}", "CITY": "{params.CITY}"}})
    run = desk.runs.submit("extract", {"CITY": "Ulm"}, actor=OPERATOR, trigger="schedule", idempotency_key="once")
    desk.runs.submit("extract", {"CITY": "Ulm"}, actor=OPERATOR, idempotency_key="once")
    assert desk.room.flows.list(FlowFilter(run_id="nothing"), actor=OPERATOR).items == []
    (flow,) = desk.room.flows.list(FlowFilter(run_id=run.id), actor=OPERATOR).items
    assert (flow.flow.name, flow.flow.trigger, flow.run_ids) == ("extract", "schedule", {"extract": run.id})
    desk.end(run, outputs={"day": "2026-01-15"})
    (load,) = desk.active()
    assert (load.pipeline_name, load.params) == ("load", {"DAY": "2026-01-15", "CITY": "Ulm"})
    assert (load.trigger, load.submitted_by) == ("flow", "user:olga")
    assert load.capsule["flow"] == {"id": flow.flow.id, "step": "load", "element": 0, "attempt": 1, "key": ""}
    desk.end(load)
    assert desk.view(flow).flow.status is FlowStatus.SUCCESS
    assert "flow.start" in audited(desk)


def test_flow_when_begun_within_a_callers_trace_then_all_its_runs_belong_to_it(desk: FlowDesk) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    desk.add("extract")
    desk.add("load", ["extract"])
    flow = desk.room.flows.start(["extract"], actor=OPERATOR, trace=trace)
    desk.runs.submit("extract", {}, actor=OPERATOR, trace=trace)
    desk.runs.submit("extract", {}, actor=OPERATOR)
    extracts = desk.active()
    for run in extracts:
        desk.end(run)
    loads = desk.active()
    traces = sorted(str(run.capsule.get("trace")) for run in [*extracts, *loads])
    assert traces == [trace] * 4 + ["None"] * 2

    (load,) = [run for run in loads if run.capsule["flow"]["id"] == flow.flow.id]
    desk.end(load, exit_code=1)
    desk.room.flows.rerun(flow.flow.id, actor=OPERATOR)  # with the code as it is now
    (again,) = [run for run in desk.active() if run.capsule["flow"]["id"] == flow.flow.id]
    assert (again.pipeline_name, again.capsule.get("trace")) == ("load", trace)


def test_run_when_submitted_alone_or_nothing_follows_then_no_flow(desk: FlowDesk) -> None:
    desk.add("extract")
    desk.add("load", ["extract"])
    desk.runs.submit("extract", {}, actor=OPERATOR, alone=True)
    desk.runs.submit("load", {}, actor=OPERATOR)
    assert desk.room.flows.list(actor=OPERATOR).items == []


def test_follower_when_it_cannot_run_then_the_run_is_taken_and_the_step_says_why(desk: FlowDesk) -> None:
    desk.add("extract")
    desk.add("load", ["extract"], secrets=("NOWHERE",))
    run = desk.runs.submit("extract", {}, actor=OPERATOR)
    desk.end(run)
    (flow,) = desk.room.flows.list(actor=OPERATOR).items
    assert desk.states(flow) == {"extract": "SUCCESS", "load": "FAILED"}
    assert "its run could not be made: These secrets do not exist: NOWHERE" in desk.why(flow, "load")
    with pytest.raises(InvalidFlow, match="its step load cannot run") as caught:
        desk.start("extract")
    assert "steps.load" in caught.value.fields


def test_follower_when_its_upstream_is_misspelt_then_it_is_not_lost(desk: FlowDesk) -> None:
    desk.add("extract")
    desk.add("load", ["extrct"])
    desk.add("lost", ["nowhere_near"])
    desk.end(desk.runs.submit("extract", {}, actor=OPERATOR))
    (flow,) = desk.room.flows.list(actor=OPERATOR).items
    assert desk.states(flow) == {"extract": "SUCCESS", "load": "FAILED"}
    judged = "after names 'extrct', which is no pipeline. Did you mean 'extract'?"
    assert judged in desk.why(flow, "load")
    assert "lost may belong to this flow and is not in it" in explain_flow(desk.view(flow).flow, flow.steps)
    for refused in (
        lambda: desk.start("extract"),
        lambda: desk.room.flows.plan(["extract"], actor=OPERATOR),
        lambda: desk.room.flows.rerun(flow.flow.id, actor=OPERATOR),
    ):
        with pytest.raises(InvalidFlow) as caught:
            refused()
        assert judged in caught.value.fields["steps.load"]
    desk.add("load", ["extract"])
    plan = desk.room.flows.plan(["extract"], actor=OPERATOR)
    assert [step.name for step in plan.steps] == ["extract", "load"]
    assert plan.warnings[0].startswith("lost may belong to this flow")


def test_circle_when_a_pipeline_of_it_is_run_then_refused_but_alone_it_runs(desk: FlowDesk) -> None:
    desk.add("ca", ["cb"])
    desk.add("cb", ["ca"])
    for refused in (lambda: desk.start("ca"), lambda: desk.runs.submit("ca", {}, actor=OPERATOR)):
        with pytest.raises(FlowCycle, match=r"ca cannot begin a flow: .*after goes in a circle: ca -> cb -> ca"):
            refused()
    assert desk.active() == []
    desk.runs.submit("ca", {}, actor=OPERATOR, alone=True)
    assert len(desk.active()) == 1 and desk.room.flows.list(actor=OPERATOR).items == []


def test_code_when_it_changes_after_the_beginning_then_the_flow_keeps_what_it_began_with(desk: FlowDesk) -> None:
    desk.add("extract")
    desk.add("load", {"pipelines": ["extract"], "when": "extract.n > 1"})
    flow = desk.start("extract")
    desk.add("load")
    desk.add("other", ["extract"])
    desk.end_all(outputs={"n": 2})
    assert [run.pipeline_name for run in desk.active()] == ["load"]
    assert set(desk.states(flow)) == {"extract", "load"}


def test_end_when_it_is_tried_again_then_what_follows_waits_for_the_last_word(desk: FlowDesk) -> None:
    desk.add("extract", retry=RetryPolicy(max_retries=1))
    desk.add("load", ["extract"])
    flow = desk.start("extract")
    (first,) = desk.active()
    desk.end(first, exit_code=1)
    (again,) = desk.active()
    assert (again.pipeline_name, again.retry_of) == ("extract", first.id)
    assert desk.states(flow) == {"extract": "RUNNING", "load": "WAITING"}
    assert desk.view(flow).run_ids["extract"] == again.id
    members = find_flows(desk.room.flows, [again, replace(first, retried_by=again.id)], OPERATOR)
    assert {run_id: (each.flow_id, each.step) for run_id, each in members.items()} == dict.fromkeys(
        [first.id, again.id], (flow.flow.id, "extract")
    )
    outsider = Actor(name="user:otto", role=Role.VIEWER, pipelines=("load",))
    assert desk.room.flows.memberships([again.id], actor=outsider) == {}
    now = SystemClock().now()  # ids are made by it
    (tally,) = desk.runs.tally([now - timedelta(minutes=1), now + timedelta(minutes=1)], actor=OPERATOR)
    assert (tally.failed, tally.under_way, tally.total) == (0, 1, 1)  # a run and its attempts are one
    desk.clock.advance(timedelta(hours=1))
    desk.end(again)
    assert [run.pipeline_name for run in desk.active()] == ["load"]


def test_end_when_it_was_overlooked_then_the_scan_takes_it(desk: FlowDesk) -> None:
    desk.add("extract")
    desk.add("load", ["extract"])
    flow = desk.start("extract")
    desk.end_all(exit_code=1, blind=True)
    assert desk.states(flow)["extract"] == "RUNNING"
    assert desk.keeper.reconcile() == 1 and desk.keeper.reconcile() == 0
    assert desk.states(flow) == {"extract": "FAILED", "load": "SKIPPED"}


# -- refused before anything changes --------------------------------------------------------------------------------------


def test_start_when_something_is_wrong_then_refused_and_nothing_is_kept(desk: FlowDesk) -> None:
    desk.add("extract", params_schema={"properties": {"DAY": {"type": "string"}}, "required": ["DAY"]})
    desk.add("other", params_schema={"properties": {"CITY": {}}})
    desk.add("a", ["b", "extract"])
    desk.add("b", ["a"])
    refused: list[tuple[tuple[str, ...], dict[str, Any], type[Exception], str]] = [
        ((), {}, InvalidFlow, "roots"),
        (("nothing",), {}, NotFound, "nothing"),
        (("extract",), {"DAY": "x"}, FlowCycle, "a -> b -> a"),
        (("other",), {"CTY": "x"}, InvalidParams, "CTY"),
        (("other", "a", "b"), {}, NotFound, "nowhere"),
    ]
    for roots, params, error, told in refused[:4]:
        with pytest.raises(error, match=told):
            desk.start(*roots, params=params)
    with pytest.raises(FlowCycle):
        desk.runs.submit("extract", {"DAY": "x"}, actor=OPERATOR)
    with pytest.raises(Forbidden):
        desk.room.flows.start(["other"], actor=Actor(name="user:v", role=Role.VIEWER))
    with pytest.raises(Forbidden):
        desk.room.flows.start(["other"], actor=Actor(name="token:t", role=Role.OPERATOR, pipelines={"extract"}))
    assert desk.active() == [] and desk.room.flows.list(actor=OPERATOR).items == []


def test_several_roots_when_started_then_each_takes_its_own_parameters(desk: FlowDesk) -> None:
    desk.add("cities", params_schema={"properties": {"CITY": {}}})
    desk.add("days", params_schema={"properties": {"DAY": {}}})
    desk.add("both", ["cities", "days"])
    with pytest.raises(InvalidFlow, match="no root takes ODD"):
        desk.start("cities", "days", params={"ODD": 1})
    flow = desk.start("cities", "days", params={"CITY": "Ulm", "DAY": "1"}, idempotency_key="k")
    assert desk.start("cities", "days", params={}, idempotency_key="k").flow.id == flow.flow.id
    assert {run.pipeline_name: dict(run.params) for run in desk.active()} == {
        "cities": {"CITY": "Ulm"},
        "days": {"DAY": "1"},
    }
    desk.end_all()
    assert [run.pipeline_name for run in desk.active()] == ["both"]


# -- fan-out ----------------------------------------------------------------------------------------------------------------


def fan_out(desk: FlowDesk, **values: Any) -> None:
    desk.add("extract")
    desk.add("clean", {"pipelines": ["extract"], "foreach": "extract.files", "item": "FILE", "limit": 2, **values})
    desk.add("load", {"pipelines": ["clean"], "params": {"DONE": "{clean.succeeded}", "ALL": "{clean.results}"}})


def test_fan_out_when_a_list_is_told_then_a_run_for_each_within_the_limit_and_the_join_waits(desk: FlowDesk) -> None:
    fan_out(desk)
    flow = desk.start("extract")
    desk.end_all(outputs={"files": ["a", {"b": 1}, 3]})
    assert [run.params["FILE"] for run in desk.active()] == ["a", {"b": 1}]
    assert [element.key for element in desk.elements(flow, "clean")] == ["a", '{"b":1}', "3"]
    desk.end(desk.active()[0], outputs={"x": 1})
    assert [run.params["FILE"] for run in desk.active()] == [{"b": 1}, 3]
    desk.end_all("clean", outputs={"x": 2})
    (load,) = desk.active()
    assert load.params == {"DONE": 3, "ALL": [{"x": 1}, {"x": 2}, {"x": 2}]}


@pytest.mark.parametrize(
    ("told", "state", "why"),
    [
        ({"files": []}, "SUCCESS", "the list extract.files is empty: there was nothing to run"),
        ({"files": "abc"}, "FAILED", "extract.files is no list but abc"),
        ({}, "FAILED", "the list extract.files was not told"),
        ({"files": [0] * 10_001}, "FAILED", "has 10001 elements; at most 10000"),
    ],
)
def test_fan_out_when_the_list_is_odd_then_told(desk: FlowDesk, told: dict[str, Any], state: str, why: str) -> None:
    fan_out(desk)
    flow = desk.start("extract")
    desk.end_all(outputs=told)
    assert desk.states(flow)["clean"] == state and why in desk.why(flow, "clean")


def test_fan_out_when_more_fail_than_may_then_no_more_start_and_a_rerun_keeps_what_succeeded(desk: FlowDesk) -> None:
    fan_out(desk, max_failures="20%")
    flow = desk.start("extract")
    desk.end_all(outputs={"files": list(range(10))})
    desk.end(desk.active()[0])
    for _ in range(3):
        desk.end(desk.active()[0], exit_code=1)
    assert desk.states(flow)["clean"] == "RUNNING" and "no more are started" in desk.why(flow, "clean")
    desk.end_all()
    assert desk.states(flow) == {"extract": "SUCCESS", "clean": "FAILED", "load": "SKIPPED"}
    why = desk.why(flow, "clean")
    assert why.startswith("2 of 10 elements succeeded; 3 failed, 2 may, 5 were not started; the first that failed is ")
    first = next(each for each in desk.elements(flow, "clean") if each.state is ElementState.FAILED)
    assert f"{first.key}: run {first.run_id} failed (exit): exit code 1" in why
    assert f"`fastflow flows elements {flow.flow.id} clean --state FAILED` lists them" in why
    again = desk.room.flows.rerun(flow.flow.id, actor=OPERATOR)
    assert again.flow.attempt == 2 and again.counts["clean"].success == 2 and again.counts["clean"].running == 2
    while desk.end_all("clean"):
        assert len(desk.active("clean")) <= 2
    desk.end_all()
    assert desk.view(flow).flow.status is FlowStatus.SUCCESS
    made = [element for element in desk.elements(flow, "clean") if element.run_id]
    assert len(made) == 2 + 3 + 8 and len({element.run_id for element in made}) == len(made)
    with desk.database.read() as connection:
        rows = connection.execute(text("SELECT id, rerun_of FROM run WHERE rerun_of IS NOT NULL")).all()
    repeats = {row.id: row.rerun_of for row in rows}
    failed = {element.element: element.run_id for element in made if element.attempt == 1 and not element.is_current}
    assert repeats == {
        element.run_id: failed[element.element]
        for element in made
        if element.attempt == 2 and element.element in failed
    }
    assert sum(element.is_current for element in desk.elements(flow, "clean")) == 10


def test_fan_out_when_long_then_the_keeper_spreads_it_and_every_element_runs_once(desk: FlowDesk) -> None:
    fan_out(desk, limit=300)
    flow = desk.start("extract")
    desk.end_all(outputs={"files": list(range(700))})
    assert desk.active() == [] and desk.room.engine.has_left_work()
    assert desk.keeper.tick() >= 2
    assert len(desk.active()) == 300
    page = desk.room.flows.list_elements(flow.flow.id, "clean", actor=OPERATOR, limit=500)
    rest = desk.room.flows.list_elements(flow.flow.id, "clean", actor=OPERATOR, limit=500, cursor=page.next_cursor)
    assert [each.element for each in (*page.items, *rest.items)] == list(range(700))
    with pytest.raises(StepNotFound):
        desk.room.flows.list_elements(flow.flow.id, "clan", actor=OPERATOR)


def test_step_when_it_was_left_to_the_keeper_and_another_run_ends_then_it_is_not_forgotten(desk: FlowDesk) -> None:
    desk.add("find")
    desk.add("other")
    desk.add("each", {"pipelines": ["find"], "foreach": "find.files", "limit": 3})
    flow = desk.start("find", "other")
    find, other = desk.active()
    desk.end(find, outputs={"files": list(range(60))})
    assert desk.state(flow, "each") == "WAITING"
    desk.end(other)  # before the keeper has looked
    desk.keeper.tick()
    assert desk.state(flow, "each") == "RUNNING"
    assert len(desk.active("each")) == 3


def test_parameters_when_they_do_not_fit_then_the_element_says_so(desk: FlowDesk) -> None:
    desk.add("extract")
    desk.add(
        "load",
        {"pipelines": ["extract"], "params": {"N": "{extract.n}"}},
        params_schema={"properties": {"N": {"type": "integer"}}},
    )
    for told, why in (({"n": "three"}, "params.N"), ({}, "extract.n was not told")):
        flow = desk.start("extract")
        desk.end_all(outputs=told)
        assert desk.states(flow)["load"] == "FAILED" and why in desk.why(flow, "load")


def test_policy_when_it_skips_a_run_over_the_limit_then_the_step_is_skipped(desk: FlowDesk) -> None:
    desk.add("extract")
    desk.add("load", ["extract"], concurrency={"limit": 1, "policy": "skip"})
    held = desk.runs.submit("load", {}, actor=OPERATOR)
    flow = desk.start("extract")
    desk.end_all("extract")
    assert desk.keeper.tick() == 1
    assert desk.states(flow)["load"] == "SKIPPED" and held.id in desk.why(flow, "load")


def test_policy_when_it_cancels_the_newcomer_then_the_step_fails_with_its_words(desk: FlowDesk) -> None:
    desk.add("extract")
    desk.add("load", ["extract"], concurrency={"limit": 1, "policy": "cancel-new"})
    desk.runs.submit("load", {}, actor=OPERATOR)
    flow = desk.start("extract")
    desk.end_all("extract")
    desk.keeper.tick()
    assert desk.states(flow)["load"] == "FAILED" and "cancel-new" in desk.why(flow, "load")


def test_policy_when_a_fan_out_replaces_its_own_runs_then_every_element_has_one_end(desk: FlowDesk) -> None:
    fan_out(desk, max_failures=9)
    desk.catalogue.add(
        "clean",
        after={"pipelines": ["extract"], "foreach": "extract.files", "limit": 2, "max_failures": 9},
        concurrency={"limit": 1, "policy": "cancel-old"},
    )
    flow = desk.start("extract")
    desk.end_all(outputs={"files": [1, 2, 3]})
    for _ in range(10):
        desk.keeper.tick()
        desk.end_all("clean")
    states = [element.state for element in desk.elements(flow, "clean")]
    assert states.count(ElementState.SUCCESS) >= 1 and not {ElementState.WAITING, ElementState.RUNNING} & set(states)


def test_handed_bytes_when_upstreams_left_artifacts_then_they_are_summed_for_those_that_run_after_them(
    desk: FlowDesk,
) -> None:
    desk.add("extract")
    desk.add("rates")
    desk.add("load", {"pipelines": ["extract", "rates"]})
    flow = desk.start("extract", "rates")
    alone = desk.runs.submit("rates", {}, actor=OPERATOR)
    of_roots = list(desk.view(flow).run_ids.values())
    now = desk.clock.now()
    rows = [
        {"run_id": run_id, "path": f"{number}.csv", "size_bytes": 10 * (number + 1), "sha256": "0", "created_at": now}
        for run_id in of_roots
        for number in range(2)
    ]
    with desk.database.write() as connection:
        connection.execute(insert(ARTIFACT), rows)
    desk.end_all()
    (load,) = desk.active("load")
    roots = [desk.runs.get(run_id, actor=OPERATOR) for run_id in of_roots]
    assert desk.room.store.load_handed_bytes([load, alone, *roots]) == {load.id: 60}
    assert desk.room.store.load_handed_bytes([alone]) == {}


# -- approvals ----------------------------------------------------------------------------------------------------------------


def test_approval_when_given_then_the_step_runs_and_a_second_one_is_refused(desk: FlowDesk) -> None:
    flow = desk.ask(users=["olga"], note="figures checked?")
    assert "figures checked?" in desk.why(flow, "deploy")
    with pytest.raises(Forbidden, match="may not decide"):
        desk.room.flows.decide(flow.flow.id, "deploy", "approve", actor=ANNA)
    with pytest.raises(NoApproval, match="needs no approval"):
        desk.room.flows.decide(flow.flow.id, "build", "approve", actor=OPERATOR)
    desk.room.flows.decide(flow.flow.id, "deploy", "approve", actor=OPERATOR, note="yes")
    assert [run.pipeline_name for run in desk.active()] == ["deploy"]
    with pytest.raises(NoApproval, match="approved already by user:olga"):
        desk.room.flows.decide(flow.flow.id, "deploy", "deny", actor=OPERATOR)
    assert "flow.approve" in audited(desk)


def test_approval_when_denied_then_the_step_fails_and_a_rerun_asks_again(desk: FlowDesk) -> None:
    flow = desk.ask()
    desk.room.flows.decide(flow.flow.id, "deploy", "deny", actor=ANNA, note="not today")
    assert desk.why(flow, "deploy") == "denied by user:anna: not today"
    assert desk.view(flow).flow.status is FlowStatus.FAILED
    desk.room.flows.rerun(flow.flow.id, actor=OPERATOR)
    assert desk.states(flow) == {"build": "SUCCESS", "deploy": "APPROVAL"}


@pytest.mark.parametrize(("policy", "state"), [("deny", "FAILED"), ("approve", "RUNNING")])
def test_approval_when_nobody_decides_then_the_timeout_does_once(desk: FlowDesk, policy: str, state: str) -> None:
    flow = desk.ask(on_timeout=policy)
    desk.clock.advance(timedelta(minutes=59))
    assert desk.keeper.tick() == 0
    desk.clock.advance(timedelta(minutes=1))
    with pytest.raises(NoApproval, match="was over at"):  # the keeper has not looked yet
        desk.room.flows.decide(flow.flow.id, "deploy", "approve", actor=OPERATOR)
    desk.keeper.tick()
    assert desk.states(flow)["deploy"] == state
    with pytest.raises(NoApproval, match="already by its timeout"):
        desk.room.flows.decide(flow.flow.id, "deploy", "approve", actor=OPERATOR)


# -- cancel, run again, look ------------------------------------------------------------------------------------------------------


def test_cancel_when_a_flow_runs_then_what_runs_is_stopped_and_nothing_follows(desk: FlowDesk) -> None:
    fan_out(desk)
    flow = desk.start("extract")
    with pytest.raises(FlowRuns):
        desk.room.flows.rerun(flow.flow.id, actor=OPERATOR)
    desk.end_all(outputs={"files": [1, 2, 3]})
    running = desk.active()
    desk.claim()
    desk.room.flows.cancel(flow.flow.id, actor=OPERATOR, reason="wrong day")
    desk.room.flows.cancel(flow.flow.id, actor=OPERATOR)
    desk.keeper.tick()
    assert all(run.cancel_requested_at is not None for run in desk.active())
    for run in running:
        desk.end(run, exit_code=1)
    after = desk.view(flow)
    assert after.flow.status is FlowStatus.FAILED
    assert after.flow.reason_text == "the flow was cancelled by user:olga: wrong day"
    assert desk.active() == [] and desk.states(flow)["load"] == "SKIPPED"
    with pytest.raises(FlowEnded):
        desk.room.flows.cancel(flow.flow.id, actor=OPERATOR)
    desk.room.flows.rerun(flow.flow.id, actor=OPERATOR)
    assert len(desk.active("clean")) == 2


def test_rerun_when_a_step_failed_then_the_rest_runs_with_the_code_as_it_is_now(desk: FlowDesk) -> None:
    desk.add("extract")
    desk.add("clean", ["extract"])
    desk.add("load", {"pipelines": ["clean"], "when": "clean.n > 0"})
    flow = desk.start("extract")
    desk.end_all()
    desk.end_all(exit_code=1)
    assert desk.states(flow) == {"extract": "SUCCESS", "clean": "FAILED", "load": "SKIPPED"}
    desk.add("clean", ["extract"], run_timeout=77.0)
    desk.room.flows.rerun(flow.flow.id, actor=OPERATOR)
    (clean,) = desk.active()
    assert clean.capsule["timeouts"]["run"] == 77.0 and clean.capsule["flow"]["attempt"] == 2
    desk.end(clean, outputs={"n": 1})
    desk.end_all()
    assert desk.view(flow).flow.status is FlowStatus.SUCCESS
    assert [element.is_current for element in desk.elements(flow, "clean")] == [False, True]
    with pytest.raises(NothingFailed):
        desk.room.flows.rerun(flow.flow.id, actor=OPERATOR)


def test_rerun_when_a_step_always_ran_after_the_failure_then_it_runs_again_and_what_is_beside_it_stays(
    desk: FlowDesk,
) -> None:
    desk.add("extract")
    desk.add("clean", ["extract"])
    desk.add("beside", ["extract"])
    desk.add("load", ["clean"])
    desk.add("report", {"pipelines": ["load"], "join": "always", "foreach": "params.mails"})
    flow = desk.start("extract", params={"mails": ["a", "b"]})
    desk.end_all()
    clean, beside = sorted(desk.active(), key=lambda run: run.pipeline_name, reverse=True)
    desk.end(clean, exit_code=1)
    desk.end(beside)
    desk.end_all("report")
    first = desk.elements(flow, "report")
    assert [each.state for each in first] == [ElementState.SUCCESS] * 2
    assert desk.state(flow, "load") == "SKIPPED" and desk.view(flow).flow.status is FlowStatus.FAILED
    desk.room.flows.rerun(flow.flow.id, actor=OPERATOR)
    assert [run.pipeline_name for run in desk.active()] == ["clean"]
    assert desk.states(flow) | {"beside": "SUCCESS"} == {
        "extract": "SUCCESS", "beside": "SUCCESS", "clean": "RUNNING", "load": "WAITING", "report": "WAITING",
    }  # fmt: skip
    while desk.end_all():
        pass
    assert set(desk.states(flow).values()) == {"SUCCESS"}
    again = [each for each in desk.elements(flow, "report") if each.is_current]
    assert [each.attempt for each in again] == [2, 2] and not {each.run_id for each in again} & {
        each.run_id for each in first
    }
    assert [each.attempt for each in desk.elements(flow, "beside")] == [1]


def test_list_when_the_actor_is_scoped_then_only_flows_whose_roots_are_theirs(desk: FlowDesk) -> None:
    for name in ("a", "b"):
        desk.add(name)
    flows = [desk.start("a"), desk.start("b"), desk.start("a", "b")]
    scoped = Actor(name="token:a", role=Role.VIEWER, pipelines={"a"})
    assert [view.flow.id for view in desk.room.flows.list(actor=scoped).items] == [flows[0].flow.id]
    with pytest.raises(Forbidden):
        desk.room.flows.get(flows[1].flow.id, actor=scoped)
    page = desk.room.flows.list(FlowFilter(pipeline_name="b"), actor=OPERATOR, limit=1)
    assert [view.flow.id for view in page.items] == [flows[2].flow.id] and page.next_cursor


def test_code_when_a_flow_may_still_need_it_then_it_is_kept(desk: FlowDesk) -> None:
    desk.add("extract")
    desk.add("load", ["extract"])
    flow = desk.start("extract")
    assert desk.room.store.find_needed_code(["t" * 64, "u" * 64]) == {"t" * 64}
    desk.end_all(exit_code=1)
    assert desk.view(flow).flow.status is FlowStatus.FAILED
    assert desk.room.store.find_needed_code(["t" * 64]) == set()
