import pytest

from fastflow.kernel.pipelines.domain.names import name_problem


@pytest.mark.parametrize("name", ["a", "daily-report", "v1.2", "A_b", "_private", "9lives", "x" * 200])
def test_name_when_plain_then_fine(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a..b",
        "../etc",
        "a/b",
        "a\\b",
        "-x",
        ".hidden",
        "a b",
        "ä",
        "a\n",
        "a\x00",
        "x" * 201,
        "a.",
        "__x",
    ],
)
def test_name_when_it_is_a_trick_or_odd_then_the_problem_is_said(name: str) -> None:
    assert name_problem(name)
