"""Webhooks: addresses at which other systems start a pipeline's run, without an account."""

import hashlib
import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

from fastflow.kernel.webhooks.domain.errors import InvalidWebhook

Scheme = Literal["none", "github", "standard", "stripe"]
"""How calls are signed: not at all; X-Hub-Signature-256 over the body; the Standard Webhooks headers; Stripe-Signature."""
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)

KEY_PREFIX = "ffw_"
SHORTEST_SECRET = 16
MAX_PARAMS = 100
MAX_ADDRESSES = 100
HEADER = "header:"
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*\??")
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,100}\??")
_UNTOLD = frozenset({"authorization", "cookie", "proxy-authorization"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class WebhookDefinition:
    """What somebody asks for.

    Attributes:
        name: unique among the pipeline's webhooks; None: one is found.
        scheme: how calls are signed.
        tolerance: seconds by which the signed time of a call may be off.
        mapping: parameter -> JSON pointer into the body (empty: the whole body), or `header:NAME`; with `?` at the end it may
            be missing.
        whole_body: the body's own members are the parameters.
        addresses: networks calls may come from; empty: any.
        rate_per_minute: calls it takes.
    """

    pipeline_name: str
    name: str | None = None
    scheme: Scheme = "none"
    tolerance: float = 300.0
    mapping: Mapping[str, str] = field(default_factory=dict)
    whole_body: bool = False
    addresses: tuple[str, ...] = ()
    rate_per_minute: int = 60


@dataclass(frozen=True, kw_only=True)
class Webhook(WebhookDefinition):
    """A webhook as the database holds it, without its key and secret.

    Attributes:
        key_hint: the end of its key, by which people tell keys apart.
        former_key_until: until when the key before the last rotation is taken; None: it is not.
        calls: that started a run, or found the one they had started.
        refused: calls that did not.
        last_refusal: why the last of those did not.
    """

    id: str
    name: str = ""
    is_enabled: bool = True
    key_hint: str
    former_key_until: datetime | None = None
    calls: int = 0
    refused: int = 0
    last_call_at: datetime | None = None
    last_refusal: str | None = None
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


def hash_of(key: str) -> str:
    """What is kept of a key. Keys are long and random: a plain hash is enough."""
    return hashlib.sha256(key.encode()).hexdigest()


def is_allowed(webhook: WebhookDefinition, address: str | None) -> bool:
    """Whether a call may come from an address.

    >>> is_allowed(WebhookDefinition(pipeline_name="a", addresses=("10.0.0.0/8",)), "10.1.2.3")
    True
    """
    if not webhook.addresses:
        return True
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in ipaddress.ip_network(network) for network in webhook.addresses)


def check(definition: WebhookDefinition, params_schema: Mapping[str, object] | None) -> None:
    """Raises:
    InvalidWebhook: names every field that is wrong.
    """
    problems = dict(_problems(definition, params_schema))
    if problems:
        raise InvalidWebhook(problems)


def _problems(definition: WebhookDefinition, schema: Mapping[str, object] | None) -> Iterator[tuple[str, str]]:
    if definition.name is not None and not _NAME.fullmatch(definition.name):
        yield "name", "is not made of letters, digits, `_`, `-` and `.`, beginning with a letter or digit, at most 100"
    if definition.scheme not in SCHEMES:
        yield "scheme", f"{definition.scheme!r} is none of {', '.join(SCHEMES)}"
    if not 1 <= definition.tolerance <= 86_400:
        yield "tolerance", f"{definition.tolerance:g} is not from 1 to 86400 seconds"
    if not 1 <= definition.rate_per_minute <= 10_000:
        yield "rate_per_minute", f"{definition.rate_per_minute} is not from 1 to 10000"
    if definition.whole_body and definition.mapping:
        yield "mapping", "and whole_body exclude each other"
    if len(definition.mapping) > MAX_PARAMS:
        yield "mapping", f"has {len(definition.mapping)} entries; at most {MAX_PARAMS} are kept"
    properties = (schema or {}).get("properties")
    is_closed = isinstance(properties, Mapping) and (schema or {}).get("additionalProperties") is False
    for name, source in definition.mapping.items():
        problem = _source_problem(source)
        if problem is not None:
            yield f"mapping.{name}", problem
        elif is_closed and isinstance(properties, Mapping) and name not in properties:
            yield f"mapping.{name}", "is no parameter of the pipeline"
    yield from _problems_of_addresses(definition)


def _source_problem(source: str) -> str | None:
    if source.startswith(HEADER):
        name = source.removeprefix(HEADER)
        if not _HEADER_NAME.fullmatch(name):
            return f"{source[:60]!r} names no header; write it as header:X-GitHub-Event"
        if name.rstrip("?").lower() in _UNTOLD:
            return f"{name.rstrip('?')} may hold credentials, which become no parameters"
        return None
    if not _POINTER.fullmatch(source):
        return f"{source[:60]!r} is no JSON pointer; write it as /repository/name, or nothing for the whole body"
    return None


def _problems_of_addresses(definition: WebhookDefinition) -> Iterator[tuple[str, str]]:
    if len(definition.addresses) > MAX_ADDRESSES:
        yield "addresses", f"has {len(definition.addresses)} entries; at most {MAX_ADDRESSES} are kept"
    for network in definition.addresses:
        try:
            ipaddress.ip_network(network)
        except ValueError:
            yield "addresses", f"{network[:60]!r} is no network; write it as 10.0.0.0/8 or 192.0.2.7"
