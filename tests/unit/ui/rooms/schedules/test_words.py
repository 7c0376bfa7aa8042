from datetime import UTC, datetime
from pathlib import Path

import pytest

from fastflow.kernel.schedules.domain.schedule import Timing, Trigger
from fastflow.ui import rooms
from fastflow.ui.rooms.schedules.words import in_words
from fastflow.ui.texts import Catalogue

TEXTS = Catalogue([Path(rooms.__file__).parent / "schedules" / "texts.toml"])


@pytest.mark.parametrize(
    ("trigger", "expression", "english", "german"),
    [
        ("cron", "*/15 * * * *", "Every 15 minutes", "Alle 15 Minuten"),
        ("cron", "5 * * * *", "Every hour at minute 05", "Jede Stunde zur Minute 05"),
        ("cron", "30 2 * * *", "Every day at 02:30", "Täglich um 02:30"),
        ("cron", "0 8,17 * * MON-FRI", "Monday to Friday at 08:00, 17:00", "Montag bis Freitag um 08:00, 17:00"),
        ("cron", "0 9 * * 6,0", "Saturday, Sunday at 09:00", "Samstag, Sonntag um 09:00"),
        ("cron", "0 6 L * *", "Last day of the month at 06:00", "Am letzten Tag des Monats um 06:00"),
        ("interval", "90m", "Every 1 h 30 min", "Alle 1 h 30 min"),
        ("cron", "*/7 3-9 * 2 *", None, None),
    ],
)
def test_timing_when_shown_then_in_the_readers_words(
    trigger: Trigger, expression: str, english: str | None, german: str | None
) -> None:
    timing = Timing(trigger=trigger, expression=expression, timezone="UTC", anchor_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert in_words(TEXTS.texts("en"), timing) == english
    assert in_words(TEXTS.texts("de"), timing) == german
