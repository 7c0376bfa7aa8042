import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflow.kernel.failures.domain.fingerprint import MAX_TITLE, Failure, describe, normalise

names = st.text(st.characters(categories=["Ll"]), min_size=1, max_size=8)
frames = st.lists(st.tuples(names, names), min_size=1, max_size=8)
kinds = st.sampled_from(["KeyError", "ValueError", "pandas.errors.ParserError"])
lines_of_code = st.integers(1, 99_999)


def traceback_of(
    way: list[tuple[str, str]], kind: str, message: str, *, folder: str = "/srv/code", line: int = 1
) -> list[str]:
    told = ["Traceback (most recent call last):"]
    for place, (file, function) in enumerate(way):
        told += [f'  File "{folder}/{file}.py", line {line + place}, in {function}', "    work()", "    ~~~~^^"]
    return [*told, f"{kind}: {message}" if message else kind]


def failed(lines: list[str], code: int = 1) -> Failure:
    return describe("exit", "the script ended with exit code 1", code, lines)


@given(frames, kinds, names, names, lines_of_code, lines_of_code)
def test_fingerprint_when_folders_lines_and_message_differ_then_it_is_the_same(
    way: list[tuple[str, str]], kind: str, one: str, other: str, first: int, second: int
) -> None:
    left = failed(traceback_of(way, kind, f"{one} at 0x7f{first:x}", folder=f"/data/{one}", line=first))
    right = failed(["starting", *traceback_of(way, kind, other, folder=f"/{other}/x", line=second)])
    assert left.group == right.group


@given(frames, frames, kinds, kinds)
def test_fingerprint_when_the_exception_or_the_way_differs_then_it_differs(
    one: list[tuple[str, str]], other: list[tuple[str, str]], left: str, right: str
) -> None:
    def distinct(way: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return [frame for place, frame in enumerate(way) if place == 0 or frame != way[place - 1]]

    same = (distinct(one), left) == (distinct(other), right)
    assert (failed(traceback_of(one, left, "")).group == failed(traceback_of(other, right, "")).group) is same


def test_fingerprint_when_raised_outside_every_function_then_the_line_counts_and_not_the_message() -> None:
    def at_the_top(message: str, line: int = 3, code: str = "value = table[name]") -> Failure:
        told = ["Traceback (most recent call last):", f'  File "/c/main.py", line {line}, in <module>']
        return failed([*told, f"    {code}", "            ~~~~~^^^^^^", f"KeyError: {message}"])

    found = [at_the_top(message) for message in ("'x'", "'c1'", "'Bonn'")]
    assert len({each.group for each in found}) == 1 and at_the_top("'x'", line=90).group == found[0].group
    assert [each.title for each in found] == [
        f"KeyError: {name} in main.py:<module>" for name in ("'x'", "'c1'", "'Bonn'")
    ]
    assert at_the_top("'x'", code="other = rows[name]").group != found[0].group


def test_failure_when_described_then_its_words_are_the_runs_own() -> None:
    line = '10.0.0.7 - - [21/Nov/2026:04:35:18] "GET /a HTTP/1.1" 500'
    assert failed([line]).title == f"exit code 1: {line}"
    assert describe("timeout", "ran longer than 60 s", -9).title == "timeout: ran longer than 60 s"
    long = failed(traceback_of([("main", "load")], "ValueError", "x" * 900))
    assert long.title.endswith("… in main.py:load") and len(long.title) <= MAX_TITLE


@given(st.lists(st.text(max_size=60), max_size=30), st.integers(-20, 255))
def test_failure_when_the_log_holds_anything_then_it_is_described(lines: list[str], code: int) -> None:
    found = failed(lines, code)
    assert len(found.group) == 16 and found.title and len(found.title) <= MAX_TITLE


@given(st.integers(2, 900))
def test_fingerprint_when_a_recursion_goes_deeper_then_it_is_the_same(depth: int) -> None:
    deep = failed(traceback_of([("main", "run"), *[("main", "walk")] * depth], "RecursionError", "too deep"))
    assert deep.group == failed(traceback_of([("main", "run"), ("main", "walk")], "RecursionError", "")).group


def test_failure_when_python_really_raises_then_type_and_way_are_read() -> None:
    def load() -> None:
        raise KeyError("CITY")

    told: list[str] = []
    try:
        try:
            load()
        except KeyError as error:
            raise ValueError("no city in /data/in/file-17.csv") from error
    except ValueError as error:
        told = "".join(traceback.format_exception(error)).splitlines()
    found = failed(["begin", *told, "[bye]"])
    name = "test_failure_when_python_really_raises_then_type_and_way_are_read"
    assert (found.exception, found.frames) == ("ValueError", (f"test_fingerprint.py:{name}",))
    assert found.title == f"ValueError: no city in /data/in/file-17.csv in test_fingerprint.py:{name}"


def test_failure_when_a_group_of_exceptions_is_raised_then_the_last_one_tells() -> None:
    try:
        raise ExceptionGroup("several", [ValueError(number) for number in range(9)])
    except ExceptionGroup as error:
        told = "".join(traceback.format_exception(error)).splitlines()
        assert failed(told).exception == "ExceptionGroup"


def test_failure_when_the_syntax_is_wrong_then_the_exception_is_read() -> None:
    told = ['  File "/srv/main.py", line 3', "    x = = 1", "        ^", "SyntaxError: invalid syntax"]
    found = failed(["Traceback (most recent call last):", *told])
    assert (found.exception, found.frames) == ("SyntaxError", ("main.py",))


def test_failure_when_a_handled_traceback_lies_far_above_then_the_last_line_tells() -> None:
    lines = [*traceback_of([("main", "f")], "KeyError", "x"), *(f"went on {n}" for n in range(9)), "giving up: row 3"]
    assert (failed(lines).exception, failed(lines).title) == (None, "exit code 1: giving up: row 3")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("timeout", "ran longer than 5 s", -15), ("timeout", "ran longer than 60 s", -9)),
        (("lost", "its server a went away", None), ("lost", "its server b went away", None)),
        (("exit", "x", 3), ("exit", "y", 3)),
    ],
)
def test_failure_when_there_is_no_traceback_then_what_differs_each_time_is_left_out(
    one: tuple[str, str, int | None], other: tuple[str, str, int | None]
) -> None:
    assert describe(*one).group == describe(*other).group


def test_failure_when_it_is_silent_then_the_exit_code_tells() -> None:
    assert describe("exit", None, 3).title == "exit code 3, without a word"
    assert describe("exit", None, 3).group != describe("exit", None, 4).group


def test_failure_when_a_signal_ended_it_then_the_signal_tells_and_not_what_it_last_wrote() -> None:
    one, other = describe("exit", None, -11, ["row 1 is fine"]), describe("exit", None, -11, ["hello"])
    assert (one.title, one.group) == ("ended by SIGSEGV", other.group)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("user 0b6ee0e8-9c5f-4a6c-8d54-0d4b0a3c2f11 gone", "user <id> gone"),
        ("at 2026-11-21T04:35:18.123Z: late", "at <time>: late"),
        ("<object at 0x7F00AB>", "<object at <address>>"),
        ("commit 3f2a1b0c9d8e7f6a5b4c", "commit <id>"),
        ("decade facade", "decade facade"),
    ],
)
def test_text_when_normalised_then_what_differs_each_time_is_left_out(text: str, normal: str) -> None:
    assert normalise(text) == normal
