"""Lines of keys in tables that stand in lists, such as `[[schedules]]`."""

from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.domain.toml_text import TomlText, parse_toml

TEXT = """\
description = "x"

[[schedules]]
name = "a"
[schedules.params]
CITY = "Ulm"

[[schedules]]
name = "b"

[limits]
pids = 3
"""


def parsed(text: str) -> TomlText:
    found = parse_toml(text, "pipeline.toml", FaultList("demo"), first_line=10)
    assert found is not None
    return found


def test_table_in_a_list_when_looked_at_then_has_its_own_values_and_lines() -> None:
    first, second = (parsed(TEXT).below("schedules", place) for place in ("0", "1"))
    assert (first.table["name"], second.table) == ("a", {"name": "b"})
    assert (first.line("name"), first.line("params", "CITY"), second.line("name")) == (13, 15, 18)
    assert (first.line("cron"), second.line("cron")) == (12, 17), "of a missing key, the line of its table"


def test_list_when_looked_at_as_a_whole_then_its_line_is_the_first() -> None:
    assert parsed(TEXT).line("schedules") == 12
    assert parsed(TEXT).below("limits").line("pids") == 21


def test_table_in_a_list_when_there_is_none_at_that_place_then_is_empty() -> None:
    assert parsed(TEXT).below("schedules", "7").table == {}
    assert parsed(TEXT).below("schedules", "name").table == {}


def test_list_when_written_in_one_value_then_the_line_is_that_of_the_value() -> None:
    inline = parsed('x = 1\nschedules = [\n  {name = "a"},\n  {name = "b"},\n]\n')
    assert inline.below("schedules", "1").table == {"name": "b"}
    assert inline.below("schedules", "1").line("name") == 11
