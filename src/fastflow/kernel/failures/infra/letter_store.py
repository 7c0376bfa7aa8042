"""Dead letters in the database."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, update

from fastflow.kernel.audit import record
from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.scope import in_scope
from fastflow.kernel.failures.domain.records import DeadLetter, LetterFilter, LetterState
from fastflow.kernel.failures.infra.rows import LETTER
from fastflow.kernel.runs.infra.rows import RUN, RUN_COLUMNS, run_of
from fastflow.kit.identity import Actor

_OWN = (
    LETTER.c.state,
    LETTER.c.created_at,
    LETTER.c.settled_at,
    LETTER.c.settled_by,
    LETTER.c.note,
    LETTER.c.replayed_by,
)
_ALL = select(*RUN_COLUMNS, *_OWN).join_from(LETTER, RUN, RUN.c.id == LETTER.c.run_id)
_ONE = _ALL.where(LETTER.c.run_id == bindparam("run_id"))
_SETTLE = (
    update(LETTER)
    .where(LETTER.c.run_id == bindparam("letter"), LETTER.c.state == LetterState.OPEN.value)
    .values(
        state=bindparam("new_state"),
        settled_at=bindparam("at"),
        settled_by=bindparam("by"),
        note=bindparam("new_note"),
        replayed_by=bindparam("replay"),
    )
)


class SqlLetterStore:
    """See `ports.LetterStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, run_id: str) -> DeadLetter | None:
        """See `LetterStore.find`."""
        with self._database.read() as connection:
            return _find(connection, run_id)

    def load_page(self, wanted: LetterFilter, *, before_id: str | None, limit: int) -> Sequence[DeadLetter]:
        """See `LetterStore.load_page`."""
        query = _filtered(_ALL, wanted).order_by(LETTER.c.run_id.desc()).limit(limit)
        if before_id is not None:
            query = query.where(LETTER.c.run_id < before_id)
        with self._database.read() as connection:
            return [_letter(row) for row in connection.execute(query)]

    def settle(
        self, run_id: str, state: LetterState, *, replayed_by: str | None, note: str | None, at: datetime, actor: Actor
    ) -> tuple[DeadLetter | None, bool]:
        """See `LetterStore.settle`."""
        values = {"letter": run_id, "new_state": state.value, "at": at, "by": actor.name[:200], "new_note": note}
        with self._database.write() as connection:
            changed = connection.execute(_SETTLE, {**values, "replay": replayed_by}).rowcount > 0
            if changed:
                action = "dead_letter.replay" if state is LetterState.REPLAYED else "dead_letter.dismiss"
                detail = {name: value for name, value in (("note", note), ("run", replayed_by)) if value is not None}
                record(connection, at=at, actor=actor, action=action, subject=run_id, detail=detail)
            return _find(connection, run_id), changed


def _find(connection: Connection, run_id: str) -> DeadLetter | None:
    return next((_letter(row) for row in connection.execute(_ONE, {"run_id": run_id})), None)


def _letter(row: Any) -> DeadLetter:
    own = dict(zip((column.name for column in _OWN), row[len(RUN_COLUMNS) :], strict=True))
    return DeadLetter(run=run_of(row[: len(RUN_COLUMNS)]), **{**own, "state": LetterState(own["state"])})


def _filtered(query: Select[Any], wanted: LetterFilter) -> Select[Any]:
    if wanted.pipeline_name is not None:
        query = query.where(LETTER.c.pipeline_name == wanted.pipeline_name)
    elif wanted.pipelines is not None:
        query = query.where(in_scope(LETTER.c.pipeline_name, wanted.pipelines))
    if wanted.state is not None:
        query = query.where(LETTER.c.state == wanted.state.value)
    if wanted.failure_group is not None:
        query = query.where(RUN.c.failure_group == wanted.failure_group)
    if wanted.since is not None:
        query = query.where(LETTER.c.created_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(LETTER.c.created_at < wanted.until)
    return query
