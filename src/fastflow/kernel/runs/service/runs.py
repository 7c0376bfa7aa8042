"""The use cases of runs: submit, look, cancel, reorder, explain, repeat, compare, await."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from fastflow.kernel.environments.domain.environment import Environment
from fastflow.kernel.runs.domain.capsule import Capsule, Difference, compare
from fastflow.kernel.runs.domain.errors import (
    CapsuleIncomplete,
    IdempotencyMismatch,
    RunEnded,
    RunNotFound,
    RunNotQueued,
)
from fastflow.kernel.runs.domain.explain import Explanation, explain
from fastflow.kernel.runs.domain.params import validate_params
from fastflow.kernel.runs.domain.run import Artifact, Run, RunEvent, RunFilter, Runner
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.ports import (
    Catalogue,
    EnvironmentCatalogue,
    Expect,
    Inserted,
    ReadStore,
    SecretVersions,
    SubmitStore,
    WakeUp,
)
from fastflow.kernel.runs.service.admission import admission_for
from fastflow.kernel.runs.service.freezing import (
    check_executor,
    freeze_capsule,
    new_run,
    repeat_exactly,
    request_digest,
)
from fastflow.kernel.runs.service.policy import RunPolicy
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError, Forbidden, InvalidInput, NotFound
from fastflow.kit.identity import Actor, Role
from fastflow.kit.ids import parse_id
from fastflow.kit.pages import DEFAULT_PAGE_SIZE, Page, decode_cursor, encode_cursor

MAX_PRIORITY = 1_000_000
POLL_SECONDS = 1.0
"""How often a waiter looks by itself, should a signal be lost."""


@dataclass(frozen=True, kw_only=True)
class RunDiff:
    """Two runs and what they differ in; an empty list means the same parts and the same result."""

    left: Run
    right: Run
    differences: Sequence[Difference]


class RunService:
    """Runs as their users see them. Every method that changes something is one transaction with its audit entry."""

    def __init__(
        self,
        *,
        submits: SubmitStore,
        reads: ReadStore,
        catalogue: Catalogue,
        environments: EnvironmentCatalogue,
        secrets: SecretVersions,
        wakeup: WakeUp,
        expect: Expect,
        clock: Clock,
        policy: RunPolicy,
    ) -> None:
        self._submits = submits
        self._reads = reads
        self._catalogue = catalogue
        self._environments = environments
        self._secrets = secrets
        self._wakeup = wakeup
        self._expect = expect
        self._clock = clock
        self._policy = policy

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

        Raises:
            NotFound: no such pipeline, or no such secret.
            InvalidInput: wrong parameters, broken pipeline, unknown executor.
            Forbidden: role, scope, or a secret the pipeline may not read.
            RunSkipped: the policy is skip and the limit is reached.
            QueueFull: every slot is taken and runs do not queue here.
            IdempotencyMismatch: the key was used for another request.
        """
        actor.require(Role.OPERATOR)
        actor.require_pipeline(pipeline_name)
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
        )

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
    ) -> Run:
        digest = request_digest(params, executor, timeout)
        if idempotency_key is not None:
            first = self._submits.find_by_idempotency_key(pipeline_name, idempotency_key)
            if first is not None:
                return _same_request(first, digest)
        frozen = self._catalogue.freeze(pipeline_name)
        pipeline = frozen.pipeline
        complete = validate_params(params, pipeline.params_schema)
        kind = check_executor(executor or pipeline.executor or self._policy.default_executor, self._policy)
        capsule = freeze_capsule(
            frozen,
            self._policy,
            executor=kind,
            environment=self._environments.resolved_hash(frozen.environment),
            secrets=self._secrets.current_versions(pipeline.name, pipeline.secrets) if pipeline.secrets else {},
            digest=digest,
            timeout=timeout,
        )
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
            policy=self._policy,
        )
        inserted = self._insert(run, capsule, actor)
        return inserted.run if inserted.is_new else _same_request(inserted.run, digest)

    def _insert(self, run: Run, capsule: Capsule, actor: Actor) -> Inserted:
        admission = admission_for(
            run,
            cast("Any", capsule.policy),
            max_concurrent=self._policy.max_concurrent_runs,
            queue_when_full=self._policy.queue_when_full,
        )
        action = "run.rerun" if run.rerun_of else "run.submit"
        detail: dict[str, Any] = {"pipeline": run.pipeline_name, "trigger": run.trigger}
        if run.rerun_of:
            detail.update(rerun_of=run.rerun_of, exact=capsule.exact)
        inserted = self._submits.insert(run, admission=admission, actor=actor, action=action, detail=detail)
        if inserted.is_new:
            for holder in inserted.cancelled:
                self._wakeup.wake_runner(f"cancel {holder}")
                self._wakeup.tell_web(f"run {holder}")
            self._wakeup.wake_runner("wake")
        return inserted

    # -- look -----------------------------------------------------------------------------------------------------------

    def get(self, run_id: str, *, actor: Actor) -> Run:
        """The run.

        Raises:
            InvalidInput: not an id.
            RunNotFound: there is none.
            Forbidden: its pipeline is outside the actor's scope.
        """
        run_id = parse_id(run_id, "run_id")
        run = self._reads.find(run_id)
        if run is None:
            raise RunNotFound(run_id)
        actor.require_pipeline(run.pipeline_name)
        return run

    def list(
        self,
        wanted: RunFilter | None = None,
        *,
        actor: Actor,
        cursor: str | None = None,
        limit: int = DEFAULT_PAGE_SIZE,
    ) -> Page[Run]:
        """One page of runs, newest first; those outside the actor's scope are left out.

        Raises:
            InvalidInput: the cursor was not given out by this list.
            Forbidden: the filter names a pipeline outside the actor's scope.
        """
        wanted = wanted or RunFilter()
        if wanted.pipeline_name is not None:
            actor.require_pipeline(wanted.pipeline_name)
        elif actor.pipelines is not None:
            wanted = RunFilter(**{**vars(wanted), "pipelines": tuple(sorted(actor.pipelines))})
        before = parse_id(str(decode_cursor(cursor, (str,))[0]), "cursor") if cursor else None
        found = self._reads.load_page(wanted, before_id=before, limit=limit + 1)
        items = found[:limit]
        return Page(items=items, next_cursor=encode_cursor(items[-1].id) if len(found) > limit else None)

    def list_events(
        self, run_id: str, *, actor: Actor, cursor: str | None = None, limit: int = DEFAULT_PAGE_SIZE
    ) -> Page[RunEvent]:
        """One page of what the run told and went through, oldest first; raises as `get` and `list`."""
        run = self.get(run_id, actor=actor)
        after = cast("int", decode_cursor(cursor, (int,))[0]) if cursor else 0
        if not 0 <= after < 2**63:
            raise InvalidInput("The cursor is not one of this list.", code="invalid_cursor", fields={"cursor": "wrong"})
        found = self._reads.load_events(run.id, after_id=after, limit=limit + 1)
        items = found[:limit]
        return Page(items=items, next_cursor=encode_cursor(items[-1].id) if len(found) > limit else None)

    def list_artifacts(self, run_id: str, *, actor: Actor) -> Sequence[Artifact]:
        """What the run left; raises as `get`."""
        return self._reads.load_artifacts(self.get(run_id, actor=actor).id)

    def explain(self, run_id: str, *, actor: Actor) -> Explanation:
        """The one current reason why the run is where it is; raises as `get`."""
        run = self.get(run_id, actor=actor)
        view = None
        if run.status is RunStatus.PENDING:
            view = self._reads.view_queue(run, self._policy.max_concurrent_runs)
        return explain(run, view, self._clock.now())

    def diff(self, left_id: str, right_id: str, *, actor: Actor) -> RunDiff:
        """What two runs differ in, field by field; raises as `get`."""
        left, right = self.get(left_id, actor=actor), self.get(right_id, actor=actor)
        return RunDiff(left=left, right=right, differences=compare(_comparable(left), _comparable(right)))

    def runners(self) -> Sequence[Runner]:
        """Every runner process that ever reported, for health and doctor."""
        return self._reads.load_runners()

    def count_active(self) -> tuple[int, int]:
        """How many runs wait and how many run, for health and metrics."""
        return self._reads.count_active()

    # -- change ---------------------------------------------------------------------------------------------------------

    def cancel(self, run_id: str, *, actor: Actor, reason: str | None = None) -> Run:
        """End a run: at once when it waits; when it runs, the runner stops it. Asking twice changes nothing.

        Raises:
            RunEnded: it has ended already.
            InvalidInput, RunNotFound, Forbidden: as `get`.
        """
        actor.require(Role.OPERATOR)
        run = self.get(run_id, actor=actor)
        why = f"cancelled by {actor.name}" + (f": {reason}" if reason else "")
        after = None if run.has_ended else self._submits.cancel(run.id, at=self._clock.now(), actor=actor, why=why)
        if after is None or (after.has_ended and after.cancel_requested_at is None):
            ended = after or run
            raise RunEnded(
                f"Run {run.id} has ended already: {ended.status} at {ended.finished_at:%Y-%m-%d %H:%M:%S} UTC."
            )
        if after.has_ended:
            self._wakeup.tell_web(f"run {run.id}")
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
        actor.require(Role.OPERATOR)
        run = self.get(run_id, actor=actor)
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

    def rerun(self, run_id: str, *, actor: Actor, exact: bool = False) -> Run:
        """Submit the run again with its parameters.

        Args:
            run_id: any run.
            actor: needs the role operator.
            exact: True: the same code, environment, interpreter, secret versions and limits. False: as they are now.

        Raises:
            CapsuleIncomplete: exact, and parts are gone; names each.
            Others: as `submit` and `get`.
        """
        actor.require(Role.OPERATOR)
        run = self.get(run_id, actor=actor)
        if not exact:
            return self._submit(
                run.pipeline_name, run.params, actor, "rerun", run.priority, None, None, rerun_of=run.id
            )
        environment = self._complete_parts(run)
        again = repeat_exactly(
            run,
            environment=environment.hash,
            now=self._clock.now(),
            submitted_by=actor.name,
            policy=self._policy,
        )
        return self._insert(again, Capsule.from_json(again.capsule), actor).run

    def _complete_parts(self, run: Run) -> Environment:
        """The environment of an exact repeat, after every part was found to be there."""
        capsule = Capsule.from_json(run.capsule)
        missing: list[str] = []
        environment: Environment | None = None
        try:
            self._catalogue.thaw(capsule.tree_hash)
        except NotFound as error:
            missing.append(f"code snapshot {capsule.tree_hash[:12]}: {error.message}")
        wanted = run.environment or capsule.environment.hash
        if wanted is None:
            missing.append("environment: the run never got one")
        else:
            try:
                environment = self._environments.get(wanted)
            except (NotFound, InvalidInput) as error:
                missing.append(f"environment {wanted[:12]}: {error.message}")
        if environment is not None and not environment.python.exists():
            missing.append(f"interpreter {environment.interpreter}: {environment.python} is not there")
        elif environment is not None and run.interpreter not in (None, environment.interpreter):
            missing.append(f"interpreter {run.interpreter}: the environment now has {environment.interpreter}")
        missing += self._missing_secrets(run.pipeline_name, capsule.secrets)
        if capsule.executor not in self._policy.executors:
            missing.append(f"executor {capsule.executor}: not available")
        if missing or environment is None:
            raise CapsuleIncomplete(run.id, missing)
        return environment

    def _missing_secrets(self, pipeline_name: str, versions: Mapping[str, int]) -> Sequence[str]:
        if not versions:
            return []
        try:
            self._secrets.reveal(pipeline_name, versions)
        except (NotFound, Forbidden) as error:
            return [f"secrets: {error.message}"]
        except FastFlowError as error:
            return [f"secrets cannot be read: {error.message}"]
        return []

    # -- await ----------------------------------------------------------------------------------------------------------

    async def wait(self, run_id: str, seconds: float, *, actor: Actor) -> Run:
        """The run as soon as it has ended, or as it is after `seconds`; raises as `get`.

        Woken by the runner's signal; looks by itself once a second, should the signal be lost.
        """
        run_id = parse_id(run_id, "run_id")
        deadline = time.monotonic() + seconds
        signal = self._expect(f"run {run_id}")
        try:
            while True:
                run = await asyncio.to_thread(self.get, run_id, actor=actor)
                remaining = deadline - time.monotonic()
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


def _comparable(run: Run) -> dict[str, Any]:
    capsule = {name: value for name, value in run.capsule.items() if name not in ("request_digest", "exact")}
    duration = (run.finished_at - run.started_at).total_seconds() if run.started_at and run.finished_at else None
    return {
        "pipeline_name": run.pipeline_name,
        "params": dict(run.params),
        "capsule": capsule,
        "environment": run.environment,
        "interpreter": run.interpreter,
        "uv_version": run.uv_version,
        "status": run.status.value,
        "reason": run.reason,
        "exit_code": run.exit_code,
        "duration": duration,
        "metrics": dict(run.metrics or {}),
        "outputs": dict(run.outputs or {}),
    }
