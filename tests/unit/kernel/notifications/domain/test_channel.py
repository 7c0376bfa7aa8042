"""Channels: quiet hours over midnight and over changes of the clocks, addresses that nobody sees."""

from datetime import UTC, datetime

import pytest

from fastflow.kernel.notifications.domain.channel import ChannelSettings, QuietHours, check_settings, check_urls
from fastflow.kernel.notifications.domain.rule import Severity

BERLIN = QuietHours(start="22:00", end="07:00", timezone="Europe/Berlin")


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        (BERLIN, "2026-01-15T20:59", None),
        (BERLIN, "2026-01-15T21:00", "2026-01-16T06:00"),
        (BERLIN, "2026-01-16T05:59", "2026-01-16T06:00"),
        (BERLIN, "2026-01-16T06:00", None),
        (BERLIN, "2026-03-29T00:30", "2026-03-29T05:00"),  # the night that is an hour shorter
        (BERLIN, "2026-10-25T00:30", "2026-10-25T06:00"),  # the night that is an hour longer
        (QuietHours(start="12:00", end="13:00"), "2026-01-15T12:30", "2026-01-15T13:00"),
        (QuietHours(start="22:00", end="07:00", days=("fri",)), "2026-01-16T01:00", None),
        (QuietHours(start="22:00", end="07:00", days=("thu",)), "2026-01-16T01:00", "2026-01-16T07:00"),
        (QuietHours(start="01:00", end="02:30", timezone="Europe/Berlin"), "2026-03-29T00:30", "2026-03-29T01:00"),
    ],
)
def test_quiet_hours_when_asked_then_they_say_when_they_end(hours: QuietHours, now: str, until: str | None) -> None:
    found = hours.end_of(datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert found == (None if until is None else datetime.fromisoformat(until).replace(tzinfo=UTC))


def test_channel_when_quiet_then_only_the_grave_gets_through() -> None:
    now = datetime(2026, 1, 16, 1, 0, tzinfo=UTC)
    settings = ChannelSettings(quiet=(BERLIN,))
    assert settings.quiet_until(now, Severity.WARNING) is not None
    assert settings.quiet_until(now, Severity.CRITICAL) is None
    assert ChannelSettings(quiet=(BERLIN,), breaks_quiet=None).quiet_until(now, Severity.CRITICAL) is not None


def test_addresses_when_wrong_then_none_is_shown() -> None:
    problems = dict(check_urls(["secret-token"])) | dict(check_urls(["json://secret-token\n"]))
    assert "secret-token" not in str(problems)
    assert "no URL with a scheme" in dict(check_urls(["secret-token"]))["urls"]
    assert "is empty" in dict(check_urls([]))["urls"]


def test_settings_when_wrong_then_each_field_is_named() -> None:
    wrong = ChannelSettings(
        group_window=-1,
        breaks_quiet="grave",
        quiet=(QuietHours(start="25:00", end="07:00"), QuietHours(start="1:00", end="1:00")),
    )
    assert set(dict(check_settings(wrong))) == {"group_window", "breaks_quiet", "quiet.1.start", "quiet.2.end"}
