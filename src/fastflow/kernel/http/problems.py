"""Every error as an RFC 9457 problem: the one table from error families to status codes, and the handlers that use it.

Called by `web.create_app`. Knows the families of `kit.errors`, no room's leaves.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from math import ceil
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from fastflow.kernel.http.declared import field_at, known_names
from fastflow.kit import errors
from fastflow.kit.ids import new_id
from fastflow.kit.value_problems import describe, describe_bounds, is_secret
from fastflow.kit.words import did_you_mean

_log = logging.getLogger("fastflow.http")

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:fastflow:problem:"
_MAX_FIELD_NAME = 200

STATUS_BY_FAMILY: Mapping[type[errors.FastFlowError], HTTPStatus] = {
    errors.InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.CapacityExceeded: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Bug: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The families and their status; a leaf takes the status of its nearest ancestor here."""

_TITLES: Mapping[int, str] = {
    400: "Unreadable request",
    401: "Credentials needed",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict with the current state",
    413: "Too large",
    415: "Unsupported media type",
    416: "Range not satisfiable",
    422: "Invalid input",
    429: "Limit reached",
    500: "Internal error",
    503: "Temporarily unavailable",
}

_HTTP_EXCEPTIONS: Mapping[int, tuple[str, str]] = {
    400: ("unreadable_request", "Send a well-formed request; a body must be valid JSON in UTF-8."),
    401: ("unauthenticated", errors.Unauthenticated.default_hint),
    403: ("forbidden", errors.Forbidden.default_hint),
    404: ("unknown_path", "`GET /openapi.json` describes the paths that exist."),
    405: ("method_not_allowed", "Use one of the methods that the Allow header names."),
    413: ("too_large", "Send less, or raise MAX_BODY_MB on the server."),
    415: ("unsupported_media_type", "Send the body as `Content-Type: application/json`."),
}
"""Code and hint of the errors that the web framework raises itself."""

_TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
_WHOLE_BODY = "Send a JSON object with the fields that `GET /openapi.json` describes for this path."


class Problem(BaseModel):
    """An error, as RFC 9457 has it, with what to do about it."""

    type: str = Field(description="A stable URN: `urn:fastflow:problem:` and the code.")
    title: str = Field(description="What kind of error it is.")
    status: int = Field(description="The HTTP status code.")
    detail: str = Field(description="What is wrong, in a sentence.")
    code: str = Field(description="A stable word for programs.")
    hint: str = Field(description="What to do about it.")
    fields: dict[str, str] = Field(description="Field name -> what is wrong with it; empty when no field is at fault.")


class ProblemResponse(Response):
    """An `application/problem+json` answer."""

    media_type = MEDIA_TYPE

    def render(self, content: Any) -> bytes:
        """JSON in UTF-8; text that UTF-8 cannot carry (lone surrogates) is replaced instead of failing."""
        return json.dumps(content, ensure_ascii=False, default=str).encode("utf-8", "replace")


def status_of(error: errors.FastFlowError) -> HTTPStatus:
    """The status code of the error's family; 500 for one of no family, which no service lets out."""
    families = (family for family in type(error).__mro__ if family in STATUS_BY_FAMILY)
    return STATUS_BY_FAMILY[next(families, errors.Bug)]


def problem_response(
    status: int,
    *,
    detail: str,
    code: str,
    hint: str = "",
    fields: Mapping[str, str] | None = None,
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> ProblemResponse:
    """A problem answer; `extra` become extension members and never replace the standard ones."""
    body = {
        **(extra or {}),
        "type": TYPE_PREFIX + code,
        "title": _TITLES.get(status) or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "hint": hint,
        "fields": dict(fields or {}),
    }
    return ProblemResponse(body, status_code=status, headers=dict(headers or {}))


def response_to_error(error: errors.FastFlowError) -> ProblemResponse:
    """The problem answer to one of our own errors."""
    status = status_of(error)
    headers: dict[str, str] = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="fastflow"'
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(max(1, ceil(error.retry_after_seconds)))
    return problem_response(
        status,
        detail=error.message,
        code=error.code,
        hint=error.hint,
        fields=error.fields,
        extra=error.extra,
        headers=headers,
    )


def without_key(path: str) -> str:
    """The path as logs may hold it: the last part of a webhook's address is a credential.

    >>> without_key("/webhooks/deploy/ffw_0Vx"), without_key("/runs/7")
    ('/webhooks/deploy/***', '/runs/7')
    """
    parts = path.split("/")
    return "/".join([*parts[:3], "***"]) if len(parts) > 3 and parts[1] == "webhooks" else path


def response_to_unexpected(error: BaseException, method: str, path: str) -> ProblemResponse:
    """The problem answer to an error nobody foresaw: logged under an id; the answer carries the id and nothing else."""
    error_id = new_id()
    _log.error(
        "request_failed",
        exc_info=error,
        extra={"fields": {"error_id": error_id, "method": method, "path": without_key(path)}},
    )
    return problem_response(
        500,
        detail=f"Something failed inside the server; its log has the details under {error_id}.",
        code=errors.Bug.default_code,
        hint=errors.Bug.default_hint,
        extra={"error_id": error_id},
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Make `app` answer every error it knows with a problem; `middleware.ErrorBarrier` does so for the unknown ones."""
    app.add_exception_handler(errors.FastFlowError, _on_own_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)


_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


async def _on_own_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.FastFlowError)
    if status_of(error) == HTTPStatus.INTERNAL_SERVER_ERROR:
        return response_to_unexpected(error, request.method, request.url.path)
    return response_to_error(error)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code < 400:
        return Response(status_code=error.status_code, headers=dict(error.headers or {}))
    code, hint = _HTTP_EXCEPTIONS.get(error.status_code, (f"http_{error.status_code}", ""))
    detail = _sentence(error.detail)
    if error.status_code == HTTPStatus.BAD_REQUEST:
        detail = "The request cannot be read: its body is no JSON in UTF-8, or is nested too deeply."
    elif error.status_code == HTTPStatus.NOT_FOUND:
        detail = f"There is nothing at {request.url.path[:200]}."
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"{request.method} is not possible at {request.url.path[:200]}."
        allowed = _methods_at(request)
        hint = f"Possible there: {allowed}." if allowed else hint
        return problem_response(error.status_code, detail=detail, code=code, hint=hint, headers={"Allow": allowed})
    fields = {"body": detail.removeprefix("The body ").rstrip(".")} if error.status_code == _TOO_LARGE else None
    return problem_response(
        error.status_code, detail=detail, code=code, hint=hint, fields=fields, headers=error.headers
    )


def _methods_at(request: Request) -> str:
    """Of all routes at the path; the router itself names those of the first one alone."""
    scope, routes = dict(request.scope), request.app.router.routes
    return ", ".join(
        method
        for method in _METHODS
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    )


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(item["type"] == "json_invalid" for item in found):
        return _invalid_json(found)
    if error.body and not _says_json(request) and any(item["loc"][:1] == ("body",) for item in found):
        return await _on_http_exception(request, HTTPException(415, "The body was not sent as JSON"))
    fields = {_field_name(item["loc"]): _problem_text(request.scope.get("route"), item) for item in found}
    return problem_response(
        422,
        detail=_end_sentence("; ".join(f"{name}: {problem}" for name, problem in list(fields.items())[:5])),
        code="invalid_input",
        hint=_WHOLE_BODY if "body" in fields else errors.InvalidInput.default_hint,
        fields=fields,
    )


def _end_sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _says_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _invalid_json(found: Sequence[Any]) -> ProblemResponse:
    item = next(item for item in found if item["type"] == "json_invalid")
    position = item["loc"][-1]
    why = str(item.get("ctx", {}).get("error", "it cannot be parsed"))
    return problem_response(
        422,
        detail=f"The body is not valid JSON: {why} at character {position}.",
        code="invalid_json",
        hint="Send a JSON object in UTF-8 with `Content-Type: application/json`.",
        fields={"body": "not valid JSON"},
    )


def _field_name(location: Sequence[Any]) -> str:
    """`("body", "params", 3)` -> `params.3`; the whole body -> `body`."""
    parts = [str(part) for part in location]
    kept = parts[1:] if len(parts) > 1 and parts[0] in ("body", "query", "path", "header", "cookie") else parts
    return ".".join(kept)[:_MAX_FIELD_NAME] or "body"


def _problem_text(route: Any, item: Mapping[str, Any]) -> str:
    """What is wrong, with the value as given, unless the field may hold a secret, or nobody knows what it holds."""
    field = field_at(route, item["loc"])
    hides = field is None or is_secret(field.annotation)
    if item["type"] == "extra_forbidden":
        known = known_names(route, item["loc"])
        near = did_you_mean(str(item["loc"][-1])[:_MAX_FIELD_NAME], known)
        takes = f". Known are {', '.join(known)}" if known and not near else ""
        return f"is not a known field{'.' if near else ''}{near or takes}"
    return describe(item, hide_value=hides, bounds=describe_bounds(field))


def _sentence(detail: Any) -> str:
    return _end_sentence(detail if isinstance(detail, str) else json.dumps(detail, default=str))


def _documented(status: int) -> dict[str, Any]:
    return {
        "description": _TITLES[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: _documented(status) for status in (400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503)
}
"""For `responses=` of routers: what every operation may answer beside its own result."""
