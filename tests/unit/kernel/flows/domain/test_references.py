"""References and templates."""

import pytest

from fastflow.kernel.flows.domain.expressions import MISSING
from fastflow.kernel.flows.domain.references import (
    ReferenceProblem,
    fill,
    follow,
    holes_in,
    reference_problem,
    split_reference,
)


def test_reference_when_names_hold_dots_then_the_longest_upstream_is_meant() -> None:
    assert split_reference("a.b.c.d", ["a", "a.b", "x"]) == ("a.b", ("c", "d"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("extrct.rows", "names no upstream"),
        ("extract", "names no output"),
        ("params", "names no parameter"),
        ("extract..x", "empty part"),
        ("item", "foreach alone"),
    ],
)
def test_reference_when_it_leads_nowhere_then_says_why(text: str, told: str) -> None:
    assert told in str(reference_problem(text, ["extract"]))


def test_template_when_filled_then_types_are_kept_and_text_is_written_out() -> None:
    told = {"extract.rows": 3, "extract.files": ["a"], "params.CITY": "Ulm"}
    value = {
        "N": "{extract.rows}",
        "ALL": "{ extract.files }",
        "PATH": "s3://{params.CITY}/{extract.rows}{{x}}",
        "K": [1, "{extract.rows}"],
    }
    assert fill(value, told.get) == {"N": 3, "ALL": ["a"], "PATH": "s3://Ulm/3{x}", "K": [1, 3]}
    assert list(holes_in(value)) == ["extract.rows", "extract.files", "params.CITY", "extract.rows", "extract.rows"]


def test_template_when_something_was_not_told_then_refused() -> None:
    with pytest.raises(ReferenceProblem, match=r"extract\.x was not told"):
        fill("{extract.x}", lambda _name: MISSING)


@pytest.mark.parametrize("text", ["{extract.rows!r}", "{extract.rows:>9999999}", "{}", "{extract.rows", "}"])
def test_template_when_it_is_none_then_refused(text: str) -> None:
    with pytest.raises(ReferenceProblem):
        list(holes_in(text))


def test_path_when_followed_then_keys_and_places_or_missing() -> None:
    assert follow({"a": [{"b": None}]}, ("a", "0", "b")) is None
    assert follow({"a": [1]}, ("a", "1")) is MISSING
