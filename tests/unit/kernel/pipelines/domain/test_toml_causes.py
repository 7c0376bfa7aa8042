"""A broken TOML document is told by its likely cause, with what to write instead."""

import tomllib

import pytest

from fastflow.kernel.pipelines.domain.faults import FaultList
from fastflow.kernel.pipelines.domain.toml_causes import shown_line
from fastflow.kernel.pipelines.domain.toml_text import parse_toml


@pytest.mark.parametrize(
    ("text", "place", "problem", "hint"),
    [
        ("timeout = 10m\n", "1:13", "text needs quotes: `timeout = 10m`", 'Write timeout = "10m".'),
        ("a = 1\ntimeout = soon\n", "2:11", "text needs quotes: `timeout = soon`", 'Write timeout = "soon".'),
        ("timeout = \n", "1:11", "there is no value behind the =", 'such as timeout = "text"'),
        ('a = "abc\nb = 1\n', "1:9", 'a quote is missing: `a = "abc`', "the same quote"),
        ('a = "abc', "1", 'a quote is missing: `a = "abc`', "the same quote"),
        ('a = abc"\n', "1:5", "a quote is missing", "the same quote"),
        ("a = 'it's'\n", "1:9", "something stands behind the text in quotes", "the other kind of quotes"),
        ('p = "C:\\dir"\n', "1:10", "has a meaning of its own", "single quotes"),
        ("network = True\n", "1:11", "True is not written like that", "Write network = true."),
        ("x = None\n", "1:5", "TOML has no word for nothing", "Remove the line"),
        ("a: 3\n", "1:2", "TOML writes = where YAML and JSON write :", "Write a = 3."),
        ("retries = 3,\n", "1:12", "a comma stands behind the value", "Write retries = 3."),
        ("a = 09\n", "1:6", "a number cannot begin with 0", "Write a = 9"),
        ("just words\n", "1:6", "there is no key with a = behind it", "before a comment"),
        ("[limits\nx = 1\n", "1:8", "the heading is not closed", "[limits]"),
        ('tags = ["a"\nb = 1\n', "2:1", "the list that began here or above is not closed", "Put a ]"),
        ('tags = ["a",\nb = 1\n', "2:1", "the list that began here or above is not closed", "Put a ]"),
        ("tags = [1,", "1", "the list that began here or above is not closed", "Put a ]"),
        ("tags = [pandas]\n", "1:9", "an item of the list cannot be read", "into quotes"),
        ("a = {x = 1\nb = 2\n", "1:11", "the table that began here is not closed", "Put a }"),
        ("a = 1\na = 2\n", "2:6", "a has a value already: `a = 2`", "one of the two lines"),
        ("[a]\n[a]\n", "2:3", "there is a table of this name already", "under one heading"),
    ],
)
def test_toml_when_broken_then_place_line_cause_and_remedy_are_told(
    faults: FaultList, text: str, place: str, problem: str, hint: str
) -> None:
    with pytest.raises(tomllib.TOMLDecodeError):
        tomllib.loads(text)
    assert parse_toml(text, "pipeline.toml", faults) is None
    (fault,) = faults.found
    assert fault.place == f"demo/pipeline.toml:{place}"
    assert fault.message.startswith("This is not valid TOML: ")
    assert problem in fault.message
    assert "`" in fault.message
    assert hint in fault.hint


def test_toml_when_the_cause_is_not_known_then_the_parsers_words_are_told(faults: FaultList) -> None:
    assert parse_toml('a = "\x01"\n', "x.toml", faults) is None
    assert "illegal character" in faults.found[0].message


def test_toml_when_nested_too_deeply_then_it_is_said(faults: FaultList) -> None:
    assert parse_toml("a = " + "[" * 100_000, "x.toml", faults) is None
    assert len(faults.found) == 1


def test_shown_line_when_long_then_cut() -> None:
    assert len(shown_line("x" * 500)) < 100
