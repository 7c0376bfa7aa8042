"""A validator's errors in our own words: the value as it was given, what the field takes, and never a secret."""

from datetime import datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import AwareDatetime, BaseModel, Field, SecretStr, StringConstraints, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from fastflow.kit.value_problems import describe, describe_bounds, is_secret, shown


class _Thing(BaseModel):
    name: str


def problems(kind: Any, value: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    return [describe(dict(item)) for item in caught.value.errors()]


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (int, "abc", "'abc' is not a whole number"),
        (int, 1.5, "1.5 is not a whole number"),
        (int, "9" * 5000, "'" + "9" * 79 + "… has too many digits to be read"),
        (float, "x", "'x' is not a number"),
        (bool, "maybe", "'maybe' is not true or false"),
        (str, 3, "3 is not text"),
        (list[str], "all", "'all' is not a list"),
        (dict[str, Any], [1], "is a list, not an object"),
        (_Thing, [1], "is a list, not an object"),
        (_Thing, {}, "is required"),
        (Literal["a", "b"], "c", "'c' is none of a, b"),
        (Literal["a"], "c", "'c' is not a, the only one allowed"),
        (Annotated[int, Field(ge=1)], 0, "0 is less than 1, the least allowed"),
        (Annotated[float, Field(gt=0)], -1, "-1 is not above 0"),
        (Annotated[int, Field(le=500)], 900, "900 is more than 500, the most allowed"),
        (Annotated[str, Field(max_length=3)], "abcd", "'abcd' is too long: at most 3 characters"),
        (Annotated[str, Field(min_length=1)], "", "'' is too short: at least 1 character"),
        (Annotated[list[int], Field(max_length=1)], [1, 2], "a list is too long: at most 1 item"),
        (Annotated[str, StringConstraints(pattern="^[a-z]+$")], "A", "'A' is not of the form ^[a-z]+$"),
        (Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]*$")], "a\nb", r"'a\nb' holds a control character"),
        (datetime, "soon", "'soon' is not an instant such as 2026-11-21T04:35:18Z"),
        (
            AwareDatetime,
            "2020-01-01T00:00:00",
            "'2020-01-01T00:00:00' has no time zone: write the offset as well, such as 2026-11-21T04:35:18Z",
        ),
    ],
)
def test_describe_when_a_value_is_wrong_then_value_and_wish_are_told(kind: Any, value: Any, said: str) -> None:
    assert problems(kind, value) == [said]


def test_describe_when_the_value_may_be_a_secret_then_it_is_not_told() -> None:
    kinds: list[Any] = [int, Annotated[str, Field(max_length=3)], Literal["a"]]
    for kind in kinds:
        with pytest.raises(ValidationError) as caught:
            TypeAdapter(kind).validate_python("hunter2")
        (item,) = caught.value.errors()
        assert "hunter2" not in describe(dict(item), hide_value=True)
        assert describe(dict(item), hide_value=True).startswith("the value is ")


def test_describe_when_the_type_of_error_is_unknown_then_the_validators_words_follow_the_value() -> None:
    item = {"type": "something_new", "msg": "Input is odd", "input": 3}
    assert describe(item) == "3 is not accepted: input is odd"


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (Annotated[int, Field(ge=1, le=500)], " from 1 to 500"),
        (Annotated[int, Field(ge=1)], " from 1 up"),
        (Annotated[float, Field(gt=0)], " above 0"),
        (Annotated[float, Field(gt=0, le=9.5)], " above 0 to 9.5"),
        (Annotated[int, Field(le=9)], " up to 9"),
        (Annotated[int, Field(lt=9)], " below 9"),
        (Annotated[int, Field(ge=2)] | None, " from 2 up"),
        (int, ""),
    ],
)
def test_describe_bounds_when_a_field_has_limits_then_they_are_told(annotation: Any, said: str) -> None:
    assert describe_bounds(FieldInfo.from_annotation(annotation)) == said
    assert describe_bounds(None) == ""


def test_is_secret_when_a_secret_lies_anywhere_inside_then_yes() -> None:
    class Login(BaseModel):
        password: SecretStr | None = None

    assert is_secret(SecretStr)
    assert is_secret(list[Annotated[SecretStr, Field(max_length=3)]])
    assert is_secret(Login | None)
    assert not is_secret(_Thing)
    assert not is_secret(str | None)


def test_shown_when_a_value_is_long_then_it_is_cut() -> None:
    assert len(shown("x" * 500)) < 100
    assert shown({"a": 1}) == "an object"
