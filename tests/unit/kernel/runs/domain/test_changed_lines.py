"""Changed lines: right, bounded, and without what looks like a secret."""

import difflib

import pytest

from fastflow.kernel.runs.domain.changed_lines import (
    MAX_SHOWN_LINES,
    MAX_SHOWN_WIDTH,
    change_lines,
    hide_literals,
    hide_values,
    holds_secrets,
)


def test_change_lines_when_texts_differ_then_the_diff_is_the_one_that_others_make() -> None:
    before = [f"line {number}" for number in range(40)]
    after = [*before[:5], "new", *before[6:30], *before[33:], "last"]
    made = list(difflib.unified_diff(before, after, lineterm=""))[2:]
    found = change_lines("main.py", before, after)
    assert (found.diff or "").split("\n") == made
    assert (found.added, found.removed, found.is_cut) == (2, 4, False)


def test_change_lines_when_there_are_many_or_long_ones_then_it_is_cut_and_says_so() -> None:
    many = change_lines("main.py", [], ["x"] * 5000)
    assert len((many.diff or "").split("\n")) == MAX_SHOWN_LINES and (many.added, many.is_cut) == (5000, True)
    long = change_lines("main.py", [], ["x" * 5000])
    assert max(map(len, (long.diff or "").split("\n"))) == MAX_SHOWN_WIDTH and long.is_cut


@pytest.mark.timeout(10)  # each start of a word is looked at once: were it each letter, this would take hours
def test_change_lines_when_a_line_is_enormous_then_no_longer_is_spent_on_it_than_on_what_is_shown() -> None:
    for line in ("x" * 3_000_000, "secret_" * 400_000, "password='" + "y" * 3_000_000):
        found = change_lines("bundle.js", [], [line])
        assert found.is_cut and len((found.diff or "").split("\n")[1]) <= MAX_SHOWN_WIDTH
        assert "yyy" not in (found.diff or "")
    hide_literals("x" * 3_000_000)


@pytest.mark.parametrize(
    "line",
    [
        "PASSWORD = 'hunter22'",
        'db_password: str = "hunter22"',
        '"api_key": "hunter22",',
        "connect(token='hunter22')",
        'os.environ["AWS_SECRET_ACCESS_KEY"] = "hunter22"',
        "url = 'postgresql://ada:hunter22@host/db'",
    ],
)
def test_hide_literals_when_a_name_says_secret_then_the_value_is_left_out(line: str) -> None:
    assert "hunter22" not in hide_literals(line) and "***" in hide_literals(line)


@pytest.mark.parametrize(
    "line", ["tokens = text.split()", "city = 'Ulm'", "token = secrets['TOKEN_OF_SHOP']", "x == 'abcd'"]
)
def test_hide_literals_when_nothing_is_secret_then_the_line_is_as_it_was(line: str) -> None:
    assert hide_literals(line) == line


def test_hide_values_when_a_value_has_lines_or_is_cut_then_no_part_of_it_is_left() -> None:
    value = "first-of-three\nsecond-of-three"
    assert hide_values("+first-of-three\n+second-of-three", [value]) == "+***\n+***"
    line = "x" * (MAX_SHOWN_WIDTH - 6) + "first-"
    assert hide_values(line, ["first-of-three"]).endswith("x***")


@pytest.mark.parametrize("path", [".env", "a/.env.local", "key.pem", "ssh/id_ed25519", "credentials.json", ".netrc"])
def test_holds_secrets_when_a_name_says_so_then_it_does(path: str) -> None:
    assert holds_secrets(path) and not holds_secrets(f"{path}/main.py")
