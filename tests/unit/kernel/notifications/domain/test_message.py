"""Messages say what, since when, why, where and what to do."""

from dataclasses import replace

import pytest

from fastflow.kernel.notifications.domain.message import MAX_TITLE, Surroundings, compose, summarise
from fastflow.kernel.notifications.domain.rule import EVENTS
from fastflow.testing.clock import START
from fastflow.testing.notification_doubles import make_alert


def test_failure_when_it_is_not_the_first_then_since_when_is_told() -> None:
    alert = make_alert()
    alert = replace(alert, facts={**alert.facts, "failures": 3})
    body = compose(alert, Surroundings()).body
    assert "It is the 3rd failure in a row, since 2026-01-15 12:00:00 UTC." in body
    assert "Why: exit code 3\n" in body
    assert "Look:" not in body


@pytest.mark.parametrize("event", EVENTS)
def test_message_when_facts_are_missing_then_it_is_made_all_the_same(event: str) -> None:
    message = compose(make_alert(event=event, facts={}), Surroundings(url="https://flow.example.org/"))
    assert message.title.startswith("[") and message.body


def test_failure_when_told_after_the_next_success_then_it_says_that_it_is_over() -> None:
    alert = make_alert(resolved_at=START)
    message = compose(alert, Surroundings())
    assert message.title.endswith("(over)") and "the pipeline succeeded at 2026-01-15 12:00:00 UTC" in message.body
    assert summarise([alert, alert], "came in quiet hours").body.count("(over)") == 2


def test_title_when_the_reason_is_long_and_wild_then_it_is_one_short_line() -> None:
    alert = make_alert()
    alert = replace(alert, facts={**alert.facts, "reason_text": "\x1b[31mred\x1b[0m\nSubject: other" + "x" * 500})
    message = compose(alert, Surroundings(lines=["\x00\x07beep"]))
    assert len(message.title) == MAX_TITLE and "\n" not in message.title and "\x1b" not in message.title
    assert "\x07" not in message.body and "  beep" in message.body


def test_summary_when_there_are_many_then_the_rest_is_counted() -> None:
    alerts = [make_alert() for _ in range(25)] + [make_alert(event="late", facts={"due_at": START.isoformat()})]
    message = summarise(alerts, "came in quiet hours")
    assert message.title == "[25 x FAILED, 1 x LATE] demo"
    assert "26 alerts came in quiet hours." in message.body and "… and 6 more" in message.body
