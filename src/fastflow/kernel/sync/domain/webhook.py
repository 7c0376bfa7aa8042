"""What a Git host sends when something was pushed: is it from where it says, and does it concern us."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SIGNATURE = re.compile(r"sha256=([0-9a-fA-F]{64})")
_HEADS = "refs/heads/"
_NO_COMMIT = re.compile(r"0{40,64}")


@dataclass(frozen=True, kw_only=True)
class Push:
    """What a delivery comes to.

    Attributes:
        concerns_us: whether the branch that we follow was pushed.
        why: in words.
        commit: the branch's commit afterwards, as told.
        pusher: who pushed, as told.
    """

    concerns_us: bool
    why: str
    commit: str | None = None
    pusher: str | None = None


class UnreadableDelivery(ValueError):
    """A signed body that is not what the event promises."""


def is_signed(body: bytes, header: str | None, secret: str) -> bool:
    """Whether the header is the body's signature: HMAC with SHA-256, in hexadecimal, as GitHub signs.

    Source: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries

    >>> is_signed(b"Hello, World!", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    ...           "It's a Secret to Everybody")
    True
    """
    match = _SIGNATURE.fullmatch((header or "").strip())
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return match is not None and hmac.compare_digest(match[1].lower(), expected)


def read_push(event: str | None, body: bytes, branch: str) -> Push:
    """What the delivery says of the branch.

    Args:
        event: of the header X-GitHub-Event.
        body: signed.
        branch: the one that is followed.

    Raises:
        UnreadableDelivery: it is no JSON object, or a push without a ref.
    """
    if event == "ping":
        return Push(concerns_us=False, why="The webhook works.")
    if event != "push":
        return Push(
            concerns_us=False, why=f"Nothing follows from the event {(event or '')[:40]!r}; push is waited for."
        )
    told = _object(body)
    ref = told.get("ref")
    if not isinstance(ref, str):
        raise UnreadableDelivery("it names no ref")
    if ref != _HEADS + branch:
        return Push(concerns_us=False, why=f"{_shown(ref)} was pushed; {branch} is followed.")
    after = told.get("after")
    commit = after if isinstance(after, str) and re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", after) else None
    if told.get("deleted") is True or (commit is not None and _NO_COMMIT.fullmatch(commit)):
        return Push(concerns_us=False, why=f"The branch {branch} was deleted; the active version stays.")
    pusher = told.get("pusher")
    name = pusher.get("name") if isinstance(pusher, dict) else None
    return Push(
        concerns_us=True,
        why=f"The branch {branch} was pushed.",
        commit=commit,
        pusher=name[:100] if isinstance(name, str) and name.isprintable() else None,
    )


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableDelivery("it is not JSON; choose the content type application/json") from error
    if not isinstance(told, dict):
        raise UnreadableDelivery("it is no JSON object")
    return told


def _shown(ref: str) -> str:
    text = ref.removeprefix(_HEADS)[:80]
    return text if text.isprintable() else repr(text)
