"""`fastflow doctor` on schedules."""

from typing import Any

from fastflow.cli.schedule_check import judge_status, notes_on_missing

STATUS: dict[str, Any] = {"schedules": 3, "next_fire_at": "2026-11-22T01:30:00Z", "pauses": [], "troubled": []}
TROUBLE = {"id": "x", "pipeline_name": "rfm", "name": "nightly", "problem": "There is no pipeline 'rfm'."}
PAUSE = {"scope": "system", "subject": "*", "since": "2026-11-21T04:35:18Z", "by": "user:ada", "reason": None}


def test_status_when_all_is_well_then_tells_how_many_and_when() -> None:
    finding = judge_status(STATUS)
    assert finding.level == "ok" and finding.text.startswith("3 schedules, next due 2026-11-2")
    assert judge_status({**STATUS, "schedules": 0, "next_fire_at": None}).text == "0 schedules"


def test_status_when_schedules_cannot_start_runs_then_names_a_few_and_what_to_do() -> None:
    finding = judge_status({**STATUS, "troubled": [TROUBLE] * 5})
    assert finding.level == "warning"
    assert (
        "5 cannot start runs: rfm/nightly: There is no pipeline 'rfm'; " in finding.text
        and "(and 2 more)" in finding.text
    )
    assert "remove the schedule" in finding.remedy


def test_notes_when_a_pipeline_is_not_there_any_more_then_each_of_its_schedules_is_named() -> None:
    broken = {**TROUBLE, "pipeline_name": "there", "problem": "The pipeline 'there' is broken."}
    (note,) = notes_on_missing({**STATUS, "troubled": [TROUBLE, broken]}, {"there"})
    assert note.startswith("the schedule rfm/nightly starts nothing: there is no pipeline 'rfm'.")


def test_status_when_something_is_paused_then_that_is_worth_knowing() -> None:
    finding = judge_status({**STATUS, "pauses": [PAUSE]})
    assert finding.level == "note" and "the whole system was paused by user:ada" in finding.text
