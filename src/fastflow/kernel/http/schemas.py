"""What rooms share on the wire: the base of request bodies, pages of lists, names of pipelines."""

from typing import Annotated, Any, Generic, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from fastflow.kit.pages import Page

Item = TypeVar("Item", bound=BaseModel)
PipelineNames = list[Annotated[str, Field(max_length=200)]]
"""Which pipelines something is for; without it, for all of them."""


class PageOut(BaseModel, Generic[Item]):
    """One page of a list, in the list's order. `Item` has a class method `of` that shows a record."""

    items: list[Item]
    next_cursor: str | None = Field(description="Hand it back as `cursor` to continue; null on the last page.")

    @classmethod
    def of(cls, page: Page[Any]) -> Self:
        """The page as the API shows it."""
        (item,) = get_args(cls.model_fields["items"].annotation)
        return cls(items=[item.of(record) for record in page.items], next_cursor=page.next_cursor)


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
