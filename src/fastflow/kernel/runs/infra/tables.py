"""Tables of runs. `Run.__table__` and its siblings are used with SQLAlchemy Core; rows become domain records in the store."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, Text, text
from sqlmodel import Field, SQLModel

from fastflow.kernel.db.types import JsonColumn, UtcDateTime

LOG_KEPT = "finished_at IS NOT NULL AND log_deleted_at IS NULL"
"""Of a run that ended and whose log is still there; a query must say it in these words for the index to be used."""

RETAINED = "log_deleted_at IS NULL"
"""Of a run that is not over, or whose log and artifacts are still there: such a one may be asked for again, exactly."""

WITH_INPUTS = f"inputs_hash IS NOT NULL AND {RETAINED}"
"""Of such a run that a workbench handed inputs."""

UNSORTED = "status = 'FAILED' AND failure_group IS NULL AND reason <> 'cancelled'"
"""Of a failed run that was not put into a group of failures yet."""

READY = "status = 'PENDING' AND not_before IS NULL"
"""Of a run that may be claimed as soon as the limits let it."""


def _only(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class RunRow(SQLModel, table=True):
    """One submitted run, from PENDING to its one terminal state."""

    __tablename__ = "run"
    __table_args__ = (
        # Lists: one index for each pair of filters that people use, each with `id`, the order of every list. `trigger`
        # at the end lets a third filter be checked without fetching the row.
        Index("ix_run_pipeline_name_id", "pipeline_name", "id"),
        Index("ix_run_status_id", "status", "id", "trigger"),
        Index("ix_run_pipeline_name_status_id", "pipeline_name", "status", "id", "trigger"),
        Index("ix_run_trigger_id", "trigger", "id"),
        Index("ix_run_pipeline_name_trigger_id", "pipeline_name", "trigger", "id"),
        Index("ix_run_reason_id", "reason", "id", "trigger", **_only("reason IS NOT NULL")),
        Index(
            "ix_run_pipeline_name_reason_id", "pipeline_name", "reason", "id", "trigger", **_only("reason IS NOT NULL")
        ),
        # The queue: the claim reads these alone; ended runs, and those that wait for a time, are in none of them. `status`
        # stands first because SQLite otherwise prefers the larger index on it.
        Index("ix_run_pending", "status", "queue_rank", "id", **_only(READY)),
        Index(
            "ix_run_pending_pipeline_name",
            *("status", "pipeline_name", "queue_rank", "id", "concurrency_key"),
            **_only(READY),
        ),
        Index(
            "ix_run_running", "status", "pipeline_name", "concurrency_key", "lease_owner", **_only("status = 'RUNNING'")
        ),
        Index("ix_run_wait_deadline", "wait_deadline", **_only("status = 'PENDING' AND wait_deadline IS NOT NULL")),
        Index("ix_run_not_before", "status", "not_before", **_only("status = 'PENDING' AND not_before IS NOT NULL")),
        Index("uq_run_retry_of", "retry_of", unique=True, **_only("retry_of IS NOT NULL")),
        Index("ix_run_root_id", "root_id", "id", **_only("root_id IS NOT NULL")),
        Index("uq_run_idempotency", "pipeline_name", "idempotency_key", unique=True),
        # Retention: the ended runs that still have their log.
        Index("ix_run_log_kept", "pipeline_name", "id", **_only(LOG_KEPT)),
        Index("ix_run_log_kept_finished_at", "finished_at", **_only(LOG_KEPT)),
        Index("ix_run_tree_hash", "tree_hash", **_only(RETAINED)),
        Index("ix_run_inputs_hash", "inputs_hash", **_only(WITH_INPUTS)),
        # Failures: those in a group, and those that are in none yet (`failures/`).
        Index("ix_run_failure_group", "failure_group", "id", **_only("failure_group IS NOT NULL")),
        Index("ix_run_failure_unsorted", "status", "id", **_only(UNSORTED)),
        Index("ix_run_schedule_id", "schedule_id", "id", **_only("schedule_id IS NOT NULL")),
    )

    id: str = Field(primary_key=True, max_length=36)
    pipeline_name: str = Field(max_length=200)
    status: str = Field(max_length=10)
    """PENDING, RUNNING, SUCCESS or FAILED."""
    reason: str | None = Field(default=None, max_length=20)
    """Of a FAILED run: exit, timeout, cancelled, oom, setup or lost."""
    reason_text: str | None = Field(default=None, sa_type=Text)
    failure_group: str | None = Field(default=None, max_length=16)
    """What its end has in common with others; found out some time after the end."""
    exit_code: int | None = None
    """The script's exit code; minus the signal's number when a signal ended it."""
    trigger: str = Field(max_length=20)
    """What submitted it: api, cli, ui, schedule, webhook, rerun …"""
    submitted_by: str = Field(max_length=200)
    params: dict[str, Any] = Field(sa_column=Column(JsonColumn, nullable=False))
    executor: str = Field(max_length=20)
    priority: int = 0
    """Higher first; may change while PENDING."""
    queue_rank: int = 0
    """Minus `priority`, so that one ascending index gives the order of the queue."""
    concurrency_key: str | None = Field(default=None, max_length=300)
    """The pipeline's key template filled with the parameters; counted within its pipeline."""
    pipeline_limit: int | None = None
    """Runs of this pipeline that may run at once, as the pipeline said when the run was submitted."""
    key_limit: int | None = None
    """Runs of this pipeline and key that may run at once."""
    idempotency_key: str | None = Field(default=None, max_length=200)
    rerun_of: str | None = Field(default=None, max_length=36)
    attempt: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    """1 for a run of its own, 2 for its first retry."""
    retry_of: str | None = Field(default=None, max_length=36)
    """The failed run that it tries again; no run is tried again twice."""
    root_id: str | None = Field(default=None, max_length=36)
    """Of a retry: the first attempt."""
    retried_by: str | None = Field(default=None, max_length=36)
    """The run that tries it again."""
    schedule_id: str | None = Field(default=None, max_length=36)
    """The schedule that submitted it; also one that was removed since."""
    capsule: dict[str, Any] = Field(sa_column=Column(JsonColumn, nullable=False))
    """All that `rerun --exact` needs; see `runs/domain/capsule.py`. Never a secret's value."""
    tree_hash: str | None = Field(default=None, max_length=64)
    inputs_hash: str | None = Field(default=None, max_length=64)
    """The capsule's copy of the code, in a column of its own so that unused copies are found."""
    queued_at: datetime = Field(sa_type=UtcDateTime)
    not_before: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """While it waits for a time: that time. Emptied by the claim that finds it has come; only then is it in the queue."""
    wait_deadline: datetime | None = Field(default=None, sa_type=UtcDateTime)
    claimed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When a runner took it out of the queue and began to set it up."""
    waits_for: str | None = Field(default=None, sa_type=Text)
    """Before its start: what it waits for where it is to run, such as a node with room."""
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the user's process was started (after the environment was ready)."""
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    setup_duration: float | None = None
    """Seconds from claim to the start of the user's process."""
    commit: str | None = Field(default=None, max_length=64)
    environment: str | None = Field(default=None, max_length=64)
    """Content hash of the environment it ran in."""
    interpreter: str | None = Field(default=None, max_length=200)
    uv_version: str | None = Field(default=None, max_length=40)
    log_file: str | None = Field(default=None, sa_type=Text)
    log_deleted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    isolation: dict[str, Any] | None = Field(default=None, sa_column=Column(JsonColumn, nullable=True))
    """What isolation was in force, as the supervisor found it."""
    progress: dict[str, Any] | None = Field(default=None, sa_column=Column(JsonColumn, nullable=True))
    metrics: dict[str, Any] | None = Field(default=None, sa_column=Column(JsonColumn, nullable=True))
    outputs: dict[str, Any] | None = Field(default=None, sa_column=Column(JsonColumn, nullable=True))
    peak_memory_bytes: int | None = Field(default=None, sa_type=BigInteger)
    cpu_seconds: float | None = None
    host: str | None = Field(default=None, max_length=64)
    """Id of the data directory whose runner claimed it: that is where its supervisor is."""
    lease_owner: str | None = Field(default=None, max_length=64)
    lease_token: int = 0
    """Fencing token: raised by one at each claim and take-over; a write with an older one is refused."""
    attempt_token: int = 0
    """The token its present attempt is launched under; a take-over raises `lease_token` alone."""
    lease_expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    cancel_requested_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    cancel_requested_by: str | None = Field(default=None, max_length=200)
    cancel_reason: str | None = Field(default=None, sa_type=Text)


class RunEventRow(SQLModel, table=True):
    """Something a run told or that happened to it: state, progress, metric, output, sample, note."""

    __tablename__ = "run_event"
    __table_args__ = (
        Index("uq_run_event_source", "run_id", "source_offset", unique=True, **_only("source_offset IS NOT NULL")),
        # A stream's cursor is an id: one given out again after its row was deleted would be taken for seen.
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger().with_variant(Integer, "sqlite"))
    run_id: str = Field(max_length=36, foreign_key="run.id", ondelete="CASCADE", index=True)
    at: datetime = Field(sa_type=UtcDateTime)
    kind: str = Field(max_length=20)
    data: dict[str, Any] = Field(sa_column=Column(JsonColumn, nullable=False))
    source_offset: int | None = Field(default=None, sa_type=BigInteger)
    """Byte offset in the supervisor's event file, so that a replay after a restart adds nothing twice; None for our own."""


class RunArtifactRow(SQLModel, table=True):
    """A file a run left in `$FASTFLOW_ARTIFACTS`."""

    __tablename__ = "run_artifact"

    run_id: str = Field(primary_key=True, max_length=36, foreign_key="run.id", ondelete="CASCADE")
    path: str = Field(primary_key=True, max_length=1000)
    """Relative to the run's artifact folder, with forward slashes."""
    size_bytes: int = Field(sa_type=BigInteger)
    sha256: str = Field(max_length=64)
    created_at: datetime = Field(sa_type=UtcDateTime)


class RunnerRow(SQLModel, table=True):
    """A runner process: the last one of each data directory."""

    __tablename__ = "runner"

    host: str = Field(primary_key=True, max_length=64)
    """Id of its data directory."""
    owner: str = Field(max_length=64)
    """Id of the process; holder of its leases."""
    hostname: str = Field(max_length=255)
    pid: int
    started_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime)
    """Heartbeat."""
    stopped_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When it was stopped in an orderly way; None while it runs, and after a crash."""
    url: str | None = Field(default=None, max_length=500)
    """Where the other servers of the database reach the server it belongs to."""
    held_back: str | None = Field(default=None, sa_type=Text)
    """Why it takes no new runs at present."""
