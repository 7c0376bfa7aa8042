"""On which server's disk a run's log and artifacts lie, where several servers share a database."""

import re
from pathlib import Path
from typing import Final

from sqlalchemy import bindparam, select

from fastflow.kernel.db.engine import Database
from fastflow.kernel.http.other_server import OtherServer
from fastflow.kernel.runs.infra.rows import RUN, RUNNER

_PATH: Final = re.compile(
    r"/runs/(?P<run>[0-9a-f-]{36})/(?:logs(?:/stream)?|artifacts/(?P<artifact>.+))", re.IGNORECASE
)
_OF_ONE_JOB: Final = re.compile(
    r"/logs/(?:live|stream)\?(?:.*&)?job_id=(?P<run>[0-9a-f-]{36})(?P<artifact>)(?:&.*)?", re.IGNORECASE
)
_PLACE: Final = (
    select(RUN.c.host, RUNNER.c.hostname, RUNNER.c.url)
    .join_from(RUN, RUNNER, RUNNER.c.host == RUN.c.host, isouter=True)
    .where(RUN.c.id == bindparam("run_id"), RUN.c.log_deleted_at.is_(None))
)


class Peers:
    """Finds the server that has what a path asks for; files that are on this machine too are answered from here.

    Args:
        database: where runs and runners are.
        host: id of this server's data directory.
        logs_dir: the logs on this machine.
        artifacts_dir: the artifacts on this machine, a folder for each run.
    """

    def __init__(self, database: Database, *, host: str, logs_dir: Path, artifacts_dir: Path) -> None:
        self._database = database
        self._host = host
        self._logs_dir = logs_dir
        self._artifacts_dir = artifacts_dir

    @staticmethod
    def is_candidate(path: str) -> bool:
        """Whether the path asks for a file of a run."""
        return _match(path) is not None

    def find(self, path: str) -> OtherServer | None:
        """See `FindServer`."""
        match = _match(path)
        if match is None:
            return None
        run_id = match["run"].lower()
        here = self._artifacts_dir / run_id if match["artifact"] else self._logs_dir / f"{run_id}.log"
        if here.exists():
            return None
        with self._database.read() as connection:
            row = connection.execute(_PLACE, {"run_id": run_id}).first()
        if row is None or row.host is None or row.host == self._host:
            return None
        return OtherServer(name=row.hostname or row.host, url=row.url)


def _match(asked: str) -> "re.Match[str] | None":
    return _PATH.fullmatch(asked.partition("?")[0]) or _OF_ONE_JOB.fullmatch(asked)
