"""Reading, verifying and pruning the audit log in the database."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, func, or_, select

from fastflow.kernel.audit.domain.chain import CHECKPOINT, Head
from fastflow.kernel.audit.domain.entries import AuditEntry, AuditFilter
from fastflow.kernel.audit.infra.chain import AUDIT, HEAD, record
from fastflow.kernel.audit.ports import AuditView
from fastflow.kernel.db.engine import Database
from fastflow.kit.identity import SYSTEM


class SqlAuditStore:
    """The audit log; see `AuditStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, wanted: AuditFilter, *, before_id: int | None, limit: int) -> Sequence[AuditEntry]:
        """See `AuditStore.load`."""
        query = _filtered(select(AUDIT), wanted).order_by(AUDIT.c.id.desc()).limit(limit)
        if before_id is not None:
            query = query.where(AUDIT.c.id < before_id)
        with self._database.read() as connection:
            return [AuditEntry(**row) for row in connection.execute(query).mappings()]

    def load_after(self, wanted: AuditFilter, *, after_id: int, limit: int) -> Sequence[AuditEntry]:
        """See `AuditStore.load_after`."""
        query = _filtered(select(AUDIT), wanted).where(AUDIT.c.id > after_id).order_by(AUDIT.c.id).limit(limit)
        with self._database.read() as connection:
            return [AuditEntry(**row) for row in connection.execute(query).mappings()]

    @contextmanager
    def view(self) -> Iterator[AuditView]:
        """See `AuditStore.view`."""
        with self._database.read() as connection:
            if self._database.is_sqlite:  # whose read transactions see one state anyhow
                yield SqlAuditView(connection)
            else:
                yield SqlAuditView(connection.execution_options(isolation_level="REPEATABLE READ"))

    def prune(self, before: datetime, *, at: datetime) -> int:
        """See `AuditStore.prune`."""
        with self._database.write() as connection:
            self._database.lock(connection, "audit_prune")
            last = _last_checkpoint(connection)
            starts = {head.lane: head for head in _starts(last)}
            cuts = _cuts(connection, before)
            if not cuts:
                return 0
            removed = sum(head.seq - starts.get(head.lane, Head(lane=head.lane)).seq for head in cuts)
            starts.update({head.lane: head for head in cuts})
            detail = {
                "before": before.isoformat(),
                "removed": removed,
                "removed_in_all": removed + (int(last.detail["removed_in_all"]) if last else 0),
                "lanes": {str(head.lane): {"seq": head.seq, "hash": head.hash} for head in starts.values()},
            }
            for head in cuts:
                connection.execute(delete(AUDIT).where(AUDIT.c.lane == head.lane, AUDIT.c.seq <= head.seq))
            record(connection, at=at, actor=SYSTEM, action=CHECKPOINT, subject="audit", detail=detail)
            return removed


class SqlAuditView:
    """One state of the log; see `AuditView`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def heads(self) -> Sequence[Head]:
        """See `AuditView.heads`."""
        query = select(HEAD.c.lane, HEAD.c.seq, HEAD.c.hash).order_by(HEAD.c.lane)
        return [Head(**row._mapping) for row in self._connection.execute(query)]

    def lanes(self) -> Sequence[int]:
        """See `AuditView.lanes`."""
        return list(self._connection.execute(select(AUDIT.c.lane).distinct().order_by(AUDIT.c.lane)).scalars())

    def entries(self, lane: int, *, after_seq: int, limit: int) -> Sequence[AuditEntry]:
        """See `AuditView.entries`."""
        query = select(AUDIT).where(AUDIT.c.lane == lane, AUDIT.c.seq > after_seq).order_by(AUDIT.c.seq).limit(limit)
        return [AuditEntry(**row) for row in self._connection.execute(query).mappings()]

    def starts(self) -> tuple[Sequence[Head], int]:
        """See `AuditView.starts`."""
        last = _last_checkpoint(self._connection)
        return _starts(last), int(last.detail["removed_in_all"]) if last else 0


def _filtered(query: Select[Any], wanted: AuditFilter) -> Select[Any]:
    if wanted.actor is not None:
        query = query.where(AUDIT.c.actor == wanted.actor)
    if wanted.subject is not None:
        query = query.where(AUDIT.c.subject == wanted.subject)
    if wanted.action is not None and wanted.action.endswith("."):
        query = query.where(AUDIT.c.action.startswith(wanted.action, autoescape=True))
    elif wanted.action is not None:
        query = query.where(AUDIT.c.action == wanted.action)
    if wanted.since is not None:
        query = query.where(AUDIT.c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AUDIT.c.at < wanted.until)
    return query


def _last_checkpoint(connection: Connection) -> AuditEntry | None:
    query = select(AUDIT).where(AUDIT.c.action == CHECKPOINT).order_by(AUDIT.c.id.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else AuditEntry(**row)


def _starts(checkpoint: AuditEntry | None) -> list[Head]:
    lanes = checkpoint.detail["lanes"] if checkpoint else {}
    return [Head(lane=int(lane), seq=told["seq"], hash=told["hash"]) for lane, told in lanes.items()]


def _cuts(connection: Connection, before: datetime) -> list[Head]:
    """The last entry of each lane that may go: every one up to it is older."""
    kept = (
        select(AUDIT.c.lane, func.min(AUDIT.c.seq).label("seq"))
        .where(AUDIT.c.at >= before)
        .group_by(AUDIT.c.lane)
        .subquery()
    )
    older = select(AUDIT.c.lane, func.max(AUDIT.c.seq).label("seq")).outerjoin(kept, AUDIT.c.lane == kept.c.lane)
    older = older.where(or_(kept.c.seq.is_(None), AUDIT.c.seq < kept.c.seq)).group_by(AUDIT.c.lane)
    last = older.subquery()
    query = select(AUDIT.c.lane, AUDIT.c.seq, AUDIT.c.hash).join(
        last, and_(AUDIT.c.lane == last.c.lane, AUDIT.c.seq == last.c.seq)
    )
    return [Head(**row._mapping) for row in connection.execute(query)]
