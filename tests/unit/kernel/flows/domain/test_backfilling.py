"""The times of a backfill."""

from typing import Any

import pytest

from fastflow.kernel.flows.domain.backfilling import BackfillRequest, plan_backfill
from fastflow.kernel.flows.domain.errors import InvalidBackfill


def request(**values: Any) -> BackfillRequest:
    given = {"pipeline_name": "demo", "since": "2026-01-01", "until": "2026-01-03", "params": {"DAY": "{date}"}}
    return BackfillRequest(**{**given, **values})


def keys(**values: Any) -> list[str]:
    return [slot.key for slot in plan_backfill(request(**values))]


def test_days_when_both_ends_are_dates_then_both_are_included() -> None:
    assert keys() == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert keys(order="newest") == ["2026-01-03", "2026-01-02", "2026-01-01"]
    assert keys(until="2026-01-01") == ["2026-01-01"]


def test_days_when_clocks_change_then_none_is_left_out_or_doubled() -> None:
    assert len(keys(since="2026-03-01", until="2026-03-31", timezone="Europe/Berlin")) == 31
    found = keys(since="2026-03-28T02:30", until="2026-03-30T02:30", timezone="Europe/Berlin")
    assert [key[:10] for key in found] == ["2026-03-28", "2026-03-29", "2026-03-30"]


def test_hours_when_days_are_given_then_the_last_day_is_whole() -> None:
    found = keys(until="2026-01-01", step="6h", params={"AT": "{start}", "TO": "{end}"})
    assert found == [f"2026-01-01T{hour:02}:00:00+00:00" for hour in (0, 6, 12, 18)]


def test_cron_when_given_then_its_due_times() -> None:
    found = keys(step="30 6 * * 1", until="2026-01-31", timezone="Europe/Berlin", params={"AT": "{start}"})
    assert found == [f"2026-01-{day:02}T06:30:00+01:00" for day in (5, 12, 19, 26)]


def test_placeholders_when_filled_then_each_has_its_meaning() -> None:
    params = {"A": "{year}/{month}/{day}", "B": "{number}", "C": "{end}", "D": 7, "E": "{{x}}"}
    (slot,) = plan_backfill(request(until="2026-01-01", params=params))
    assert slot.params == {"A": "2026/01/01", "B": "1", "C": "2026-01-02T00:00:00+00:00", "D": 7, "E": "{x}"}


@pytest.mark.parametrize(
    ("values", "field", "told"),
    [
        ({"until": "2025-12-31"}, "until", "is before 2026-01-01, the first time"),
        ({"since": "yesterday"}, "since", "no date or instant"),
        ({"since": "2026-02-30"}, "since", "no date or instant"),
        ({"step": "fortnight"}, "step", "neither a length of time"),
        ({"step": "0"}, "step", "neither a length of time"),
        ({"step": "61 * * * *"}, "step", ""),
        ({"step": "0 0 31 2 *"}, "step", ""),
        ({"timezone": "Europe/Berln"}, "timezone", ""),
        ({"params": {"DAY": "{dat}"}}, "params.DAY", "no placeholder"),
        ({"params": {"DAY": "{date:>99999999}"}}, "params.DAY", "no placeholder"),
        ({"params": {"DAY": "{date.__class__}"}}, "params.DAY", "no placeholder"),
        ({"params": {"DAY": "{date"}}, "params.DAY", "no template"),
        ({"since": "1026-01-01"}, "since", "before 1970"),
    ],
)
def test_backfill_when_something_is_wrong_then_told_by_its_field(values: dict[str, Any], field: str, told: str) -> None:
    with pytest.raises(InvalidBackfill) as caught:
        plan_backfill(request(**values))
    assert told in caught.value.fields[field]


def test_backfill_when_of_a_million_runs_then_refused_at_once_with_the_number() -> None:
    with pytest.raises(InvalidBackfill, match="1,051,200 runs; at most 10,000") as caught:
        plan_backfill(request(since="2026-01-01", until="2026-12-31", step="30s", params={"AT": "{start}"}))
    assert "maximum" in caught.value.hint
    with pytest.raises(InvalidBackfill, match="more than 10,000 runs"):
        plan_backfill(request(until="2026-12-31", step="* * * * *", params={"AT": "{start}"}))
