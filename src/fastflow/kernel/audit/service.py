"""Reading the audit log, and proving that nobody changed it."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import cast

from fastflow.kernel.audit.domain.chain import Head, anchor_of, parse_anchor, problem_of
from fastflow.kernel.audit.domain.entries import AuditEntry, AuditFilter, Broken, Verdict
from fastflow.kernel.audit.ports import AuditStore, AuditView
from fastflow.kit.clock import Clock
from fastflow.kit.errors import NotFound
from fastflow.kit.pages import DEFAULT_PAGE_SIZE, Page, decode_cursor, encode_cursor

_log = logging.getLogger("fastflow.audit")
_BATCH = 1000


class AuditLog:
    """The audit log as its readers see it.

    Args:
        retention_days: how long entries are kept; None: for ever.
    """

    def __init__(self, store: AuditStore, clock: Clock, retention_days: float | None = None) -> None:
        self._store = store
        self._clock = clock
        self._retention_days = retention_days

    def list(
        self, wanted: AuditFilter | None = None, *, cursor: str | None = None, limit: int = DEFAULT_PAGE_SIZE
    ) -> Page[AuditEntry]:
        """One page of entries, newest first.

        Raises:
            InvalidInput: the cursor was not given out by this list.
        """
        before_id = cast("int", decode_cursor(cursor, (int,))[0]) if cursor else None
        found = self._store.load(wanted or AuditFilter(), before_id=before_id, limit=limit + 1)
        more = len(found) > limit
        items = found[:limit]
        return Page(items=items, next_cursor=encode_cursor(items[-1].id) if more else None)

    def get(self, entry_id: int) -> AuditEntry:
        """One entry.

        Raises:
            NotFound: there is none of that number, or retention removed it.
        """
        found = self._store.load(AuditFilter(), before_id=entry_id + 1, limit=1)
        if not found or found[0].id != entry_id:
            raise NotFound(
                f"The audit log has no entry {entry_id}.",
                code="unknown_entry",
                hint="It may have been removed after AUDIT_RETENTION_DAYS; `GET /audit` lists what there is.",
            )
        return found[0]

    def export(self, wanted: AuditFilter | None = None) -> Iterator[AuditEntry]:
        """Every entry that fits, oldest first."""
        after_id = -1
        while batch := self._store.load_after(wanted or AuditFilter(), after_id=after_id, limit=_BATCH):
            yield from batch
            after_id = batch[-1].id

    def anchor(self) -> str:
        """Where the log ends now, in one line. Kept elsewhere, it shows later that nothing before it was changed or
        cut off, even by somebody who may write to the database."""
        with self._store.view() as view:
            return anchor_of([*view.heads()])

    def verify(self, anchor: str | None = None) -> Verdict:
        """Walk the whole chain.

        Args:
            anchor: an earlier answer of `anchor`, which must still be part of the chain.

        Raises:
            InvalidInput: the anchor is none.
        """
        anchored = parse_anchor(anchor) if anchor is not None else []
        with self._store.view() as view:
            return _verify(view, anchored)

    def keep(self) -> None:
        """The daily duty: remove what is older than the retention, and put the anchor into the server's log."""
        if self._retention_days is not None:
            now = self._clock.now()
            removed = self._store.prune(now - timedelta(days=self._retention_days), at=now)
            if removed:
                _log.info("audit.pruned", extra={"fields": {"removed": removed}})
        _log.info("audit.anchor", extra={"fields": {"anchor": self.anchor()}})


def _verify(view: AuditView, anchored: Sequence[Head]) -> Verdict:
    started, removed = view.starts()
    starts, heads = {head.lane: head for head in started}, {head.lane: head for head in view.heads()}
    wanted: dict[int, dict[int, str]] = {}
    for head in anchored:
        wanted.setdefault(head.lane, {})[head.seq] = head.hash
    checked, found = 0, []
    lanes = sorted({*view.lanes(), *heads, *wanted})
    for lane in lanes:
        start = starts.get(lane, Head(lane=lane))
        count, broken = _walk(view, start, heads.get(lane), wanted.get(lane, {}))
        checked += count
        found += [broken] if broken else []
    first = min(found, key=lambda one: (one.entry_id is None, one.entry_id), default=None)
    anchor = None if first else anchor_of([*heads.values()])
    return Verdict(checked=checked, lanes=len(lanes), broken=first, removed=removed, anchor=anchor)


def _walk(view: AuditView, start: Head, end: Head | None, wanted: Mapping[int, str]) -> tuple[int, Broken | None]:
    """One lane from its start to its end: how many entries, and the first that does not hold."""
    at, count, last_id = start, 0, None
    while batch := view.entries(start.lane, after_seq=at.seq if count else -1, limit=_BATCH):
        for entry in batch:
            problem = problem_of(entry, at)
            if problem is None and wanted.get(entry.seq, entry.hash) != entry.hash:
                problem = "the anchor shows another entry in its place"
            if problem is not None:
                return count, Broken(entry_id=entry.id, lane=entry.lane, seq=entry.seq, problem=problem)
            at, last_id = Head(lane=entry.lane, seq=entry.seq, hash=entry.hash), entry.id
            count += 1
    problem = _end_problem(at, end, wanted)
    return count, Broken(entry_id=last_id, lane=at.lane, seq=at.seq, problem=problem) if problem else None


def _end_problem(last: Head, end: Head | None, wanted: Mapping[int, str]) -> str | None:
    beyond = max(wanted, default=0)
    if beyond > last.seq:
        return f"entries after it are missing: the anchor shows one with the number {beyond} of its lane"
    if end is None:
        return "its lane's end is not on record"
    if end.seq > last.seq:
        return f"{end.seq - last.seq} entries after it are missing"
    if end != last:
        return "it was put in: its lane ends before it"
    return None
