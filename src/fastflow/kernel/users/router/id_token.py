"""The identity token of a login through the provider: kept by the browser, out of reach of scripts, until the logout shows it to
the provider again. Nothing here believes it.
"""

from fastapi import Request
from starlette.responses import Response

from fastflow.kernel.http.access import is_over_https
from fastflow.kit.secret_text import SecretText

COOKIE = "fastflow_id_token"
_PATH = "/auth"
_LONGEST = 3800
"""Browsers keep no longer cookies; a token with more in it (very many groups) is not kept."""


def keep_id_token(response: Response, request: Request, token: SecretText | None, *, seconds: int) -> None:
    """Let the browser keep it for as long as the session may last. Pages of other sites cannot have it sent along, so that
    none of them can log anybody out at the provider without a question."""
    text = "" if token is None else token.reveal()
    response.set_cookie(
        COOKIE, text if len(text) <= _LONGEST else "", max_age=seconds, path=_PATH, secure=is_over_https(request),
        httponly=True, samesite="strict",
    )  # fmt: skip


def read_id_token(request: Request) -> SecretText | None:
    """What the browser has kept; None: nothing, or the token was too long."""
    text = request.cookies.get(COOKIE, "")
    return SecretText(text) if text else None


def is_from_provider(request: Request) -> bool:
    """Whether the login of this browser was made through the provider."""
    return COOKIE in request.cookies


def forget_id_token(response: Response, request: Request) -> None:
    """Let the browser forget it, if it has any."""
    if is_from_provider(request):
        response.delete_cookie(COOKIE, path=_PATH, secure=is_over_https(request), httponly=True, samesite="strict")
