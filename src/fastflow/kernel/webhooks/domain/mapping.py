"""Makes a run's parameters of a call's body and headers."""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from fastflow.kernel.webhooks.domain.errors import MappingFailed
from fastflow.kernel.webhooks.domain.signatures import Call
from fastflow.kernel.webhooks.domain.webhook import HEADER, WebhookDefinition

_MISSING: Final = object()
_MAX_PAIRS = 1000


def read_body(call: Call) -> Any:
    """The body: JSON, or a form (whose member `payload`, where there is one, is JSON); an empty one is an empty object.

    Raises:
        MappingFailed: it is neither.
    """
    if not call.body.strip():
        return {}
    kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "application/x-www-form-urlencoded":
            pairs = dict(parse_qsl(call.body.decode(), keep_blank_values=True, max_num_fields=_MAX_PAIRS))
            return json.loads(pairs["payload"]) if "payload" in pairs else pairs
        return json.loads(call.body)
    except (ValueError, RecursionError) as error:
        raise MappingFailed("The body is no JSON.", fields={"body": "is no JSON"}) from error


def make_params(webhook: WebhookDefinition, call: Call) -> dict[str, Any]:
    """The parameters; none when the webhook maps nothing.

    Raises:
        MappingFailed: names every parameter for which nothing was found.
    """
    if not webhook.mapping and not webhook.whole_body:
        return {}
    body = read_body(call)
    if webhook.whole_body:
        if not isinstance(body, dict):
            raise MappingFailed("The body is no JSON object.", fields={"body": "is no JSON object"})
        return body
    params: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for name, source in webhook.mapping.items():
        value = _find(source.removesuffix("?"), body, call.headers)
        if value is not _MISSING:
            params[name] = value
        elif not source.endswith("?"):
            missing[name] = f"nothing is at {source}"
    if missing:
        named = "; ".join(f"{name}: {problem}" for name, problem in missing.items())
        raise MappingFailed(f"The call does not hold what parameters are made of: {named}.", fields=missing)
    return params


def _find(source: str, body: Any, headers: Mapping[str, str]) -> Any:
    if source.startswith(HEADER):
        return headers.get(source.removeprefix(HEADER).lower(), _MISSING)
    return resolve(source, body)


def resolve(pointer: str, value: Any) -> Any:
    """What a JSON pointer (RFC 6901) points at; `_MISSING` when there is nothing.

    >>> resolve("/a/1/b~1c", {"a": [0, {"b/c": 7}]})
    7
    """
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isascii() and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return _MISSING
    return value
