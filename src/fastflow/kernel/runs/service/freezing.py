"""Makes the record of a new run out of a frozen pipeline and what the caller asks for."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from fastflow.kernel.executors.port import Limits
from fastflow.kernel.pipelines.domain.pipeline import FrozenPipeline
from fastflow.kernel.pipelines.domain.retry import RetryPolicy
from fastflow.kernel.runs.domain.capsule import Capsule, FrozenRequest, Timeouts
from fastflow.kernel.runs.domain.queue import fill_key
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.service.policy import RunPolicy
from fastflow.kit.errors import InvalidInput
from fastflow.kit.ids import new_id


def freeze_capsule(
    frozen: FrozenPipeline,
    policy: RunPolicy,
    *,
    executor: str,
    environment: str | None,
    secrets: Mapping[str, int],
    digest: str,
    timeout: float | None = None,
    schedule: Mapping[str, str] | None = None,
    daemon: Mapping[str, int] | None = None,
    trace: str | None = None,
    inputs: str | None = None,
) -> Capsule:
    """All that decides what the run does: what the caller asks for, else the pipeline, else the installation."""
    pipeline, request = frozen.pipeline, frozen.environment
    default_timeout = policy.default_run_timeout if daemon is None else None  # a daemon is not meant to end
    return Capsule(
        tree_hash=frozen.tree_hash,
        script=pipeline.script,
        commit=frozen.commit,
        dirty=frozen.dirty,
        environment=FrozenRequest(
            input_hash=request.input_hash,
            kind=request.kind,
            python=request.python,
            needs_code=request.needs_code,
            files=tuple(sorted(request.content)),
            hash=environment,
        ),
        secrets=dict(secrets),
        limits=_with_defaults(pipeline.limits, policy.default_limits),
        timeouts=Timeouts(
            run=next((each for each in (timeout, pipeline.run_timeout, default_timeout) if each is not None), None),
            idle=pipeline.idle_timeout,
            wait=pipeline.wait_timeout,
        ),
        grace=policy.default_grace if pipeline.grace is None else pipeline.grace,
        network=pipeline.network,
        executor=executor,
        modules=tuple(pipeline.modules),
        policy=pipeline.concurrency.policy,
        request_digest=digest,
        retry=_retry(pipeline.retry or RetryPolicy(max_retries=policy.default_retries)) if daemon is None else None,
        daemon=daemon,
        schedule=schedule,
        trace=trace,
        inputs=inputs,
    )


def new_run(
    frozen: FrozenPipeline,
    capsule: Capsule,
    params: Mapping[str, Any],
    *,
    now: datetime,
    trigger: str,
    submitted_by: str,
    priority: int,
    idempotency_key: str | None,
    rerun_of: str | None,
    schedule_id: str | None = None,
    not_before: datetime | None = None,
    policy: RunPolicy,
) -> Run:
    """The run as it enters the queue.

    Raises:
        InvalidInput: the concurrency key needs a parameter that is missing.
    """
    concurrency = frozen.pipeline.concurrency
    run_id = new_id()
    return Run(
        id=run_id,
        pipeline_name=frozen.pipeline.name,
        status=RunStatus.PENDING,
        trigger=trigger,
        submitted_by=submitted_by[:200],
        params=params,
        executor=capsule.executor,
        priority=priority,
        concurrency_key=fill_key(concurrency.key, params),
        pipeline_limit=concurrency.limit,
        key_limit=concurrency.per_key if concurrency.key is not None else None,
        idempotency_key=idempotency_key,
        rerun_of=rerun_of,
        schedule_id=schedule_id,
        capsule=capsule.to_json(),
        queued_at=now,
        not_before=not_before,
        wait_deadline=_deadline(not_before or now, capsule),
        commit=capsule.commit,
        environment=capsule.environment.hash,
        log_file=str(policy.logs_dir / f"{run_id}.log"),
    )


def repeat_exactly(run: Run, *, environment: str, now: datetime, submitted_by: str, policy: RunPolicy) -> Run:
    """A new run made of the same parts as `run`, in exactly its environment."""
    before = Capsule.from_json(run.capsule)
    capsule = replace(before, exact=True, trace=None, environment=replace(before.environment, hash=environment))
    run_id = new_id()
    return Run(
        id=run_id,
        pipeline_name=run.pipeline_name,
        status=RunStatus.PENDING,
        trigger="rerun",
        submitted_by=submitted_by[:200],
        params=run.params,
        executor=run.executor,
        priority=run.priority,
        concurrency_key=run.concurrency_key,
        pipeline_limit=run.pipeline_limit,
        key_limit=run.key_limit,
        rerun_of=run.id,
        capsule=capsule.to_json(),
        queued_at=now,
        wait_deadline=_deadline(now, capsule),
        commit=run.commit,
        environment=environment,
        interpreter=run.interpreter,
        uv_version=run.uv_version,
        log_file=str(policy.logs_dir / f"{run_id}.log"),
    )


def request_digest(params: Mapping[str, Any], executor: str | None, timeout: float | None = None) -> str:
    """Identity of what was asked for, to tell a repeated request from another one with the same idempotency key."""
    asked = [params, executor] if timeout is None else [params, executor, timeout]
    text = json.dumps(asked, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def check_executor(wanted: str, policy: RunPolicy) -> str:
    """The executor's kind.

    Raises:
        InvalidInput: there is no such executor.
    """
    if wanted not in policy.executors:
        raise InvalidInput(
            f"There is no executor {wanted[:80]!r}.",
            code="unknown_executor",
            hint=f"Use one of: {', '.join(sorted(policy.executors))}; or leave it away.",
            fields={"executor": f"there is no executor {wanted[:80]!r}"},
        )
    return wanted


def _retry(rules: RetryPolicy) -> Mapping[str, Any] | None:
    return rules.to_json() if rules.retries or rules.keeps_dead_letters else None


def _deadline(now: datetime, capsule: Capsule) -> datetime | None:
    wait = capsule.timeouts.wait
    return None if wait is None else now + timedelta(seconds=wait)


def _with_defaults(limits: Limits, defaults: Limits) -> Limits:
    names = [entry.name for entry in fields(Limits)]
    given = {name: getattr(limits, name) for name in names}
    return Limits(**{name: getattr(defaults, name) if value is None else value for name, value in given.items()})
