"""Adding to the chain of the audit log, inside the transaction of the change itself.

A writer takes a lane that nobody else holds and keeps it to the end of its transaction. SQLite has one writer and so one
lane. On PostgreSQL as many lanes come to be as there were ever writers at the same moment: none waits for another, and
as nobody waits for a lane, no deadlock can come of it.
"""

import secrets
import weakref
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import Connection, Table, bindparam, insert, select, update

from fastflow.kernel.audit.domain.chain import Head, entry_hash
from fastflow.kernel.audit.infra.tables import AuditHeadRow, AuditRow
from fastflow.kit.identity import Actor

AUDIT: Final = cast("Table", AuditRow.__table__)  # type: ignore[attr-defined]  # SQLModel adds it at class creation
HEAD: Final = cast("Table", AuditHeadRow.__table__)  # type: ignore[attr-defined]  # as above
_FIRST_LANE = 0
_FIND_HEAD = select(HEAD.c.lane, HEAD.c.seq, HEAD.c.hash).order_by(HEAD.c.lane).limit(1)
_FIND_FREE_HEAD = _FIND_HEAD.with_for_update(skip_locked=True)
_FIND_OUR_HEAD = _FIND_FREE_HEAD.where(HEAD.c.lane == bindparam("of_lane"))
_OURS = "fastflow.audit_lane"
"""Where a connection keeps its present transaction and the lane that this holds: a second entry goes into the same one,
else a transaction would come to hold several, and more lanes than writers would be made."""
_MOVE_HEAD = (
    update(HEAD).where(HEAD.c.lane == bindparam("of_lane")).values(seq=bindparam("new_seq"), hash=bindparam("new_hash"))
)
_INSERT = insert(AUDIT)


def record(
    connection: Connection,
    *,
    at: datetime,
    actor: Actor,
    action: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write one entry in the caller's write transaction: it is kept exactly when the change is.

    Args:
        action: `thing.verb`, such as `run.submit`.
        subject: the thing changed; cut at the column's 300 characters.
        detail: JSON values; never a secret's value.
    """
    head = _take_head(connection)
    content: dict[str, Any] = {
        "at": at,
        "actor": actor.name[:200],
        "action": action,
        "subject": subject[:300],
        "detail": dict(detail or {}),
        "address": actor.address[:60] if actor.address else None,
    }
    digest = entry_hash(head, **content)
    connection.execute(_MOVE_HEAD, {"of_lane": head.lane, "new_seq": head.seq + 1, "new_hash": digest})
    chained = {"lane": head.lane, "seq": head.seq + 1, "previous": head.hash, "hash": digest}
    connection.execute(_INSERT, {**content, **chained})


def _take_head(connection: Connection) -> Head:
    """The end of a lane that is ours until the transaction ends."""
    if connection.dialect.name == "sqlite":
        row = connection.execute(_FIND_HEAD).first()
        return _make_head(connection, _FIRST_LANE) if row is None else Head(lane=row.lane, seq=row.seq, hash=row.hash)
    row = None
    transaction, ours = connection.get_transaction(), connection.info.get(_OURS)
    if ours is not None and ours[0]() is transaction:
        row = connection.execute(_FIND_OUR_HEAD, {"of_lane": ours[1]}).first()
    if row is None:
        row = connection.execute(_FIND_FREE_HEAD).first()
    if row is None:  # by chance, not counted on: two that make one at the same moment must not meet
        head = _make_head(connection, 1 + secrets.randbelow(2**31 - 1))
    else:
        head = Head(lane=row.lane, seq=row.seq, hash=row.hash)
    if transaction is not None:
        connection.info[_OURS] = (weakref.ref(transaction), head.lane)
    return head


def _make_head(connection: Connection, lane: int) -> Head:
    fresh = Head(lane=lane)
    connection.execute(insert(HEAD), {"lane": fresh.lane, "seq": fresh.seq, "hash": fresh.hash})
    return fresh
