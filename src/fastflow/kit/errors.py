"""Every error the product raises on purpose.

    FastFlowError
    ├── InvalidInput       the caller's data is wrong             422
    │   └── TooLarge       the body exceeds a limit               413
    ├── Unauthenticated    no or no valid credentials             401
    ├── Forbidden          known, but not allowed                 403
    ├── NotFound           the named thing does not exist         404
    ├── Conflict           the state does not allow the change    409
    ├── CapacityExceeded   a limit is reached, later may work     429
    ├── Unavailable        something we need is away              503
    └── Bug                the impossible happened                500

Rooms add leaves in their own `domain/errors.py`. The error knows nothing of HTTP: `kernel/http/problems.py` holds the
one table of status codes (shown above for orientation).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar


class FastFlowError(Exception):
    """Root of the family: a stable code, a human sentence, what to do about it, and the fields concerned.

    Args:
        message: one sentence that says what is wrong.
        code: stable machine-readable word; None takes the class's default.
        hint: one sentence that says what to do; None takes the class's default.
        fields: field name -> problem with it, for input errors.
        retry_after_seconds: when a later attempt may succeed; None when retrying cannot help.
    """

    default_code: ClassVar[str] = "error"
    default_hint: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        fields: Mapping[str, str] | None = None,
        retry_after_seconds: float | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint if hint is not None else self.default_hint
        self.fields = dict(fields or {})
        self.retry_after_seconds = retry_after_seconds
        self.extra = dict(extra or {})

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InvalidInput(FastFlowError):
    """The caller's data is wrong; the same data will never be accepted."""

    default_code = "invalid_input"
    default_hint = "Correct the named fields and try again."


class TooLarge(InvalidInput):
    """The caller sent more than a limit allows."""

    default_code = "too_large"
    default_hint = "Send less, or raise the named limit."


class Unauthenticated(FastFlowError):
    """No credentials, or none that are valid."""

    default_code = "unauthenticated"
    default_hint = "Log in, or send a valid token as `Authorization: Bearer TOKEN`."


class Forbidden(FastFlowError):
    """The caller is known but lacks the right."""

    default_code = "forbidden"
    default_hint = "Ask an administrator for the role that the message names."


class NotFound(FastFlowError):
    """The named thing does not exist."""

    default_code = "not_found"
    default_hint = "Check the name; the list of its kind shows what exists."


class Conflict(FastFlowError):
    """The present state does not allow the change (illegal state moves included)."""

    default_code = "conflict"
    default_hint = "Read the current state and decide again."


class CapacityExceeded(FastFlowError):
    """A limit is reached; a later attempt may succeed."""

    default_code = "capacity_exceeded"
    default_hint = "Try again later, or raise the limit."


class Unavailable(FastFlowError):
    """Something the product needs is away; a later attempt may succeed."""

    default_code = "unavailable"
    default_hint = "Try again shortly; `fastflow doctor` tells what is away."


class Bug(FastFlowError):
    """The impossible happened: please report it."""

    default_code = "bug"
    default_hint = "This is a fault of Fast-Flow: please report it with the log of the server."


@contextmanager
def named(field: str) -> Iterator[None]:
    """Let what is not found be told under the field that the caller wrote it in: there it may not be called `name`.

    >>> try:
    ...     with named("pipeline_name"):
    ...         raise NotFound("There is no pipeline 'a'.", fields={"name": "there is no pipeline 'a'"})
    ... except NotFound as error:
    ...     print(error.fields)
    {'pipeline_name': "there is no pipeline 'a'"}
    """
    try:
        yield
    except NotFound as error:
        if "name" in error.fields:
            error.fields = {field: error.fields["name"]}
        raise
