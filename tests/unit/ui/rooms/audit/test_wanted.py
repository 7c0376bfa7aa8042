from datetime import UTC, datetime, timedelta

import pytest

from fastflow.kernel.audit.domain.entries import AuditFilter
from fastflow.ui.rooms.audit.wanted import instant, read_filter

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_filter_when_words_are_short_then_a_name_is_a_users_and_a_word_a_kind() -> None:
    assert read_filter({"actor": " anna ", "action": "run", "subject": "x"}, NOW) == AuditFilter(
        actor="user:anna", action="run.", subject="x"
    )
    assert read_filter({"actor": "system", "action": "run.submit"}, NOW) == AuditFilter(
        actor="system", action="run.submit"
    )


def test_filter_when_a_period_is_chosen_then_instants_count_only_between() -> None:
    given = {"since": "2026-11-20T00:00:00Z", "until": "2026-11-21T00:00:00.000Z"}
    assert read_filter({**given, "period": "day"}, NOW) == AuditFilter(since=NOW - timedelta(days=1))
    assert read_filter({**given, "period": "between"}, NOW) == AuditFilter(
        since=datetime(2026, 11, 20, tzinfo=UTC), until=datetime(2026, 11, 21, tzinfo=UTC)
    )


@pytest.mark.parametrize("text", ["", "soon", "2026-11-21T04:35:00"])
def test_instant_when_it_is_none_or_without_zone_then_left_out(text: str) -> None:
    assert instant(text) is None
