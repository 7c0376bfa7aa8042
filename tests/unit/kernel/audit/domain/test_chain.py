"""The form that is hashed never changes, and anchors are read as they are written."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fastflow.kernel.audit.domain.chain import GENESIS, Head, anchor_of, entry_hash, hash_of, parse_anchor, problem_of
from fastflow.kernel.audit.domain.entries import AuditEntry
from fastflow.kit.errors import InvalidInput

_START = Head(lane=0)
_CONTENT: dict[str, Any] = {
    "at": datetime(2026, 11, 21, 4, 35, 18, 123, tzinfo=UTC),
    "actor": "user:ann",
    "action": "run.submit",
    "subject": "019a",
    "detail": {"b": [1, 2.5, None, True], "a": "ü"},
    "address": None,
}


def _entry(**changes: Any) -> AuditEntry:
    content = {**_CONTENT, **changes}
    return AuditEntry(id=1, lane=0, seq=1, previous=GENESIS, hash=entry_hash(_START, **content), **content)


def test_hash_when_made_is_the_one_that_older_releases_made() -> None:
    assert entry_hash(_START, **_CONTENT) == "026fd0575db65039403272825072e475229d409d95e14c8331128293abb77fb8"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"x": 1.0}, {"x": 1}),
        ({"x": 1e3}, {"x": 1000}),
        ({"x": (1, 2)}, {"x": [1, 2]}),
        ({"b": 1, "a": 2}, {"a": 2, "b": 1}),
    ],
)
def test_hash_when_the_database_gives_json_back_in_its_own_way_is_the_same(given: Any, kept: Any) -> None:
    assert entry_hash(_START, **{**_CONTENT, "detail": given}) == entry_hash(_START, **{**_CONTENT, "detail": kept})


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "user:bob"}, {"action": "run.cancel"}, {"subject": "x"}, {"detail": {}}, {"address": "::1"},
        {"at": datetime(2026, 11, 21, 4, 35, 18, 124, tzinfo=UTC)}, {"lane": 1},
    ],
)  # fmt: skip
def test_entry_when_any_of_it_is_changed_does_not_hold(change: dict[str, Any]) -> None:
    entry = _entry()
    assert problem_of(entry, _START) is None
    assert problem_of(replace(entry, **change), _START) == "it was changed after it was written"
    assert hash_of(replace(entry, **change)) != entry.hash


def test_anchor_when_read_gives_the_heads_it_was_made_of() -> None:
    heads = [Head(lane=7, seq=2, hash="b" * 64), Head(lane=0, seq=3, hash="a" * 64)]
    text = anchor_of([*heads, Head(lane=9)])
    assert text == f"v1:0.3.{'a' * 64},7.2.{'b' * 64}"
    assert parse_anchor(f" {text}\n") == [heads[1], heads[0]]
    assert parse_anchor(anchor_of([])) == []


@pytest.mark.parametrize("text", ["", "v2:", "v1:x", "v1:0.1.ab", f"v1:0.1.{'z' * 64}", f"0.1.{'a' * 64}"])
def test_anchor_when_it_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="no anchor"):
        parse_anchor(text)
