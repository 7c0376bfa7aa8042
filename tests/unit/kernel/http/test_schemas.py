"""A request body refuses what it does not know and what no database can hold, wherever it is."""

from typing import Any

import pytest
from pydantic import ValidationError

from fastflow.kernel.http.schemas import RequestBody


class _Body(RequestBody):
    name: str
    params: dict[str, Any] | None = None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "a\0"}, ("name",)),
        ({"name": "\ud800"}, ("name",)),
        ({"name": "a", "params": {"deep": [{"x": "\udfff"}]}}, ("params", "deep", 0, "x")),
        ({"name": "a", "params": {"k\0": 1}}, ("params", "k\0")),
        ({"name": "a", "\ud800": 1}, ("\ufffd" * 3,)),
        ({"name": "a", "nmae": 1}, ("nmae",)),
    ],
)
def test_body_when_it_cannot_be_kept_is_refused_naming_the_field(
    body: dict[str, Any], field: tuple[str | int, ...]
) -> None:
    with pytest.raises(ValidationError) as caught:
        _Body.model_validate(body)
    assert [error["loc"] for error in caught.value.errors(include_input=False)] == [field]


def test_body_when_it_holds_any_other_text_is_taken() -> None:
    body = {"name": "grüße 🎉", "params": {"ключ": ["\u202e", "\t\n", 1, None, 1.5, True]}}
    assert _Body.model_validate(body).model_dump() == body
