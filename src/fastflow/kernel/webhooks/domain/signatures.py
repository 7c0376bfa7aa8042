"""Whether a call is signed as it should be, and by what its sender knows it again."""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from fastflow.kernel.webhooks.domain.errors import CallTooOld, SignatureRefused
from fastflow.kernel.webhooks.domain.webhook import Scheme

_DELIVERY = re.compile(r"[\x21-\x7e]{1,150}")
_WHSEC = "whsec_"


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call as it came in.

    Attributes:
        headers: by name in lower case.
    """

    headers: Mapping[str, str]
    body: bytes
    address: str | None = None


def verify(scheme: Scheme, secret: str | None, call: Call, now: datetime, tolerance: float) -> str | None:
    """Check the signature; returns what is the same when the same delivery comes again, None when nothing is.

    That is always something the sender signed: an id that anybody could alter would let an old call through as a new one.

    Raises:
        SignatureRefused: none, or a wrong one.
        CallTooOld: its time is too far from now.
    """
    if scheme == "none":
        given = call.headers.get("idempotency-key", "")
        return given if _DELIVERY.fullmatch(given) else None
    key = (secret or "").encode()
    if scheme == "github":
        return _verify_github(key, call)
    if scheme == "standard":
        return _verify_standard(secret or "", call, now, tolerance)
    return _verify_stripe(key, call, now, tolerance)


def _verify_github(key: bytes, call: Call) -> str:
    name = "x-hub-signature-256"
    given = call.headers.get(name, "").removeprefix("sha256=")
    _compare([given], _hex(key, call.body), "X-Hub-Signature-256")
    return f"body:{hashlib.sha256(call.body).hexdigest()}"


def _verify_standard(secret: str, call: Call, now: datetime, tolerance: float) -> str:
    delivery, moment = call.headers.get("webhook-id", ""), call.headers.get("webhook-timestamp", "")
    if not _DELIVERY.fullmatch(delivery):
        raise SignatureRefused("The call has no webhook-id.", fields={"webhook-id": "is missing, or no id"})
    try:
        key = (
            base64.b64decode(secret.removeprefix(_WHSEC), validate=True)
            if secret.startswith(_WHSEC)
            else secret.encode()
        )
    except binascii.Error:
        key = secret.encode()
    signed = f"{delivery}.{moment}.".encode() + call.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = [
        part.partition(",")[2] for part in call.headers.get("webhook-signature", "").split() if part.startswith("v1,")
    ]
    _compare(given, expected, "webhook-signature")
    _check_time(moment, now, tolerance)
    return f"id:{delivery}"


def _verify_stripe(key: bytes, call: Call, now: datetime, tolerance: float) -> str:
    parts = [part.strip().partition("=") for part in call.headers.get("stripe-signature", "").split(",")]
    moment = next((value for name, _, value in parts if name == "t"), "")
    given = [value for name, _, value in parts if name == "v1"]
    _compare(given, _hex(key, moment.encode() + b"." + call.body), "Stripe-Signature")
    _check_time(moment, now, tolerance)
    return _id_in(call.body) or f"body:{hashlib.sha256(call.body).hexdigest()}"


def _id_in(body: bytes) -> str | None:
    """A sender that repeats a delivery signs it anew; the id in its body stays."""
    try:
        found = json.loads(body).get("id")
    except (ValueError, AttributeError, RecursionError):
        return None
    return f"id:{found}" if isinstance(found, str) and _DELIVERY.fullmatch(found) else None


def _hex(key: bytes, data: bytes) -> str:
    return hmac.new(key, data, hashlib.sha256).hexdigest()


def _compare(given: list[str], expected: str, header: str) -> None:
    if not any(given):
        raise SignatureRefused(
            f"The call is not signed: {header} is missing or has no signature.", fields={header: "is missing or empty"}
        )
    if not any([hmac.compare_digest(one.encode(), expected.encode()) for one in given]):  # noqa: C419 - all are compared
        raise SignatureRefused(
            f"The signature in {header} does not fit the body.", fields={header: "does not fit the body"}
        )


def _check_time(moment: str, now: datetime, tolerance: float) -> None:
    if not re.fullmatch(r"[0-9]{1,12}", moment):
        raise SignatureRefused("The call says not when it was signed.")
    off = now.timestamp() - int(moment)
    if abs(off) > tolerance:
        when = "ago" if off > 0 else "in the future"
        raise CallTooOld(f"The call was signed {abs(off):.0f} s {when}; at most {tolerance:g} s are taken.")
