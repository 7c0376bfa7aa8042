"""Which runs, flows, groups of failures and syncs have outlived their time, and their removal."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, delete, exists, func, or_, select
from sqlalchemy.sql import ColumnElement

from fastflow.kernel.db.engine import Database
from fastflow.kernel.failures.infra.rows import GROUP, LETTER, SIGHT
from fastflow.kernel.flows.infra.rows import ELEMENT, FLOW
from fastflow.kernel.runs.infra.rows import HERE, RUN
from fastflow.kernel.sync.infra.rows import SYNC

_ID_SLACK: Final = timedelta(days=1)
"""An id tells when its run was made by the clock of that moment, which may have been wrong by so much."""

_NEWER: Final = RUN.alias("newer")
_IS_NEWEST_SUCCESS: Final = and_(
    RUN.c.status == "SUCCESS",
    ~exists(
        select(_NEWER.c.id).where(
            _NEWER.c.pipeline_name == RUN.c.pipeline_name, _NEWER.c.status == "SUCCESS", _NEWER.c.id > RUN.c.id
        )
    ),
)
_IS_OPEN_LETTER: Final = exists(select(LETTER.c.run_id).where(LETTER.c.run_id == RUN.c.id, LETTER.c.state == "open"))
_IS_IN_FLOW: Final = exists(select(ELEMENT.c.run_id).where(ELEMENT.c.run_id == RUN.c.id))
_MAY_GO: Final = and_(RUN.c.finished_at.is_not(None), ~_IS_NEWEST_SUCCESS, ~_IS_OPEN_LETTER, ~_IS_IN_FLOW)

_OLD: Final = (
    select(RUN.c.id)
    .where(RUN.c.id < bindparam("bound"), RUN.c.finished_at < bindparam("before"), HERE, _MAY_GO)
    .order_by(RUN.c.id)
    .limit(bindparam("count"))
)
_NEXT_PIPELINE: Final = select(func.min(RUN.c.pipeline_name)).where(RUN.c.pipeline_name > bindparam("pipeline_name"))
_EDGE: Final = (
    select(RUN.c.id)
    .where(RUN.c.pipeline_name == bindparam("pipeline_name"), RUN.c.finished_at.is_not(None))
    .order_by(RUN.c.id.desc())
    .offset(bindparam("keep"))
    .limit(1)
)
_BEYOND: Final = (
    select(RUN.c.id)
    .where(RUN.c.pipeline_name == bindparam("pipeline_name"), RUN.c.id <= bindparam("edge"), HERE, _MAY_GO)
    .order_by(RUN.c.id)
    .limit(bindparam("count"))
)


class SqlHistoryStore:
    """See `ports.HistoryStore`.

    Args:
        database: migrated.
        host: id of this server's data directory: what lies on other servers is theirs to remove.
    """

    def __init__(self, database: Database, host: str) -> None:
        self._database = database
        self._host = host

    def find_runs(self, *, before: datetime | None, keep: int | None, limit: int) -> Sequence[str]:
        """See the port."""
        with self._database.read() as connection:
            found = [] if before is None else self._find_old(connection, before, limit)
            return found or ([] if keep is None else self._find_beyond(connection, keep, limit))

    def _find_old(self, connection: Connection, before: datetime, limit: int) -> list[str]:
        values = {"at_host": self._host, "before": before, "bound": _id_after(before), "count": limit}
        return list(connection.execute(_OLD, values).scalars())

    def _find_beyond(self, connection: Connection, keep: int, limit: int) -> list[str]:
        found: list[str] = []
        name = connection.execute(_NEXT_PIPELINE, {"pipeline_name": ""}).scalar_one()
        while name is not None and len(found) < limit:
            edge = connection.execute(_EDGE, {"pipeline_name": name, "keep": keep}).scalar()
            if edge is not None:
                values = {"at_host": self._host, "pipeline_name": name, "edge": edge, "count": limit - len(found)}
                found += connection.execute(_BEYOND, values).scalars()
            name = connection.execute(_NEXT_PIPELINE, {"pipeline_name": name}).scalar_one()
        return found

    def remove_runs(self, run_ids: Sequence[str]) -> int:
        """See the port."""
        with self._database.write() as connection:
            return connection.execute(delete(RUN).where(RUN.c.id.in_(run_ids), _MAY_GO)).rowcount

    def remove_flows(self, *, before: datetime | None, keep: int | None, limit: int) -> int:
        """See the port."""
        with self._database.write() as connection:
            ids: list[str] = []
            if before is not None:
                old = select(FLOW.c.id).where(FLOW.c.id < _id_after(before), FLOW.c.finished_at < before)
                ids = list(connection.execute(old.order_by(FLOW.c.id).limit(limit)).scalars())
            if keep is not None and not ids:
                ids = _flows_beyond(connection, keep, limit)
            return connection.execute(delete(FLOW).where(FLOW.c.id.in_(ids))).rowcount if ids else 0

    def remove_groups(self, unseen_since: datetime) -> int:
        """See the port."""
        has_runs = exists(select(RUN.c.id).where(RUN.c.failure_group == GROUP.c.id))
        was_seen = exists(
            select(SIGHT.c.group_id).where(SIGHT.c.group_id == GROUP.c.id, SIGHT.c.last_seen_at >= unseen_since)
        )
        with self._database.write() as connection:
            return connection.execute(delete(GROUP).where(~has_runs, ~was_seen)).rowcount

    def remove_syncs(self, before: datetime, *, keep: int) -> int:
        """See the port."""
        newer = SYNC.alias("newer")
        rank: ColumnElement[int] = (
            select(func.count())
            .select_from(newer)
            .where(newer.c.repository == SYNC.c.repository, newer.c.id > SYNC.c.id)
            .scalar_subquery()
        )
        is_settled = or_(SYNC.c.state != "activated", SYNC.c.settled_at.is_not(None))
        old = select(SYNC.c.id).where(SYNC.c.finished_at < before, is_settled, rank >= keep)
        with self._database.write() as connection:
            ids = list(connection.execute(old.limit(1000)).scalars())
            if not ids:
                return 0
            return connection.execute(delete(SYNC).where(SYNC.c.id.in_(ids))).rowcount


def _flows_beyond(connection: Connection, keep: int, limit: int) -> list[str]:
    ended = FLOW.c.finished_at.is_not(None)
    crowded = select(FLOW.c.kind, FLOW.c.name).where(ended).group_by(FLOW.c.kind, FLOW.c.name)
    found: list[str] = []
    for kind, name in connection.execute(crowded.having(func.count() > keep)).all():
        mine: Any = select(FLOW.c.id).where(ended, FLOW.c.kind == kind, FLOW.c.name == name)
        found += connection.execute(mine.order_by(FLOW.c.id.desc()).offset(keep).limit(limit)).scalars()
        if len(found) >= limit:
            break
    return found[:limit]


def _id_after(instant: datetime) -> str:
    """An id that sorts after those of everything made before the instant."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    text = f"{max(0, int((instant + _ID_SLACK - epoch).total_seconds() * 1000)):012x}"
    return f"{text[:8]}-{text[8:12]}-0000-0000-000000000000"
