"""The next attempt of a failed run: whether there is one, and its record."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import PurePath

from fastflow.kernel.pipelines.domain.retry import RetryPolicy
from fastflow.kernel.runs.domain.capsule import Capsule
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kit.ids import new_id


def policy_of(run: Run) -> RetryPolicy:
    """The rules frozen with the run."""
    kept = run.capsule.get("retry")
    return RetryPolicy() if kept is None else RetryPolicy.from_json(kept)


def why_final(run: Run) -> str | None:
    """Why the failed run is not tried again, in words; None: it is."""
    if run.cancel_requested_at is not None or run.reason == "cancelled":
        return "a cancelled run is not tried again"
    if run.reason == "timeout" and run.started_at is None:
        return "a run that waited too long is not tried again"
    return policy_of(run).why_not(run.reason or "exit", run.exit_code, run.attempt)


def next_attempt(run: Run, now: datetime) -> Run:
    """The run that tries the failed one again: the same capsule and parameters, with a log and a history of its own.

    What it ran in is taken again exactly; a run whose setup failed has its environment made anew.
    """
    root = run.root_id or run.id
    seconds = policy_of(run).pause(run.attempt, root)
    not_before = now + timedelta(seconds=seconds) if seconds > 0 else None
    capsule = Capsule.from_json(run.capsule)
    if run.environment is not None and run.reason != "setup":
        capsule = replace(capsule, exact=True, environment=replace(capsule.environment, hash=run.environment))
    wait = capsule.timeouts.wait
    run_id = new_id()
    return Run(
        id=run_id,
        pipeline_name=run.pipeline_name,
        status=RunStatus.PENDING,
        trigger="retry",
        submitted_by=run.submitted_by,
        params=run.params,
        executor=run.executor,
        priority=run.priority,
        concurrency_key=run.concurrency_key,
        pipeline_limit=run.pipeline_limit,
        key_limit=run.key_limit,
        attempt=run.attempt + 1,
        retry_of=run.id,
        root_id=root,
        schedule_id=run.schedule_id,
        capsule=capsule.to_json(),
        queued_at=now,
        not_before=not_before,
        wait_deadline=None if wait is None else (not_before or now) + timedelta(seconds=wait),
        commit=run.commit,
        environment=capsule.environment.hash,
        log_file=None if run.log_file is None else str(PurePath(run.log_file).with_name(f"{run_id}.log")),
    )
