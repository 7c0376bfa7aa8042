"""Moving schedules on inside a transaction: the rows of the due times that have come, and where the schedules stand then."""

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, insert, or_, select, text, update

from fastflow.kernel.schedules.domain.schedule import Occurrence, Outcome, Pause, Schedule
from fastflow.kernel.schedules.infra.rows import OCCURRENCE, PAUSE, PAUSE_COLUMNS, SCHEDULE, pause_of
from fastflow.kernel.schedules.ports import Decide

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
"""How long submitting a batch of runs may take before another scheduler takes over; doing it twice gives one run."""

_TRY_AGAIN = timedelta(seconds=60)

_KNOWN = select(OCCURRENCE.c.due_at).where(
    OCCURRENCE.c.schedule_id == bindparam("schedule_id"),
    OCCURRENCE.c.due_at.in_(bindparam("due", expanding=True)),
)
_MOVE_ON = (
    update(SCHEDULE)
    .where(SCHEDULE.c.id == bindparam("schedule_id"), SCHEDULE.c.next_due_at == bindparam("expected"))
    .values(next_due_at=bindparam("due"), next_fire_at=bindparam("fire"), last_due_at=bindparam("last"))
)
_FEW = 20
_COLUMNS = [column.name for column in OCCURRENCE.columns]
_INSERT_MANY = text(
    f"INSERT INTO occurrence ({', '.join(_COLUMNS)}) SELECT {', '.join(_COLUMNS)} "  # noqa: S608 - names of ours alone
    "FROM jsonb_populate_recordset(NULL::occurrence, CAST(:rows AS jsonb))"
)
"""PostgreSQL's driver sends row by row, or each value of many rows: one text of all of them takes a tenth of the time."""
_PAUSES = select(*PAUSE_COLUMNS).where(or_(PAUSE.c.until.is_(None), PAUSE.c.until > bindparam("since")))


def load_pauses(connection: Connection, since: datetime) -> list[Pause]:
    """The pauses in force, and those lifted after an instant."""
    return [pause_of(row) for row in connection.execute(_PAUSES, {"since": since})]


class Recorder:
    """Records for several schedules, whose rows the transaction holds, and writes at the end.

    Args:
        connection: in a write transaction.
        lease_owner: who will start what is to be started; None: whoever comes first.
        now: aware.
    """

    def __init__(self, connection: Connection, *, lease_owner: str | None, now: datetime) -> None:
        self._connection = connection
        self._lease = {"lease_owner": lease_owner, "lease_expires_at": now + LEASE if lease_owner else None}
        self._now = now
        self._rows: list[dict[str, Any]] = []
        self._moves: list[dict[str, Any]] = []

    def record(self, schedule: Schedule, pauses: Sequence[Pause], decide: Decide) -> tuple[Sequence[Occurrence], bool]:
        """Decide what has come for a schedule. Returns the new occurrences, and whether more has come.

        A due time that has a row keeps it: the clock was ahead when that was written.
        """
        expected = schedule.next_due_at
        if expected is None:
            return (), False
        try:
            decision = decide(schedule, pauses)
        except Exception:  # such as a zone that this machine's database has no more: the others must not wait for it
            logger.exception("schedule.not_decided", extra={"fields": {"schedule": schedule.id}})
            self._move(schedule, expected, self._now + _TRY_AGAIN)
            return (), False
        if not decision.occurrences:
            return (), False
        new = self._without_known(schedule, decision.occurrences)
        self._rows += [self._row(one) for one in new]
        last = decision.occurrences[-1].due_at
        self._move(schedule, decision.next_due_at, decision.next_fire_at, max(last, schedule.last_due_at or last))
        return new, decision.has_more

    def write(self) -> None:
        """Write what was recorded."""
        if self._rows:
            _insert(self._connection, self._rows)
        if self._moves:
            self._connection.execute(_MOVE_ON, self._moves)
        self._rows, self._moves = [], []

    def _move(
        self, schedule: Schedule, due: datetime | None, fire: datetime | None, last: datetime | None = None
    ) -> None:
        values = {"due": due, "fire": fire, "last": last or schedule.last_due_at}
        self._moves.append({"schedule_id": schedule.id, "expected": schedule.next_due_at, **values})

    def _without_known(self, schedule: Schedule, occurrences: Sequence[Occurrence]) -> Sequence[Occurrence]:
        if schedule.last_due_at is None or occurrences[0].due_at > schedule.last_due_at:
            return occurrences
        values = {"schedule_id": schedule.id, "due": [one.due_at for one in occurrences]}
        known = set(self._connection.execute(_KNOWN, values).scalars())
        return [one for one in occurrences if one.due_at not in known]

    def _row(self, one: Occurrence) -> dict[str, Any]:
        row = {**vars(one), "outcome": one.outcome.value, "lease_owner": None, "lease_expires_at": None}
        return row | self._lease if one.outcome is Outcome.STARTING else row


def _insert(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    if connection.dialect.name == "sqlite" or len(rows) <= _FEW:
        connection.execute(insert(OCCURRENCE), list(rows))
    else:
        connection.execute(_INSERT_MANY, {"rows": json.dumps(rows, default=_as_text)})


def _as_text(value: object) -> str:
    assert isinstance(value, datetime)
    return value.isoformat()
