"""How schedules, due times, ledgers and simulations are shown to people."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from fastflow.cli.schedule_tables import (
    describe_pause,
    print_due_times,
    print_ledger,
    print_schedule,
    print_schedules,
    print_simulation,
    span,
)

PAUSE = {"scope": "pipeline", "subject": "rfm", "since": "2026-11-21T04:35:18Z", "by": "user:olga", "reason": "move"}
LAST = {"due_at": "2026-11-20T01:30:00Z", "outcome": "missed", "why": "Noticed 3 h late.", "run_id": None}
JOB: dict[str, Any] = {
    "id": "019a6c1e-7d4b-7cc0-8000-3f2a1b0c9d8e", "pipeline_name": "rfm", "name": "nightly", "origin": "user",
    "trigger": "cron", "expression": "30 2 * * *", "timezone": "Europe/Berlin", "params": {"CITY": "Ulm"}, "pauses": [],
    "enabled": True, "start_at": None, "end_at": None, "jitter": 30.0, "overlap": "skip", "missed": "last",
    "catch_up_window": 86400.0, "priority": 0, "next_due_at": "2026-11-22T01:30:00Z", "last": LAST, "problem": None,
    "created_by": "user:olga",
}  # fmt: skip
DUE = {"local": "2026-11-22T02:30:00+01:00", "due_at": "x", "fire_at": "x", "note": None}


def test_schedules_when_listed_then_a_line_each_and_troubles_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = [
        JOB,
        {**JOB, "name": "held", "pauses": [PAUSE]},
        {**JOB, "name": "lost", "problem": "There is no pipeline 'rfm'."},
        {**JOB, "name": "done", "trigger": "once", "next_due_at": None, "last": None},
        {**JOB, "name": "often", "trigger": "interval", "expression": "5m"},
    ]
    print_schedules(jobs)
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[1].split()[:2] == ["1b0c9d8e", "rfm/nightly"]
    assert " 2026-11-22T02:30:00+01:00 " in lines[1], "on the clocks of its zone"
    states = ["on", "paused", "troubled", "over", "on"]
    assert all(f" {state} " in line for state, line in zip(states, lines[1:], strict=True))
    assert "once at 30 2" in lines[4] and "every 5m" in lines[5]
    assert err == "rfm/lost: There is no pipeline 'rfm'.\n"


def test_schedules_when_there_are_none_then_says_how_to_make_one(capsys: pytest.CaptureFixture[str]) -> None:
    print_schedules([])
    assert "fastflow schedules add" in capsys.readouterr().err


def test_schedule_when_shown_then_tells_what_keeps_it_and_what_comes(capsys: pytest.CaptureFixture[str]) -> None:
    print_schedule({**JOB, "pauses": [PAUSE]}, [DUE, {**DUE, "note": "moved"}])
    out = capsys.readouterr().out
    assert "paused      pipeline rfm was paused by user:olga at" in out and "(move)" in out
    assert "missed      last, within 24 h 0 min" in out
    assert "jitter      up to 30.0 s" in out
    assert "next due    2026-11-22T02:30:00+01:00, 2026-11-22T02:30:00+01:00 (moved)" in out
    print_schedule({**JOB, "missed": "none", "origin": "code", "last": None}, [])
    out = capsys.readouterr().out
    assert "next due    never again" in out and "the pipeline's settings" in out
    print_schedule({**JOB, "missed": "all", "catch_up_window": None}, [])
    assert "all, whatever its age" in capsys.readouterr().out


def test_due_times_and_ledger_when_shown_then_on_the_zones_clock(capsys: pytest.CaptureFixture[str]) -> None:
    print_due_times([DUE])
    assert capsys.readouterr().out.split() == ["DUE", "NOTE", "2026-11-22T02:30:00+01:00"]
    print_due_times([DUE, {**DUE, "fire_at": "2026-11-22T01:30:07Z"}])
    assert capsys.readouterr().out.splitlines()[2].split()[1] == "2026-11-22T01:30:07Z"
    print_ledger([LAST, {**LAST, "outcome": "started", "run_id": JOB["id"]}], "Europe/Berlin")
    out = capsys.readouterr().out
    assert "2026-11-20T02:30:00+01:00  missed" in out and "1b0c9d8e" in out and "Noticed 3 h late." in out


def test_simulation_when_shown_then_changes_of_clocks_and_cuts_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    item = {**DUE, "job_id": JOB["id"], "pipeline_name": "rfm", "name": "nightly", "paused": "it was paused"}
    trial = {**item, "job_id": None, "paused": None}
    print_simulation({"items": [item, trial], "clock_changes": [{"text": "The clocks go back."}], "truncated": True})
    out, err = capsys.readouterr()
    assert "no: it was paused" in out and "(not made)" in out
    print_simulation(
        {
            "items": [{**item, "note": "The clocks go back."}],
            "clock_changes": [{"text": "The clocks go back."}],
            "truncated": False,
        }
    )
    assert capsys.readouterr().err == ""
    assert err.splitlines() == ["The clocks go back.", "There are more: raise --limit, or bring --to nearer."]


@pytest.mark.parametrize(("scope", "said"), [("schedule", "it was"), ("system", "the whole system was")])
def test_pause_when_described_then_says_what_was_paused(scope: str, said: str) -> None:
    assert describe_pause({**PAUSE, "scope": scope, "reason": None}).startswith(f"{said} paused by user:olga at ")


def test_span_when_left_away_then_seven_days_from_now() -> None:
    start, end = map(datetime.fromisoformat, span(None, None))
    assert end - start == timedelta(days=7)
    start, end = map(datetime.fromisoformat, span("2026-01-01T00:00Z", None))
    assert end.isoformat() == "2026-01-08T00:00:00+00:00"
