from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.domain.toml_text import parse_toml

TEXT = '''
top = 1
long = """
fake = 1
"""
a.b = 2
[table]
"quoted key" = 1
list = [
  1,
]
[[many]]
x = 1
[deep.er]
y = { z = 1 }
'''


def test_line_when_a_key_is_asked_for_then_its_line_or_the_nearest_around_it(faults: FaultList) -> None:
    toml = parse_toml(TEXT, "x.toml", faults)
    assert toml is not None
    assert toml.line("top") == 2
    assert toml.line("fake") is None
    assert toml.line("a", "b") == 6
    assert toml.below("table").line("quoted key") == 8
    assert toml.line("table", "list", "0") == 9
    assert toml.line("many", "0", "x") == 13
    assert toml.below("deep", "er").line("y", "z") == 15


def test_table_when_it_is_not_there_or_no_table_then_empty(faults: FaultList) -> None:
    toml = parse_toml("a = 1\n", "x.toml", faults)
    assert toml is not None
    assert toml.below("a").table == {}
    assert toml.below("b", "c").table == {}


def test_parse_when_broken_at_the_end_then_a_line_of_the_file(faults: FaultList) -> None:
    assert parse_toml('a = "', "x.toml", faults, first_line=10) is None
    assert parse_toml("a = [1,\n", "x.toml", faults, first_line=10) is None
    assert [fault.line for fault in faults.found] == [10, 10]
