"""What agents on a cluster's nodes need of the database: whether their attempt is still the run's, and which server it
belongs to, where several share a database."""

import re
from collections.abc import Callable
from typing import Final

from sqlalchemy import bindparam, select

from fastflow.kernel.db.engine import Database
from fastflow.kernel.executors.port import RunKey
from fastflow.kernel.http.other_server import OtherServer
from fastflow.kernel.runs.infra.rows import RUN, RUNNER

_PATH: Final = re.compile(r"/agent/(?P<run>[0-9a-f-]{36})/(?P<attempt>\d{1,18})/[a-z]+")
_CURRENT: Final = select(RUN.c.id).where(
    RUN.c.id == bindparam("run_id"), RUN.c.status == "RUNNING", RUN.c.attempt_token == bindparam("token")
)
_PLACE: Final = (
    select(RUN.c.host, RUNNER.c.hostname, RUNNER.c.url)
    .join_from(RUN, RUNNER, RUNNER.c.host == RUN.c.host, isouter=True)
    .where(RUN.c.id == bindparam("run_id"))
)


class AttemptFence:
    """Whether a run is being carried out as an attempt: the fence of what agents send."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __call__(self, run_id: str, token: int) -> bool:
        """See `executors.ray.ingest.Fence`.

        Raises:
            Unavailable: the database is away.
        """
        with self._database.read() as connection:
            return connection.execute(_CURRENT, {"run_id": run_id, "token": token}).first() is not None


class AgentPeers:
    """Finds the server whose attempt an agent speaks of; any server may be asked.

    Args:
        database: where runs and runners are.
        host: id of this server's data directory.
        is_here: whether an attempt belongs to this server.
    """

    def __init__(self, database: Database, *, host: str, is_here: Callable[[RunKey], bool]) -> None:
        self._database = database
        self._host = host
        self._is_here = is_here

    @staticmethod
    def is_candidate(path: str) -> bool:
        """Whether the path is an agent's."""
        return _PATH.fullmatch(path.partition("?")[0]) is not None

    def find(self, path: str) -> OtherServer | None:
        """See `FindServer`."""
        match = _PATH.fullmatch(path.partition("?")[0])
        if match is None or self._is_here(RunKey(run_id=match["run"], token=int(match["attempt"]))):
            return None
        with self._database.read() as connection:
            row = connection.execute(_PLACE, {"run_id": match["run"]}).first()
        if row is None or row.host is None or row.host == self._host:
            return None
        return OtherServer(name=row.hostname or row.host, url=row.url)
