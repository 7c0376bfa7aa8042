"""Assembles the reading of logs, events and artifacts from its parts."""

from pathlib import Path

from fastflow.kernel.db.engine import Database
from fastflow.kernel.runs.infra.artifact_files import ArtifactFiles
from fastflow.kernel.runs.infra.event_feed import GAP_SECONDS, EventFeed
from fastflow.kernel.runs.infra.log_files import LogFiles
from fastflow.kernel.runs.infra.log_follower import LogFollower
from fastflow.kernel.runs.infra.logged_runs import SqlLoggedRuns
from fastflow.kernel.runs.infra.run_ends import RunEnds
from fastflow.kernel.runs.log_service import LogService


def build_log_service(database: Database, *, logs_dir: Path, artifacts_dir: Path, stream_rate: int) -> LogService:
    """The service.

    Args:
        database: where runs are.
        logs_dir: folder of the logs.
        artifacts_dir: folder with one folder of artifacts per run.
        stream_rate: lines per second to one live reader; 0 means no limit.
    """
    runs = SqlLoggedRuns(database, logs_dir)
    ends = RunEnds(runs.find_ended, runs.find)
    # SQLite has one writer at a time, so its ids become visible in order.
    feed = EventFeed(runs.load_events, runs.last_event_id, gap_seconds=0.0 if database.is_sqlite else GAP_SECONDS)
    return LogService(
        runs=runs,
        files=LogFiles(),
        follower=LogFollower(ends.wait_ended, rate=stream_rate),
        ends=ends,
        feed=feed,
        artifacts=ArtifactFiles(artifacts_dir),
    )
