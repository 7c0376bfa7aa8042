"""Pipelines on the wire."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from fastflow.kernel.environments.domain.environment import Readiness
from fastflow.kernel.pipelines.domain.faults import Fault
from fastflow.kernel.pipelines.domain.pipeline import Pipeline, PipelineMemory


class FaultOut(BaseModel):
    """One thing that is wrong with a pipeline."""

    pipeline: str
    file: str = Field(description="Relative to PIPELINES_DIR, or to the top of the repository.")
    line: int | None
    column: int | None
    message: str
    hint: str
    severity: Literal["error", "warning"] = Field(description="An error keeps the pipeline from running.")

    @classmethod
    def of(cls, fault: Fault) -> "FaultOut":
        """The fault as the API shows it."""
        return cls.model_validate(fault, from_attributes=True)


class LimitsOut(BaseModel):
    """What a run of the pipeline may use; null means no limit of its own."""

    cpus: float | None
    memory_bytes: int | None
    pids: int | None
    file_size_bytes: int | None


class ConcurrencyOut(BaseModel):
    """How many runs of the pipeline may be under way at once."""

    limit: int | None
    key: str | None
    per_key: int | None
    policy: Literal["queue", "skip", "cancel-old", "cancel-new"]


class ReadinessOut(BaseModel):
    """How far a pipeline's environment is, on the machine that answers."""

    state: Literal["ready", "building", "not built", "failed"] = Field(
        description="`not built`: its first run builds it. `failed`: the last try failed; the next run tries again."
    )
    hash: str | None = Field(description="Of the environment, as far as it is known.")
    why: str | None = Field(description="Of `failed`: what kept it from being built, in uv's own words.")

    @classmethod
    def of(cls, readiness: Readiness) -> "ReadinessOut":
        """The state as the API shows it."""
        return cls(state=readiness.state, hash=readiness.environment, why=readiness.why)


class PipelineOut(BaseModel):
    """A pipeline in the list."""

    name: str
    kind: Literal["folder", "file"]
    repository: str | None = Field(
        description="The repository it is synced from; null: it is in PIPELINES_DIR, or shipped."
    )
    commit: str | None = Field(description="The active commit of that repository.")
    workbench: str | None = Field(description="The workbench that ships it; null: it is the installation's own.")
    covers: str | None = Field(
        description="The workbench whose shipped pipeline of the same name cannot run beside it."
    )
    description: str
    tags: list[str]
    healthy: bool = Field(description="False: it has errors and cannot run.")
    faults: list[FaultOut]
    has_requirements: bool
    environment: ReadinessOut | None = Field(description="Null: the pipeline is broken and asks for none.")
    last_cache_warmup: datetime | None = Field(description="When its environment was last made ready ahead of a run.")
    params_schema: dict[str, Any] | None = Field(description="JSON Schema of the parameters; null: any are taken.")

    @classmethod
    def of(cls, pipeline: Pipeline, memory: PipelineMemory | None, readiness: Readiness | None) -> "PipelineOut":
        """The pipeline as the list shows it."""
        return cls(**_summary(pipeline, memory, readiness))


class PipelineDetail(PipelineOut):
    """A pipeline with all its settings."""

    script: str
    dependencies: Literal["none", "requirements", "script", "project"]
    python: str | None
    timeout: float | None = Field(description="Seconds a run may take.")
    idle_timeout: float | None = Field(description="Seconds a run may be silent.")
    wait_timeout: float | None = Field(description="Seconds a run may wait in the queue.")
    grace: float | None = Field(description="Seconds between SIGTERM and SIGKILL; null: the server's.")
    limits: LimitsOut
    concurrency: ConcurrencyOut
    secrets: list[str] = Field(description="Names of the secrets its runs get.")
    network: bool
    executor: str | None
    retry: dict[str, Any] | None = Field(
        description="How failed runs are tried again, as `[retry]` has it, in seconds; null: as RETRY_ATTEMPTS says."
    )
    modules: list[str] = Field(description="What its code imports; loaded ahead for a warm start.")
    notes: list[str]
    first_seen_at: datetime | None

    @classmethod
    def of(cls, pipeline: Pipeline, memory: PipelineMemory | None, readiness: Readiness | None) -> "PipelineDetail":
        """The pipeline as its own page shows it."""
        return cls(
            **_summary(pipeline, memory, readiness),
            script=pipeline.script,
            dependencies=pipeline.dependencies,
            python=pipeline.python,
            timeout=pipeline.run_timeout,
            idle_timeout=pipeline.idle_timeout,
            wait_timeout=pipeline.wait_timeout,
            grace=pipeline.grace,
            limits=LimitsOut.model_validate(pipeline.limits, from_attributes=True),
            concurrency=ConcurrencyOut.model_validate(pipeline.concurrency, from_attributes=True),
            secrets=list(pipeline.secrets),
            network=pipeline.network,
            executor=pipeline.executor,
            retry=None if pipeline.retry is None else pipeline.retry.to_json(),
            modules=list(pipeline.modules),
            notes=list(pipeline.notes),
            first_seen_at=memory.first_seen_at if memory else None,
        )


class PipelineList(BaseModel):
    """Every pipeline the caller may see, by name."""

    items: list[PipelineOut]

    @classmethod
    def of(
        cls,
        pipelines: Sequence[Pipeline],
        memories: Mapping[str, PipelineMemory],
        states: Mapping[str, Readiness],
    ) -> "PipelineList":
        """The pipelines as the API shows them."""
        return cls(items=[PipelineOut.of(one, memories.get(one.name), states.get(one.name)) for one in pipelines])


class CheckOut(BaseModel):
    """What is wrong with a pipeline."""

    pipeline: str
    healthy: bool
    faults: list[FaultOut]
    notes: list[str]

    @classmethod
    def of(cls, pipeline: Pipeline) -> "CheckOut":
        """The result as the API shows it."""
        return cls(
            pipeline=pipeline.name,
            healthy=pipeline.is_healthy,
            faults=[FaultOut.of(fault) for fault in pipeline.faults],
            notes=list(pipeline.notes),
        )


def _summary(pipeline: Pipeline, memory: PipelineMemory | None, readiness: Readiness | None) -> dict[str, Any]:
    return {
        "name": pipeline.name,
        "kind": pipeline.kind,
        "repository": pipeline.repository,
        "commit": pipeline.commit,
        "workbench": pipeline.workbench,
        "covers": pipeline.covers,
        "description": pipeline.description,
        "tags": list(pipeline.tags),
        "healthy": pipeline.is_healthy,
        "faults": [FaultOut.of(fault) for fault in pipeline.faults],
        "has_requirements": pipeline.dependencies != "none",
        "environment": ReadinessOut.of(readiness) if readiness else None,
        "last_cache_warmup": memory.last_cache_warmup if memory else None,
        "params_schema": pipeline.params_schema,
    }
