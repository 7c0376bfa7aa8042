"""The base of request bodies."""

from pydantic import BaseModel, ConfigDict


class RequestBody(BaseModel):
    """A JSON body that refuses fields it does not know, so that a misspelt one is told instead of ignored."""

    model_config = ConfigDict(extra="forbid")
