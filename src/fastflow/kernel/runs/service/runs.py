"""The use cases of runs: submit, cancel, reorder, repeat, await; looking at them is in `looking.py`."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from fastflow.kernel.runs.domain.capsule import Capsule
from fastflow.kernel.runs.domain.errors import (
    IdempotencyMismatch,
    RunEnded,
    RunNotDelayed,
    RunNotFound,
    RunNotQueued,
)
from fastflow.kernel.runs.domain.params import validate_params
from fastflow.kernel.runs.domain.prepared import PreparedRun
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.scheduled import Overlap, Scheduled
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.ports import (
    Admission,
    Beside,
    Catalogue,
    Comparison,
    EnvironmentCatalogue,
    Expect,
    Follow,
    InputStore,
    Inserted,
    ReadStore,
    SecretVersions,
    SubmitStore,
    WakeUp,
)
from fastflow.kernel.runs.service.admission import admission_for
from fastflow.kernel.runs.service.freezing import (
    new_run,
    repeat_exactly,
    request_digest,
)
from fastflow.kernel.runs.service.inputs import Given, InputRules
from fastflow.kernel.runs.service.looking import LookingAtRuns
from fastflow.kernel.runs.service.policy import RunPolicy
from fastflow.kernel.runs.service.preparing import Preparing
from fastflow.kernel.runs.service.repeating import Parts
from fastflow.kit.clock import Clock
from fastflow.kit.errors import InvalidInput, NotFound
from fastflow.kit.identity import Actor, Role
from fastflow.kit.ids import parse_id

MAX_PRIORITY = 1_000_000
POLL_SECONDS = 1.0
"""How often a waiter looks by itself, should a signal be lost."""


class RunService(LookingAtRuns):
    """Runs as their users see them. Every method that changes something is one transaction with its audit entry."""

    def __init__(
        self,
        *,
        submits: SubmitStore,
        reads: ReadStore,
        catalogue: Catalogue,
        environments: EnvironmentCatalogue,
        secrets: SecretVersions,
        comparison: Comparison,
        wakeup: WakeUp,
        expect: Expect,
        clock: Clock,
        policy: RunPolicy,
        inputs: InputStore | None = None,
    ) -> None:
        super().__init__(
            reads=reads, submits=submits, comparison=comparison, secrets=secrets, clock=clock, policy=policy
        )
        self._catalogue = catalogue
        self._environments = environments
        self._preparing = Preparing(catalogue, environments, secrets, policy)
        self.inputs = InputRules(inputs, policy)
        self._parts = Parts(catalogue, environments, secrets, policy.executors, self.inputs.are_here)
        self._wakeup = wakeup
        self._expect = expect
        self._follow: Follow | None = None

    # -- submit ---------------------------------------------------------------------------------------------------------

    def submit(
        self,
        pipeline_name: str,
        params: Mapping[str, Any] | None = None,
        *,
        actor: Actor,
        trigger: str = "api",
        priority: int = 0,
        idempotency_key: str | None = None,
        executor: str | None = None,
        timeout: float | None = None,
        schedule: Scheduled | None = None,
        alone: bool = False,
        daemon: Mapping[str, int] | None = None,
        trace: str | None = None,
        given: Given | None = None,
    ) -> Run:
        """Put a run of the pipeline, as its code is now, into the queue.

        The code is frozen here: a later change or removal of the pipeline does not touch the run.

        Args:
            pipeline_name: as the catalogue lists it.
            params: checked against the pipeline's schema.
            actor: needs the role operator and the pipeline in scope.
            trigger: what submits it.
            priority: higher first.
            idempotency_key: a second submission with the same key and request returns the first run.
            executor: None takes the pipeline's, else the installation's.
            timeout: seconds the run may take; None takes the pipeline's, else the installation's.
            schedule: the due time it stands for.
            alone: True: nothing follows it, whatever other pipelines declare.
            daemon: number and port of the daemon's instance that it is; such a run is not tried again by itself.
            trace: the caller's `traceparent`, as checked.
            given: the workbench that starts it, with its inputs; nothing follows such a run.

        Raises:
            NotFound: no such pipeline, or no such secret.
            InvalidInput: wrong parameters, broken pipeline, unknown executor.
            Forbidden: role, scope, or a secret the pipeline may not read.
            RunSkipped: the policy is skip and the limit is reached, or the schedule's overlap is skip.
            QueueFull: every slot is taken and runs do not queue here.
            StartedByWorkbench, ShippedCovered, InputsNotFound, InputsNotTaken: see `InputRules`.
            IdempotencyMismatch: the key was used for another request.
        """
        actor.require_pipeline(pipeline_name, Role.OPERATOR)
        return self._submit(
            pipeline_name,
            params or {},
            actor,
            trigger,
            priority,
            idempotency_key,
            executor,
            rerun_of=None,
            timeout=timeout,
            schedule=schedule,
            following=None
            if alone or daemon is not None or given is not None or self._follow is None
            else self._follow(pipeline_name),
            daemon=daemon,
            trace=trace,
            given=given,
        )

    def follow(self, follow: Follow) -> None:
        """Let runs begin flows: `follow` says what comes after a pipeline's run."""
        self._follow = follow

    def prepare(self, pipeline_name: str, *, executor: str | None = None) -> PreparedRun:
        """See `Preparing.prepare`."""
        return self._preparing.prepare(pipeline_name, executor=executor)

    def admission(self, run: Run) -> Admission | None:
        """What the limits of its pipeline make of a run that something else submits; it always may queue."""
        policy = cast("Any", run.capsule.get("policy", "queue"))
        return admission_for(run, policy, max_concurrent=self._policy.max_concurrent_runs, queue_when_full=True)

    def _submit(
        self,
        pipeline_name: str,
        params: Mapping[str, Any],
        actor: Actor,
        trigger: str,
        priority: int,
        idempotency_key: str | None,
        executor: str | None,
        rerun_of: str | None,
        timeout: float | None = None,
        schedule: Scheduled | None = None,
        due: Mapping[str, str] | None = None,
        not_before: datetime | None = None,
        following: Beside | None = None,
        daemon: Mapping[str, int] | None = None,
        trace: str | None = None,
        given: Given | None = None,
        inputs: str | None = None,
    ) -> Run:
        digest = request_digest(params, executor, timeout)
        if idempotency_key is not None:
            first = self._submits.find_by_idempotency_key(pipeline_name, idempotency_key)
            if first is not None:
                return _same_request(first, digest)
        frozen = self._catalogue.freeze(pipeline_name)
        pipeline = frozen.pipeline
        complete = validate_params(params, pipeline.params_schema)
        capsule = self._preparing.freeze(
            frozen,
            executor,
            digest=digest,
            timeout=timeout,
            schedule=due if schedule is None else schedule.to_json(),
            daemon=daemon,
            trace=trace,
            inputs=inputs if given is None else given.inputs,
        )
        self.inputs.require(pipeline, given, capsule.inputs, capsule.executor)
        run = new_run(
            frozen,
            capsule,
            complete,
            now=self._clock.now(),
            trigger=trigger,
            submitted_by=actor.name,
            priority=_check_priority(priority),
            idempotency_key=idempotency_key,
            rerun_of=rerun_of,
            schedule_id=None if schedule is None else schedule.schedule_id,
            not_before=not_before,
            policy=self._policy,
        )
        overlap = "queue" if schedule is None else schedule.overlap
        inserted = self._insert(run, capsule, actor, overlap, following)
        return inserted.run if inserted.is_new else _same_request(inserted.run, digest)

    def _insert(
        self, run: Run, capsule: Capsule, actor: Actor, overlap: Overlap = "queue", following: Beside | None = None
    ) -> Inserted:
        admission = admission_for(
            run,
            cast("Any", capsule.policy),
            max_concurrent=self._policy.max_concurrent_runs,
            queue_when_full=self._policy.queue_when_full,
            overlap=overlap,
        )
        action = "run.rerun" if run.rerun_of else "run.submit"
        detail: dict[str, Any] = {"pipeline": run.pipeline_name, "trigger": run.trigger}
        if run.rerun_of:
            detail.update(rerun_of=run.rerun_of, exact=capsule.exact)
        inserted = self._submits.insert(
            run, admission=admission, actor=actor, action=action, detail=detail, beside=following
        )
        if inserted.is_new:
            for holder in inserted.cancelled:
                self._wakeup.wake_runner(f"cancel {holder}")
                self._wakeup.tell_web(f"run {holder}")
            self._wakeup.wake_runner("wake")
        return inserted

    # -- change ---------------------------------------------------------------------------------------------------------

    def _operated(self, run_id: str, actor: Actor) -> Run:
        """The run, which the actor may change."""
        actor.require_somewhere(Role.OPERATOR)
        run = self.get(run_id, actor=actor)
        actor.require_pipeline(run.pipeline_name, Role.OPERATOR)
        return run

    def cancel(self, run_id: str, *, actor: Actor, reason: str | None = None) -> Run:
        """End a run: at once when it waits; when it runs, the runner stops it. Asking twice changes nothing.

        Raises:
            RunEnded: it has ended already.
            InvalidInput, RunNotFound, Forbidden: as `get`.
        """
        run = self._operated(run_id, actor)
        why = f"cancelled by {actor.name}" + (f": {reason}" if reason else "")
        after = None if run.has_ended else self._submits.cancel(run.id, at=self._clock.now(), actor=actor, why=why)
        if after is None or (after.has_ended and after.cancel_requested_at is None):
            ended = after or run
            raise RunEnded(
                f"Run {run.id} has ended already: {ended.status} at {ended.finished_at:%Y-%m-%d %H:%M:%S} UTC."
            )
        if after.has_ended:
            self._wakeup.tell_web(f"run {run.id}")
            self._wakeup.wake_runner("wake")  # something may follow from the end
        else:
            self._wakeup.wake_runner(f"cancel {run.id}")
        return after

    def set_priority(self, run_id: str, priority: int, *, actor: Actor) -> Run:
        """Move a waiting run within the queue.

        Raises:
            RunEnded: it has ended.
            RunNotQueued: it runs already.
            InvalidInput, RunNotFound, Forbidden: as `get`.
        """
        run = self._operated(run_id, actor)
        after, changed = self._submits.set_priority(
            run.id, _check_priority(priority), at=self._clock.now(), actor=actor
        )
        if after is None:
            raise RunNotFound(run.id)
        if not changed:
            if after.has_ended:
                raise RunEnded(f"Run {run.id} has ended; its place in the queue cannot be changed.")
            raise RunNotQueued(f"Run {run.id} has left the queue; its place in it cannot be changed.")
        self._wakeup.wake_runner("wake")
        return after

    def hurry(self, run_id: str, *, actor: Actor) -> Run:
        """Put a run that waits for a time, such as a retry, into the queue now.

        Raises:
            RunEnded: it has ended.
            RunNotDelayed: it waits for no time.
            InvalidInput, RunNotFound, Forbidden: as `get`.
        """
        run = self._operated(run_id, actor)
        after, changed = self._submits.hurry(run.id, at=self._clock.now(), actor=actor)
        if after is None:
            raise RunNotFound(run.id)
        if not changed:
            if after.has_ended:
                raise RunEnded(f"Run {run.id} has ended; there is nothing to hurry.")
            where = "in the queue" if after.status is RunStatus.PENDING else "running"
            raise RunNotDelayed(f"Run {run.id} waits for no time: it is {where} already.")
        self._wakeup.wake_runner("wake")
        return after

    def rerun(
        self,
        run_id: str,
        *,
        actor: Actor,
        exact: bool = False,
        params: Mapping[str, Any] | None = None,
        trigger: str = "rerun",
        idempotency_key: str | None = None,
        not_before: datetime | None = None,
    ) -> Run:
        """Submit the run again with its parameters.

        Args:
            run_id: any run.
            actor: needs the role operator.
            exact: True: the same code, environment, interpreter, secret versions and limits. False: as they are now.
            params: in place of its own; None takes its own.
            trigger: what submits it.
            idempotency_key: as of `submit`.
            not_before: when it enters the queue; None: now.

        Raises:
            CapsuleIncomplete: exact, and parts are gone; names each.
            Others: as `submit` and `get`.
        """
        run = self._operated(run_id, actor)
        if not exact:
            try:
                return self._submit(
                    run.pipeline_name,
                    run.params if params is None else params,
                    actor,
                    trigger,
                    run.priority,
                    idempotency_key,
                    None,
                    rerun_of=run.id,
                    due=Capsule.from_json(run.capsule).schedule,
                    inputs=Capsule.from_json(run.capsule).inputs,
                    not_before=not_before,
                )
            except NotFound as error:
                if error.code == "pipeline_not_found" and params is None and self._parts.are_all_here(run):
                    error.hint += " Of this run everything is kept: `exact` repeats it with the code it had."
                raise
        if params is not None:
            raise InvalidInput(
                "An exact repeat takes the run's own parameters.",
                code="params_not_taken",
                hint="Leave `exact` away to run with other parameters.",
                fields={"params": "not taken together with exact"},
            )
        environment = self._parts.require_all(run)
        again = repeat_exactly(
            run,
            environment=environment.hash,
            now=self._clock.now(),
            submitted_by=actor.name,
            policy=self._policy,
        )
        again = replace(again, trigger=trigger, idempotency_key=idempotency_key, not_before=not_before)
        return self._insert(again, Capsule.from_json(again.capsule), actor).run

    # -- await ----------------------------------------------------------------------------------------------------------

    async def wait(self, run_id: str, seconds: float, *, actor: Actor) -> Run:
        """The run as soon as it has ended, or as it is after `seconds`; raises as `get`.

        Of a run that is tried again the next attempt is waited for, and answered with: what counts is the outcome. Woken by the runner's signal; looks by itself once a second, should the signal be lost.
        """
        run_id = parse_id(run_id, "run_id")
        deadline = time.monotonic() + seconds
        signal = self._expect(f"run {run_id}")
        try:
            while True:
                run = await asyncio.to_thread(self.get, run_id, actor=actor)
                remaining = deadline - time.monotonic()
                if run.retried_by is not None:
                    run_id = run.retried_by
                    signal.close()
                    signal = self._expect(f"run {run_id}")
                    continue
                if run.has_ended or remaining <= 0:
                    return run
                await signal.wait(min(POLL_SECONDS, remaining))
        finally:
            signal.close()


def _same_request(first: Run, digest: str) -> Run:
    if Capsule.from_json(first.capsule).request_digest != digest:
        raise IdempotencyMismatch(
            f"The idempotency key was used for run {first.id}, which has other parameters.",
            fields={"idempotency_key": f"used for run {first.id} with other parameters"},
            extra={"run_id": first.id},
        )
    return first


def _check_priority(priority: int) -> int:
    if not -MAX_PRIORITY <= priority <= MAX_PRIORITY:
        raise InvalidInput(
            f"The priority {priority} is out of range.",
            code="invalid_priority",
            hint=f"Use a whole number from -{MAX_PRIORITY} to {MAX_PRIORITY}; higher starts first.",
            fields={"priority": "out of range"},
        )
    return priority
