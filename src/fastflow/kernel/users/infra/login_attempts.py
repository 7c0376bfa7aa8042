"""Failed logins in the database, shared by every process of the server."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import Connection, Table, delete, insert, select

from fastflow.kernel.db.engine import Database
from fastflow.kernel.users.infra.tables import LoginAttemptRow

_ATTEMPT = cast("Table", LoginAttemptRow.__table__)  # type: ignore[attr-defined]  # SQLModel adds it at class creation


class SqlLoginAttempts:
    """Failed logins; see `LoginAttempts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(self, limits: Sequence[tuple[str, int]], *, at: datetime, window_seconds: float) -> float | None:
        """See `LoginAttempts.reserve`."""
        window = timedelta(seconds=window_seconds)
        with self._database.write() as connection:
            self._database.lock(connection, "login_attempts")
            connection.execute(delete(_ATTEMPT).where(_ATTEMPT.c.at <= at - window))
            waits = [self._wait(connection, subject, limit, at, window) for subject, limit in limits]
            longest = max(waits)
            if longest > 0:
                return longest
            connection.execute(insert(_ATTEMPT), [{"subject": subject, "at": at} for subject, _ in limits])
            return None

    def forgive(self, user_subject: str, address_subject: str | None) -> None:
        """See `LoginAttempts.forgive`."""
        with self._database.write() as connection:
            connection.execute(delete(_ATTEMPT).where(_ATTEMPT.c.subject == user_subject))
            if address_subject is not None:
                latest = (
                    select(_ATTEMPT.c.id)
                    .where(_ATTEMPT.c.subject == address_subject)
                    .order_by(_ATTEMPT.c.id.desc())
                    .limit(1)
                )
                connection.execute(delete(_ATTEMPT).where(_ATTEMPT.c.id.in_(latest)))

    @staticmethod
    def _wait(connection: Connection, subject: str, limit: int, at: datetime, window: timedelta) -> float:
        """Seconds until fewer than `limit` attempts of `subject` are within the window; 0 when that is so now."""
        query = select(_ATTEMPT.c.at).where(_ATTEMPT.c.subject == subject).order_by(_ATTEMPT.c.at.desc()).limit(limit)
        times: list[datetime] = list(connection.execute(query).scalars())
        if len(times) < limit:
            return 0.0
        return max(0.0, (times[-1] + window - at).total_seconds())
