"""The chain of the audit log: each entry holds the hash of the one before it in its lane, and its own.

The form that is hashed is fixed for ever: entries that were written under it have to be verified as long as they are
kept. Lanes are chains side by side (`docs/decisions`), so that writers at the same time need not wait for each other.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastflow.kernel.audit.domain.entries import AuditEntry
from fastflow.kit.errors import InvalidInput

GENESIS = "0" * 64
"""What the first entry of a lane has before it."""
CHECKPOINT = "audit.checkpoint"
"""The action of an entry that tells up to where older ones were removed on purpose."""
_ANCHOR_VERSION = "v1"
_ANCHOR = re.compile(r"v1:(\d{1,10}\.\d{1,18}\.[0-9a-f]{64}(,|$))*")


@dataclass(frozen=True, kw_only=True)
class Head:
    """Where a lane ends.

    Attributes:
        seq: the number of its last entry; 0 before the first.
        hash: of that entry.
    """

    lane: int
    seq: int = 0
    hash: str = GENESIS


def entry_hash(
    head: Head,
    *,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    detail: Mapping[str, Any],
    address: str | None,
) -> str:
    """The hash of the entry that follows `head` in its lane."""
    content = [head.lane, head.seq + 1, _instant(at), actor, action, subject, _normal(detail), address]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(f"{head.hash}\n{text}".encode("ascii")).hexdigest()


def hash_of(entry: AuditEntry) -> str:
    """The hash that the entry must have, by what it says now."""
    return entry_hash(
        Head(lane=entry.lane, seq=entry.seq - 1, hash=entry.previous),
        at=entry.at,
        actor=entry.actor,
        action=entry.action,
        subject=entry.subject,
        detail=entry.detail,
        address=entry.address,
    )


def problem_of(entry: AuditEntry, before: Head) -> str | None:
    """What is wrong with an entry that must follow `before`; None when nothing is."""
    missing = entry.seq - before.seq - 1
    if missing > 0:
        told = "1 entry is" if missing == 1 else f"{missing} entries are"
        return f"{told} missing before it (number {before.seq + 1} of its lane was expected, this is {entry.seq})"
    if missing < 0:
        return f"its number {entry.seq} was there before: it was put in, or entries were reordered"
    if entry.previous != before.hash:
        return "it does not follow the entry before it: that one was changed or replaced, or this one was put in"
    if hash_of(entry) != entry.hash:
        return "it was changed after it was written"
    return None


def anchor_of(heads: list[Head]) -> str:
    """The heads in one line, to be kept where whoever changes the database cannot reach."""
    parts = [f"{head.lane}.{head.seq}.{head.hash}" for head in sorted(heads, key=lambda head: head.lane) if head.seq]
    return f"{_ANCHOR_VERSION}:{','.join(parts)}"


def parse_anchor(text: str) -> list[Head]:
    """The heads of an anchor.

    Raises:
        InvalidInput: it is none.
    """
    if not _ANCHOR.fullmatch(text.strip()):
        raise InvalidInput(
            "This is no anchor of the audit log.",
            code="invalid_anchor",
            hint="Give the whole line that `GET /audit/anchor` or the server's log (`audit.anchor`) showed.",
            fields={"anchor": "must begin with v1: and hold LANE.NUMBER.HASH, separated by commas"},
        )
    parts = (part.split(".") for part in text.strip().partition(":")[2].split(",") if part)
    return [Head(lane=int(lane), seq=int(seq), hash=digest) for lane, seq, digest in parts]


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _normal(value: Any) -> Any:
    """JSON as every database gives it back: PostgreSQL keeps no difference between 1 and 1.0, nor 1e3 and 1000."""
    if isinstance(value, Mapping):
        return {str(name): _normal(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_normal(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
