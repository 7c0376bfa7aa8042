"""The end of a run's log, for messages."""

from collections.abc import Sequence
from pathlib import Path

from fastflow.kernel.db.engine import Database
from fastflow.kernel.runs.infra.log_files import LogFiles
from fastflow.kernel.runs.infra.logged_runs import SqlLoggedRuns


class RunLogTail:
    """See `ports.LogTail`.

    Args:
        database: where runs are.
        logs_dir: folder of the logs.
    """

    def __init__(self, database: Database, logs_dir: Path) -> None:
        self._runs = SqlLoggedRuns(database, logs_dir)
        self._files = LogFiles()

    def last_lines(self, run_id: str, count: int) -> Sequence[str]:
        """See `LogTail.last_lines`."""
        run = self._runs.find(run_id)
        if run is None or run.log_deleted_at is not None:
            return ()
        try:
            lines = self._files.last_lines(run, count).lines
        except OSError:  # the message is worth more than its quotation
            return ()
        return [line.text.decode("utf-8", "replace") for line in lines]
