"""Rules: every problem by field; what is right in the form it is kept in."""

from typing import Any

import pytest

from fastflow.kernel.notifications.domain.errors import InvalidRule
from fastflow.kernel.notifications.domain.rule import RuleDefinition, Severity, check, read_time
from fastflow.testing.notification_doubles import make_demo_rule


@pytest.mark.parametrize(
    ("values", "field", "told"),
    [
        ({"channels": ()}, "channels", "names nobody"),
        ({"channels": tuple(map(str, range(21)))}, "channels", "at most 20"),
        ({"events": ()}, "events", "is empty"),
        ({"events": ("failur",)}, "events", "Did you mean 'failure'?"),
        ({"events": ("system",)}, "events", "no pipeline's own"),
        ({"events": ("deadline",), "pipeline_name": None, "by": "08:00"}, "events", "needs a pipeline"),
        ({"events": ("deadline",)}, "by", "is missing"),
        ({"events": ("deadline",), "by": "25:00"}, "by", "no time of day"),
        ({"events": ("deadline",), "by": "08:00", "days": ()}, "days", "is empty"),
        ({"events": ("deadline",), "by": "08:00", "days": ("monday",)}, "days", "none of mon"),
        ({"events": ("slow",), "factor": None}, "factor", "is missing"),
        ({"events": ("slow",), "factor": 1.0}, "factor", "not above 1"),
        ({"events": ("slow",), "factor": None, "mad": 0.0}, "mad", "not above 0"),
        ({"events": ("slow",), "min_history": 1}, "min_history", "not from 2"),
        ({"after": 0.0}, "after", "not above 0"),
        ({"repeat_every": 10.0}, "repeat_every", "less than 60"),
        ({"severity": "grave"}, "severity", "none of info"),
        ({"reasons": ()}, "reasons", "is empty"),
        ({"reasons": ("crash",)}, "reasons", "none of exit"),
        ({"name": "a b"}, "name", "not made of letters"),
    ],
)
def test_rule_when_wrong_then_the_field_is_named(values: dict[str, Any], field: str, told: str) -> None:
    definition = RuleDefinition(**{"pipeline_name": "demo", "channels": ("ops",), **values})
    with pytest.raises(InvalidRule) as caught:
        check(definition)
    assert told in caught.value.fields[field]


def test_rule_when_checked_then_it_is_in_one_form() -> None:
    definition = RuleDefinition(
        pipeline_name="demo", channels=("a", "b", "a"), events=("deadline", "failure"), by="8:05", days=("fri", "mon")
    )
    checked = check(definition)
    assert (checked.channels, checked.events, checked.by, checked.days) == (
        ("a", "b"), ("failure", "deadline"), "08:05", ("mon", "fri"),
    )  # fmt: skip
    assert check(checked) == checked


def test_severity_when_not_given_then_each_event_has_its_own() -> None:
    rule = make_demo_rule()
    assert (rule.severity_of("failure"), rule.severity_of("recovery")) == (Severity.CRITICAL, Severity.INFO)
    assert make_demo_rule(severity="info").severity_of("failure") is Severity.INFO


@pytest.mark.parametrize("text", ["8", "24:00", "08:60", "", "8:5"])
def test_time_of_day_when_none_then_it_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no time of day"):
        read_time(text)
