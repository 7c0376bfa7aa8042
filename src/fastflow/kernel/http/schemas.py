"""What rooms share on the wire: the base of request bodies, pages of lists, names of pipelines."""

from collections.abc import Iterator
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
        wrong = list(_unstorable(value))
        if wrong:
            problem = PydanticCustomError("unstorable_text", "holds a null byte or half of a surrogate pair")
            details = [InitErrorDetails(type=problem, loc=place, input=None) for place in wrong]
            raise ValidationError.from_exception_data(cls.__name__, details)
        return value


def _unstorable(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where such text stands: the path to each value, or to the member whose name it is."""
    if isinstance(value, str):
        if "\0" in value or not (value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)):
            yield place
    elif isinstance(value, dict):
        for name, inner in value.items():
            here = (*place, name)
            if any(True for _ in _unstorable(name)):
                yield here
            else:
                yield from _unstorable(inner, here)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _unstorable(inner, (*place, number))
