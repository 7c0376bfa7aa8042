"""The record of a run, and the records of how it ends, what it told and what it left."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fastflow.kernel.executors.port import Exit, Reason, RunKey
from fastflow.kernel.runs.domain.states import RunStatus


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run as the database holds it; a change makes a new record. Times are aware UTC.

    Attributes:
        id: UUIDv7; sorting by it is sorting by submission.
        pipeline_name: the pipeline, whose code is frozen in `capsule`.
        status: see `RunStatus`.
        reason: of a FAILED run: exit, timeout, cancelled, oom, setup or lost.
        reason_text: the same as one sentence.
        failure_group: of a FAILED run: what its end has in common with others, once that was found out.
        exit_code: the script's exit code; minus the signal's number; None when it never ran or nobody saw the end.
        trigger: what submitted it, one of `TRIGGERS`.
        submitted_by: the actor's name.
        params: validated, with defaults filled in.
        executor: kind of the executor.
        priority: higher first; may change while PENDING.
        concurrency_key: the pipeline's key template filled with the parameters.
        pipeline_limit: runs of its pipeline that may run at once; None means no limit.
        key_limit: runs of its pipeline and key that may run at once; None means no limit.
        idempotency_key: a second submission with it returns this run.
        rerun_of: id of the run it repeats.
        attempt: 1 for a run of its own, 2 for its first retry.
        retry_of: the failed run it tries again.
        root_id: of a retry: the first attempt.
        retried_by: the run that tries it again.
        schedule_id: the schedule that submitted it; its due time is in `capsule`.
        capsule: what `rerun --exact` needs (`domain/capsule.py`); never a secret's value.
        queued_at: when it was submitted.
        not_before: the time it waits for before it enters the queue; None when it waits for none.
        wait_deadline: when it fails if it is still in the queue, or waits for room elsewhere; None means never.
        claimed_at: when a runner took it out of the queue.
        waits_for: out of the queue, before its start: what it waits for where it is to run; None: for nothing.
        started_at: when the user's process started.
        finished_at: when it ended.
        setup_duration: seconds from claim to start.
        commit: commit of the code, when the folder of pipelines is a Git repository.
        environment: content hash of its environment, as soon as it is known.
        interpreter: such as `cpython-3.11.7`.
        uv_version: the uv that built the environment.
        log_file: path of its log.
        log_deleted_at: when retention removed log and artifacts.
        isolation: what isolation was in force.
        progress: the last progress it told.
        metrics: every metric it told, last value.
        outputs: every output it told, last value.
        peak_memory_bytes: of the whole process tree.
        cpu_seconds: of the whole process tree.
        host: id of the data directory whose runner claimed it.
        lease_owner: the runner process that holds the lease.
        lease_token: fencing token; a write with an older one is refused.
        attempt_token: the token its present attempt was launched under.
        lease_expires_at: when the lease ends unless renewed.
        cancel_requested_at: when its end was asked for.
        cancel_requested_by: who asked.
        cancel_reason: why, in words.
    """

    id: str
    pipeline_name: str
    status: RunStatus
    reason: Reason | None = None
    reason_text: str | None = None
    failure_group: str | None = None
    exit_code: int | None = None
    trigger: str
    submitted_by: str
    params: Mapping[str, Any]
    executor: str
    priority: int = 0
    concurrency_key: str | None = None
    pipeline_limit: int | None = None
    key_limit: int | None = None
    idempotency_key: str | None = None
    rerun_of: str | None = None
    attempt: int = 1
    retry_of: str | None = None
    root_id: str | None = None
    retried_by: str | None = None
    schedule_id: str | None = None
    capsule: Mapping[str, Any]
    queued_at: datetime
    not_before: datetime | None = None
    wait_deadline: datetime | None = None
    claimed_at: datetime | None = None
    waits_for: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    setup_duration: float | None = None
    commit: str | None = None
    environment: str | None = None
    interpreter: str | None = None
    uv_version: str | None = None
    log_file: str | None = None
    log_deleted_at: datetime | None = None
    isolation: Mapping[str, Any] | None = None
    progress: Mapping[str, Any] | None = None
    metrics: Mapping[str, Any] | None = None
    outputs: Mapping[str, Any] | None = None
    peak_memory_bytes: int | None = None
    cpu_seconds: float | None = None
    host: str | None = None
    lease_owner: str | None = None
    lease_token: int = 0
    attempt_token: int = 0
    lease_expires_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    cancel_requested_by: str | None = None
    cancel_reason: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it reached its terminal state."""
        return self.status.is_terminal

    @property
    def key(self) -> RunKey:
        """What the executor knows the present attempt by."""
        return RunKey(run_id=self.id, token=self.attempt_token)


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a run ends: the fields of its terminal state.

    Attributes:
        status: SUCCESS or FAILED.
        finished_at: when it ended; the other fields are as in `Run`, None leaves what is known.
    """

    status: RunStatus
    reason: Reason | None
    reason_text: str | None
    finished_at: datetime
    exit_code: int | None = None
    started_at: datetime | None = None
    setup_duration: float | None = None
    peak_memory_bytes: int | None = None
    cpu_seconds: float | None = None
    isolation: Mapping[str, Any] | None = None


def ending_of(end: Exit) -> Ending:
    """The terminal state that the executor's record amounts to."""
    return Ending(
        status=RunStatus.SUCCESS if end.reason is None else RunStatus.FAILED,
        reason=end.reason,
        reason_text=end.reason_text,
        finished_at=end.finished_at,
        exit_code=end.exit_code,
        started_at=end.started_at,
        peak_memory_bytes=end.peak_memory_bytes,
        cpu_seconds=end.cpu_seconds,
        isolation=end.isolation or None,
    )


def failure(reason: Reason, reason_text: str, at: datetime) -> Ending:
    """The terminal state of a run whose process never ran or whose end nobody saw."""
    return Ending(status=RunStatus.FAILED, reason=reason, reason_text=reason_text, finished_at=at)


@dataclass(frozen=True, kw_only=True)
class RunEvent:
    """Something a run told or that happened to it.

    Attributes:
        id: position in the run's history.
        kind: progress, metric, output, sample or note.
    """

    id: int
    run_id: str
    at: datetime
    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A file a run left.

    Attributes:
        path: relative to the run's artifact folder, with forward slashes.
        sha256: of the content, in hexadecimal.
    """

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class RunFilter:
    """Which runs a list shows; None means any.

    Attributes:
        since: submitted at or after.
        until: submitted before.
        pipelines: names and patterns of the only pipelines the asker may see; None means all.
        root_id: only the attempts of this run, itself included.
        failure_group: only failures with this in common.
        id_tail: what the id ends with, in its canonical form.
    """

    pipeline_name: str | None = None
    status: RunStatus | None = None
    reason: Reason | None = None
    trigger: str | None = None
    schedule_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    pipelines: tuple[str, ...] | None = None
    root_id: str | None = None
    failure_group: str | None = None
    id_tail: str | None = None


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How the runs that were submitted within a time went; one that was tried again counts once, by its last attempt.

    Attributes:
        begin: of that time.
        failed: without the cancelled ones.
        under_way: waiting or running.
    """

    begin: datetime
    succeeded: int
    failed: int
    cancelled: int
    under_way: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.succeeded + self.failed + self.cancelled + self.under_way


@dataclass(frozen=True, kw_only=True)
class Runner:
    """A runner process as it last reported.

    Attributes:
        host: id of its data directory.
        owner: id of the process.
        stopped_at: when it was stopped in an orderly way.
        held_back: why it takes no new runs at present.
    """

    host: str
    owner: str
    hostname: str
    pid: int
    started_at: datetime
    seen_at: datetime
    stopped_at: datetime | None = field(default=None)
    held_back: str | None = None

    def is_alive(self, now: datetime) -> bool:
        """Whether it reported lately and was not stopped."""
        return self.stopped_at is None and (now - self.seen_at).total_seconds() <= RUNNER_SILENCE_SECONDS


RUNNER_SILENCE_SECONDS = 30.0
"""Three missed heartbeats."""
