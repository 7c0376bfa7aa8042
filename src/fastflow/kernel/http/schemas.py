"""The base of request bodies."""

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError


class RequestBody(BaseModel):
    """A JSON body that refuses fields it does not know, so that a misspelt one is told instead of ignored, and text that
    PostgreSQL cannot hold: null bytes and halves of surrogate pairs, which JSON can write as escapes."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _refuse_unstorable_text(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        wrong = [str(name) for name, inner in value.items() if not (_is_storable(name) and _is_storable(inner))]
        if wrong:
            problem = PydanticCustomError("unstorable_text", "holds a null byte or half of a surrogate pair")
            details = [InitErrorDetails(type=problem, loc=(name,), input=None) for name in wrong]
            raise ValidationError.from_exception_data(cls.__name__, details)
        return value


def _is_storable(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" not in value and (value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value))
    if isinstance(value, dict):
        return all(_is_storable(name) and _is_storable(inner) for name, inner in value.items())
    if isinstance(value, list):
        return all(map(_is_storable, value))
    return True
