"""A run that may be made later: everything frozen but its parameters, so that it can be put into the queue without
looking at files, inside any transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from fastflow.kernel.runs.domain.capsule import Capsule
from fastflow.kernel.runs.domain.params import validate_params
from fastflow.kernel.runs.domain.queue import fill_key
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kit.ids import new_id


@dataclass(frozen=True, kw_only=True)
class PreparedRun:
    """What runs of a pipeline are made of.

    Attributes:
        capsule: as `Capsule.to_json` gives it.
        params_schema: the parameters are checked against it; None: any are taken.
        concurrency_key: the pipeline's template.
        pipeline_limit: see `Run`.
        key_limit: see `Run`.
        logs_dir: where its log will be, on the server that prepared it.
    """

    pipeline_name: str
    capsule: Mapping[str, Any]
    params_schema: Mapping[str, Any] | None
    concurrency_key: str | None
    pipeline_limit: int | None
    key_limit: int | None
    logs_dir: str

    def to_json(self) -> dict[str, Any]:
        """As the database keeps it."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "PreparedRun":
        """As it was kept."""
        return cls(**data)

    @property
    def policy(self) -> str:
        """What happens to a run of it over the concurrency limit."""
        return str(self.capsule.get("policy", "queue"))

    def traced(self, trace: str | None) -> "PreparedRun":
        """The same for runs of a caller's trace, see `Capsule.trace`."""
        return self if trace is None else replace(self, capsule={**self.capsule, "trace": trace})

    def complete(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """The parameters, checked and with defaults filled in; raises InvalidParams naming every wrong field."""
        return validate_params(params, self.params_schema)

    def make(
        self,
        params: Mapping[str, Any],
        *,
        now: datetime,
        trigger: str,
        submitted_by: str,
        priority: int = 0,
        idempotency_key: str | None = None,
        flow: Mapping[str, Any] | None = None,
    ) -> Run:
        """A run for the queue.

        Args:
            params: see `complete`.
            now: when it is submitted.
            trigger: what submits it.
            submitted_by: whose name it carries.
            priority: higher first.
            idempotency_key: unique within the pipeline.
            flow: where it stands, see `Capsule.flow`.

        Raises:
            InvalidParams: names every wrong parameter.
            InvalidInput: the concurrency key needs a parameter that is missing.
        """
        complete = self.complete(params)
        capsule = {**self.capsule, "flow": None if flow is None else dict(flow)}
        frozen = Capsule.from_json(capsule)
        run_id = new_id()
        wait = frozen.timeouts.wait
        return Run(
            id=run_id,
            pipeline_name=self.pipeline_name,
            status=RunStatus.PENDING,
            trigger=trigger,
            submitted_by=submitted_by[:200],
            params=complete,
            executor=frozen.executor,
            priority=priority,
            concurrency_key=fill_key(self.concurrency_key, complete),
            pipeline_limit=self.pipeline_limit,
            key_limit=self.key_limit,
            idempotency_key=idempotency_key,
            capsule=capsule,
            queued_at=now,
            wait_deadline=None if wait is None else now + timedelta(seconds=wait),
            commit=frozen.commit,
            environment=frozen.environment.hash,
            log_file=f"{self.logs_dir}/{run_id}.log",
        )
