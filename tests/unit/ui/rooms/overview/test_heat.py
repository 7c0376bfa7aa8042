"""Hours in the reader's zone."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from fastflow.ui.rooms.overview.heat import DAYS, HOURS, edges_of


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Australia/Lord_Howe"])
@pytest.mark.parametrize("now", [datetime(2026, 3, 30, 12, tzinfo=UTC), datetime(2026, 10, 27, 1, tzinfo=UTC)])
def test_edges_when_the_clock_is_changed_then_the_hours_still_cover_the_days_without_gap(
    zone: str, now: datetime
) -> None:
    here = ZoneInfo(zone)
    days, edges = edges_of(now, here)
    assert (len(days), len(edges)) == (DAYS, DAYS * HOURS + 1)
    assert edges[0].astimezone(here).hour == edges[-1].astimezone(here).hour == 0
    assert all(timedelta() <= after - before <= timedelta(hours=2) for before, after in pairwise(edges))
    assert edges[0] <= now < edges[-1]
    assert days[-1] == now.astimezone(here).date()
