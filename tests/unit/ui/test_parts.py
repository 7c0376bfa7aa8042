from datetime import UTC, datetime

import pytest

from fastflow.ui.parts import lasting, seconds, size, when

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        (0, "0 ms"),
        (0.9994, "999 ms"),
        (9.94, "9.9 s"),
        (59.4, "59 s"),
        (60, "1 min 0 s"),
        (3600, "1 h 0 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_seconds_when_shown_then_as_precise_as_people_use(length: float, shown: str) -> None:
    assert seconds(length) == shown


@pytest.mark.parametrize(
    ("count", "shown"), [(None, "–"), (0, "0 B"), (999, "999 B"), (1536, "1.5 KB"), (5 * 2**30, "5.0 GB")]
)
def test_size_when_shown_then_in_the_unit_that_fits(count: int | None, shown: str) -> None:
    assert size(count) == shown


def test_when_when_shown_then_the_browser_gets_the_instant() -> None:
    shown = when(NOON, "clock")
    assert shown is not None
    assert 'datetime="2026-11-21T12:00:00Z"' in shown
    assert when(None) is None


def test_lasting_when_not_finished_then_the_browser_counts_on() -> None:
    assert 'data-since="2026-11-21T12:00:00Z"' in lasting(NOON, None)
    assert "data-since" not in lasting(NOON, NOON)
