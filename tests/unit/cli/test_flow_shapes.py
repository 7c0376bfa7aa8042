"""How people name flows and backfills, and what they are told of them."""

from typing import Any

import pytest

from fastflow.cli.backfill import in_flags
from fastflow.cli.errors import ServerProblem
from fastflow.cli.flow_shapes import find_flow, print_flow, print_flows, print_slots
from fastflow.kit.errors import NotFound

FLOW = "0199aaaa-0000-7000-8000-000000000001"
BACKFILL = "0199bbbb-0000-7000-8000-00000000abcd"


class Lists:
    """The lists of an API."""

    def __init__(self, **lists: list[str]) -> None:
        self._lists = lists

    def get(self, path: str, **_query: Any) -> dict[str, Any]:
        return {"items": [{"id": each} for each in self._lists[path.strip("/")]]}


def test_find_flow_when_the_short_id_is_of_a_backfill_then_found_as_well() -> None:
    api: Any = Lists(flows=[FLOW], backfills=[BACKFILL])
    assert find_flow(api, BACKFILL[-6:], kind="flows or backfills") == BACKFILL
    assert find_flow(api, FLOW[-6:]) == find_flow(api, "last") == FLOW
    assert find_flow(api, "last", kind="backfills") == BACKFILL
    with pytest.raises(NotFound):
        find_flow(api, FLOW[-6:], kind="backfills")
    without: Any = Lists(flows=[], backfills=[BACKFILL])
    assert find_flow(without, "last", kind="flows or backfills") == BACKFILL


def test_backfill_when_refused_then_the_words_name_flags() -> None:
    fields = {"until": "2026-01-01 is before 2026-02-01, the first time"}
    told = f"The backfill is not valid: until: {fields['until']}."
    error = in_flags(ServerProblem({"detail": told, "fields": fields}, 422))
    assert error.message == f"The backfill is not valid: --to: {fields['until']}."
    assert list(error.fields) == ["--to"]


def test_slots_when_some_were_done_then_the_first_line_and_theirs_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    slots = [
        {"key": "2026-01-01", "params": {}, "already": "done"},
        {"key": "2026-01-02", "params": {"DAY": "2026-01-02", "FULL": True}, "already": None},
    ]
    plan = {"total": 2, "to_run": 1, "done_already": 1, "under_way_already": 0, "done_by": ["x"]}
    print_slots({**plan, "first": slots, "last": []})
    assert capsys.readouterr().out.splitlines() == [
        "1 to run, 1 done already (by backfill x); nothing was made.",
        "2026-01-01  (done already)",
        "2026-01-02  DAY=2026-01-02  FULL=true",
    ]


def test_flow_when_its_path_is_one_step_then_no_mark_without_a_legend(capsys: pytest.CaptureFixture[str]) -> None:
    step: dict[str, Any] = {
        "name": "a",
        "upstreams": [],
        "join": None,
        "state": "RUNNING",
        "why": "",
        "duration": None,
        "critical": True,
    }
    flow: dict[str, Any] = {
        **dict.fromkeys(("id", "name", "status", "submitted_by", "trigger", "finished_at", "text"), "x"),
        "kind": "flow",
        "attempt": 1,
        "params": {},
        "created_at": "2026-01-01T00:00:00Z",
        "finished_at": None,
        "critical_path": ["a"],
        "critical_seconds": 1.0,
        "steps": [step],
    }
    print_flow(flow)
    assert "*" not in capsys.readouterr().out
    print_flow({**flow, "critical_path": ["a", "b"], "steps": [step, {**step, "name": "b", "upstreams": ["a"]}]})
    told = capsys.readouterr().out
    assert "a*  running" in told and "* critical path  a -> b" in told


def test_backfill_when_cancelled_then_listed_as_that_with_what_has_run(capsys: pytest.CaptureFixture[str]) -> None:
    one: dict[str, Any] = {
        **dict.fromkeys(("name", "submitted_by", "trigger"), "x"),
        "id": BACKFILL,
        "kind": "backfill",
        "status": "FAILED",
        "cancel_requested_at": "2026-01-01T00:00:00Z",
        "created_at": "2026-01-01T00:00:00Z",
        "attempt": 1,
        "detail": {},
        "elements": {"total": 90, "waiting": 0, "running": 0, "success": 8, "failed": 2, "skipped": 80},
    }
    print_flows([one], empty="none")
    told = capsys.readouterr().out
    assert "FAILED (cancelled)" in told and "10/90" in told and "90/90" not in told
