"""Conditions: what they mean, what is refused, and that nothing is ever executed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflow.kernel.flows.domain.expressions import (
    MISSING,
    ConditionError,
    evaluate,
    parse_condition,
    references_in,
)

TOLD: dict[str, Any] = {
    "extract.rows": 12,
    "extract.city": "Ulm",
    "extract.files": ["a", "b"],
    "extract.ok": True,
    "my-pipe.v2.share": 0.5,
    "gone.x": MISSING,
}


def holds(text: str) -> bool:
    return evaluate(text, lambda name: TOLD[name]).holds


@pytest.mark.parametrize(
    "text",
    [
        "extract.rows > 0",
        "extract.rows >= 12 and extract.rows <= 12.0",
        'extract.city == "Ulm"',
        "extract.city in ['Ulm', 'Bonn']",
        "'a' in extract.files",
        "'z' not in extract.files",
        "len(extract.files) == 2",
        "extract.ok",
        "not gone.x",
        "gone.x == null",
        "gone.x > 3 or extract.ok",
        "(extract.rows > 100 or extract.ok) and not (extract.rows == 0)",
        "my-pipe.v2.share < 1",
        "extract.rows != -1",
        "extract.city < 'V'",
        'extract.city in "Ulmer"',
        "extract.ok != 1",
    ],
)
def test_condition_when_it_is_so_then_holds(text: str) -> None:
    # a comparison with what was not told decides the whole, so that `or` cannot hide it
    expected = "gone.x > 3" not in text
    assert holds(text) is expected


@pytest.mark.parametrize(
    "text",
    ["extract.rows > 12", "gone.x > 0", "gone.x < 0", "extract.city > 3", "extract.files > 1", "len(extract.rows) > 1"],
)
def test_condition_when_it_is_not_so_or_cannot_be_compared_then_does_not_hold_and_says_why(text: str) -> None:
    outcome = evaluate(text, lambda name: TOLD[name])
    assert not outcome.holds
    assert text in outcome.why and ("is" in outcome.why or "was not told" in outcome.why)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "ends where a value"),
        ("extract.rows >", "ends where a value"),
        ("extract.rows = 3", "compare by `==`"),
        ("1 < extract.rows < 3", "cannot be chained"),
        ("extract.rows > 0 extra.x", "does not belong"),
        ("(extract.rows > 0", "')' is missing"),
        ("extract.files[0]", "does not belong"),
        ("__import__('os').system('x')", "does not belong"),
        ("extract.rows + 1 > 2", "does not belong"),
        ("extract.rows not 3", "must be followed by `in`"),
        ('"half', "does not belong"),
        ("(" * 200 + "1" + ")" * 200, "too deeply"),
        ("not " * 200 + "1", "too deeply"),
        ("x" * 1001, "characters"),
    ],
)
def test_condition_when_it_is_none_then_refused_with_the_place(text: str, told: str) -> None:
    with pytest.raises(ConditionError, match=told.replace("(", r"\(").replace(")", r"\)").replace("?", ".")):
        parse_condition(text)


def test_references_when_asked_for_then_all_are_found() -> None:
    node = parse_condition("a.x > 1 and (b.y in [c.z, 2] or not len(d.w) == 0)")
    assert list(references_in(node)) == ["a.x", "b.y", "c.z", "d.w"]


@given(st.text(max_size=60))
def test_any_text_when_read_then_a_condition_or_a_condition_error(text: str) -> None:
    try:
        node = parse_condition(text)
    except ConditionError:
        return
    evaluate(text, lambda _name: MISSING)
    assert all(name for name in references_in(node))
