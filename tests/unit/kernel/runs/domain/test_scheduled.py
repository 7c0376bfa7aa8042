"""What a run knows of its due time."""

from datetime import UTC, datetime

from fastflow.kernel.runs.domain.capsule import Capsule, FrozenRequest
from fastflow.kernel.runs.domain.scheduled import Scheduled, schedule_environment

DUE = Scheduled(
    schedule_id="s", name="nightly", due_at=datetime(2027, 7, 1, 0, 30, tzinfo=UTC), timezone="Europe/Berlin"
)


def test_due_time_when_kept_in_a_capsule_then_the_script_is_told_it_in_utc_and_on_the_schedules_clocks() -> None:
    capsule = Capsule(
        tree_hash="t", script="main.py", environment=FrozenRequest(input_hash="i", kind="none"), schedule=DUE.to_json()
    )
    kept = Capsule.from_json(capsule.to_json()).schedule
    assert schedule_environment(kept) == {
        "FASTFLOW_SCHEDULE_ID": "s",
        "FASTFLOW_DUE_AT": "2027-07-01T00:30:00Z",
        "FASTFLOW_SCHEDULED_AT": "2027-07-01T02:30:00+02:00",
    }


def test_run_when_no_schedule_submitted_it_then_it_is_told_nothing() -> None:
    capsule = Capsule(tree_hash="t", script="main.py", environment=FrozenRequest(input_hash="i", kind="none"))
    before = {name: value for name, value in capsule.to_json().items() if name != "schedule"}
    assert schedule_environment(Capsule.from_json(before).schedule) == {}
