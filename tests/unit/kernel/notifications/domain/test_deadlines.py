"""Deadlines on the clocks of their zone."""

from datetime import UTC, datetime, timedelta

import pytest

from fastflow.kernel.notifications.domain.deadlines import next_deadline
from fastflow.kernel.notifications.domain.rule import DAYS, RuleDefinition


def rule(by: str = "08:00", zone: str = "Europe/Berlin", **values: object) -> RuleDefinition:
    given = {"pipeline_name": "demo", "events": ("deadline",), "by": by, "timezone": zone, **values}
    return RuleDefinition(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("by", "after", "expected"),
    [
        ("08:00", "2026-01-15T06:59", "2026-01-15T07:00"),
        ("08:00", "2026-01-15T07:00", "2026-01-16T07:00"),
        ("08:00", "2026-03-28T12:00", "2026-03-29T06:00"),
        ("02:30", "2026-03-28T12:00", "2026-03-29T01:00"),  # left out by the clocks: the end of the gap
        ("02:30", "2026-10-24T12:00", "2026-10-25T00:30"),  # comes twice: the first counts
    ],
)
def test_deadline_when_the_clocks_change_then_it_comes_once(by: str, after: str, expected: str) -> None:
    found = next_deadline(rule(by), datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "UTC"])
def test_deadlines_when_followed_for_years_then_they_strictly_increase_one_a_day(zone: str) -> None:
    at, wanted, count = datetime(2010, 1, 1, tzinfo=UTC), rule("02:30", zone), 0
    while at.year < 2013:
        following = next_deadline(wanted, at)
        assert following is not None
        assert (
            timedelta(0) < following - at < timedelta(hours=50)
        )  # Apia left out a whole day: its deadline came at the end
        at, count = following, count + 1
    assert abs(count - 1096) <= 2


def test_deadline_when_no_rule_asks_for_one_then_there_is_none() -> None:
    assert next_deadline(rule(events=("failure",)), datetime(2026, 1, 1, tzinfo=UTC)) is None
    assert DAYS[datetime(2026, 1, 15, tzinfo=UTC).weekday()] == "thu"
