"""`[[schedules]]` in a pipeline's settings: read, and every fault with its line."""

from collections.abc import Sequence
from textwrap import dedent
from typing import Any

import pytest

from fastflow.kernel.pipelines.domain.faults import Fault, FaultList
from fastflow.kernel.pipelines.domain.settings import read_settings
from fastflow.kernel.pipelines.domain.toml_text import parse_toml
from fastflow.kernel.schedules.domain.declared import DEFAULT_NAME, judge_schedules, read_declared
from fastflow.kernel.schedules.domain.schedule import Definition
from fastflow.testing.schedule_doubles import instant


def judged(text: str) -> Sequence[Fault]:
    faults = FaultList("demo", "demo/")
    toml = parse_toml(dedent(text).lstrip(), "pipeline.toml", faults)
    assert toml is not None
    judge_schedules(toml, faults, read_settings(toml, faults))
    return faults.found


def read(text: str, **schema: Any) -> Sequence[Definition]:
    toml = parse_toml(dedent(text), "pipeline.toml", FaultList("demo"))
    assert toml is not None
    entries = read_declared("demo", toml.table.get("schedules"), schema or None)
    assert [dict(entry.problems) for entry in entries] == [{}] * len(entries)
    return [entry.definition for entry in entries if entry.definition is not None]


def test_entries_when_right_then_become_definitions() -> None:
    nightly, often, once = read(
        """
        [[schedules]]
        name = "nightly"
        cron = "30 2 * * *"
        timezone = "Europe/Berlin"
        params = { CITY = "Ulm" }
        start = 2026-12-01
        end = "2027-12-01T00:00"
        missed = "all"
        catch_up_window = "6h"
        [[schedules]]
        name = "often"
        every = 300
        jitter = "30s"
        overlap = "skip"
        catch_up_window = "unlimited"
        priority = 5
        [[schedules]]
        name = "once"
        at = 2030-01-01T04:00:00
        timezone = "Europe/Berlin"
        """
    )
    assert (nightly.trigger, nightly.expression, nightly.params) == ("cron", "30 2 * * *", {"CITY": "Ulm"})
    assert nightly.start_at == instant("2026-11-30T23:00") and nightly.end_at == instant("2027-11-30T23:00")
    assert (nightly.missed, nightly.catch_up_window) == ("all", 21_600.0)
    assert (often.trigger, often.expression, often.jitter, often.overlap) == ("interval", "300", 30.0, "skip")
    assert (often.catch_up_window, often.priority) == (None, 5)
    assert (once.trigger, once.expression) == ("once", "2030-01-01T04:00:00+01:00")


def test_entry_when_it_is_the_only_one_then_needs_no_name() -> None:
    (only,) = read('[[schedules]]\ncron = "@daily"\n')
    assert only.name == DEFAULT_NAME


def test_entry_when_it_is_over_then_is_no_fault() -> None:
    (over,) = read('[[schedules]]\nat = "2020-01-01T04:00"\n')
    assert over.expression == "2020-01-01T04:00:00+00:00"


def test_settings_when_they_declare_nothing_then_nothing_is_judged() -> None:
    assert judged('description = "quiet"') == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('cron = "61 * * * *"', 'cron: the minute field "61": 61 is out of range, 0 to 59.'),
        ('every = "0s"', "every: '0s' is no time at all: the shortest interval is 1 s."),
        ("every = 0", "every: '0' is no time at all"),
        ('at = "2027-03-28T02:30"\ntimezone = "Europe/Berlin"', "at: 02:30 does not exist on 2027-03-28"),
        ('cron = "@daily"\ntimezone = "Berlin"', "Did you mean 'Europe/Berlin'?"),
        (
            'cron = "@daily"\nstart = 2027-01-01\nend = 2026-01-01',
            "end: 2026-01-01T00:00:00+00:00 is not after start_at",
        ),
        ('cron = "@daily"\nstart = "soon"', "start: 'soon' is no date or instant"),
        ('cron = "*/10 * * * *"\njitter = "1h"', "jitter: 3600 s is more than the 10 min between two due times."),
        ('cron = "@daily"\njitter = "long"', "jitter: 'long' is no length of time"),
        ('cron = "@daily"\noverlap = "skp"', "overlap: 'skp' is none of queue, skip, cancel-old. Did you mean 'skip'?"),
        ('cron = "@daily"\nmissed = true', "missed: True is none of all, last, none"),
        ('cron = "@daily"\ncatch_up_window = 0', "catch_up_window: 0 is no length of time"),
        ('cron = "@daily"\npriority = 1.5', "priority: 1.5 is no whole number"),
        ('cron = "@daily"\nname = "a b"', "name: is not made of letters"),
        ('cron = "@daily"\nname = 5', "name: 5 is no text"),
        ('cron = "@daily"\nparams = 5', "params: 5 is no table"),
        ('cron = "@daily"\nparams = { DAY = 2026-01-01 }', "params: 2026-01-01 has no form in JSON"),
        ('cron = "@daily"\nzone = "UTC"', "zone: is no key of a schedule"),
        ('cron = "@daily"\nevery = "5m"', "every: cron and every exclude each other: write one of cron, every, at."),
        ("cron = 5", "cron: 5 is no text"),
    ],
)
def test_entry_when_wrong_then_the_fault_has_key_value_and_line(line: str, said: str) -> None:
    (fault,) = judged(f"[[schedules]]\n{line}\n")
    assert said in fault.message
    key = fault.message.partition(": ")[2].partition(":")[0]
    wanted = next(number for number, text in enumerate(line.splitlines(), start=2) if text.startswith(key))
    assert (fault.file, fault.line, fault.severity) == ("demo/pipeline.toml", wanted, "error")


def test_entry_when_it_says_not_when_then_the_fault_is_at_its_heading() -> None:
    (fault,) = judged('description = "x"\n\n[[schedules]]\nname = "idle"\n')
    assert fault.message == "The schedule 'idle': it says not when it is due: write one of cron, every, at."
    assert fault.line == 3


def test_entries_when_several_then_each_needs_a_name_of_its_own() -> None:
    found = judged('[[schedules]]\ncron = "@daily"\n\n[[schedules]]\ncron = "@hourly"\n')
    assert [(fault.line, "it has no name" in fault.message) for fault in found] == [(1, True), (4, True)]
    (twin,) = judged('[[schedules]]\nname = "a"\ncron = "@daily"\n[[schedules]]\nname = "a"\ncron = "@hourly"\n')
    assert (twin.line, twin.message) == (5, "The schedule 'a': name: 'a' is taken by an earlier schedule.")


def test_entries_when_not_in_double_brackets_then_says_so() -> None:
    (fault,) = judged('[schedules]\ncron = "@daily"\n')
    assert "head it with [[schedules]], in double brackets" in fault.message
    (fault,) = judged('schedules = ["daily"]\n')
    assert "it is no table" in fault.message


def test_parameters_when_the_schema_does_not_allow_them_then_the_fault_is_at_the_parameter() -> None:
    text = """
    [params]
    CITY = "string"

    [[schedules]]
    cron = "@daily"
    [schedules.params]
    CITI = "Ulm"
    """
    assert {(fault.line, fault.message) for fault in judged(text)} == {
        (6, "The schedule at place 1: params.CITY: missing, and the pipeline requires it."),
        (7, "The schedule at place 1: params.CITI: unknown parameter; did you mean CITY?"),
    }
