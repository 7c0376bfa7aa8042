"""Runs on the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from fastflow.kernel.executors.port import Reason
from fastflow.kernel.http.schemas import RequestBody
from fastflow.kernel.runs.domain.explain import Explanation
from fastflow.kernel.runs.domain.run import Run, RunEvent
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.service import RunDiff
from fastflow.kernel.runs.service.runs import MAX_PRIORITY
from fastflow.kit.pages import Page

Priority = Annotated[int, Field(ge=-MAX_PRIORITY, le=MAX_PRIORITY, strict=True)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Sentence = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]

_RUN_EXAMPLE: JsonDict = {
    "id": "019a6c1e-7d4b-7cc0-8000-3f2a1b0c9d8e",
    "pipeline_name": "rfm",
    "status": "SUCCESS",
    "exit_code": 0,
    "trigger": "api",
    "submitted_by": "token:ci",
    "params": {"CITY": "Ulm"},
    "executor": "process",
    "priority": 0,
    "queued_at": "2026-11-21T04:35:18.123456Z",
    "started_at": "2026-11-21T04:35:18.140000Z",
    "finished_at": "2026-11-21T04:35:19.020000Z",
    "setup_duration": 0.012,
    "interpreter": "cpython-3.11.7",
}


class RunIn(RequestBody):
    """What to run with. Everything may be left away."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"params": {"CITY": "Ulm"}, "priority": 0, "idempotency_key": None}]}
    )

    params: dict[str, Any] = Field(
        default_factory=dict,
        description="Parameters by name, checked against the pipeline's schema. Text is not converted to numbers.",
    )
    priority: Priority = Field(default=0, description="Higher starts first; may be changed while the run waits.")
    idempotency_key: Key | None = Field(
        default=None, description="A second submission with the same key and content returns the first run."
    )
    executor: Annotated[str, StringConstraints(min_length=1, max_length=20)] | None = Field(
        default=None, description="Null: the pipeline's executor, else the installation's."
    )
    timeout: Annotated[float, Field(gt=0, le=315_360_000)] | None = Field(
        default=None, description="Seconds the run may take; null: what the pipeline says, else the installation."
    )
    alone: bool = Field(
        default=False, description="True: pipelines that run after this one do not follow; no flow begins."
    )


class CancelIn(RequestBody):
    """Why the run is cancelled."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "wrong month"}]})

    reason: Sentence | None = Field(default=None, description="For people; becomes part of the run's `reason_text`.")


class PriorityIn(RequestBody):
    """A waiting run's new priority."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"priority": 10}]})

    priority: Priority = Field(description="Higher starts first.")


class RerunIn(RequestBody):
    """How to repeat the run."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"exact": True}]})

    exact: bool = Field(
        False,
        description="True: the same code, environment, interpreter, secret versions and limits. False: as they are now.",
    )


class RunOut(BaseModel):
    """A run."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RUN_EXAMPLE]})

    id: str
    pipeline_name: str
    status: RunStatus
    reason: Reason | None = Field(description="Why a FAILED run failed.")
    reason_text: str | None = Field(
        description="The same in a sentence; of a success: what its log lacks without saying so."
    )
    failure_group: str | None = Field(
        description="Of a FAILED run: what its end has in common with others; null until that was found out."
    )
    exit_code: int | None = Field(description="Minus the signal's number when a signal ended it.")
    trigger: str
    submitted_by: str
    params: dict[str, Any]
    executor: str
    priority: int
    concurrency_key: str | None
    idempotency_key: str | None
    rerun_of: str | None
    attempt: int = Field(description="1 for a run of its own, 2 for its first retry.")
    retry_of: str | None = Field(description="The failed run that it tries again.")
    root_id: str | None = Field(description="Of a retry: the first attempt.")
    retried_by: str | None = Field(description="The run that tries it again; null: this is the last attempt so far.")
    schedule_id: str | None = Field(description="The schedule that submitted it; its due time is in the capsule.")
    queued_at: datetime
    not_before: datetime | None = Field(description="While it waits for a time, such as a retry's: that time.")
    wait_deadline: datetime | None
    claimed_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    setup_duration: float | None = Field(description="Seconds from leaving the queue to the start of the process.")
    commit: str | None
    environment: str | None = Field(description="Content hash of the environment.")
    interpreter: str | None
    uv_version: str | None
    log_file: str | None
    log_deleted_at: datetime | None
    isolation: dict[str, Any] | None = Field(description="What isolation was in force.")
    progress: dict[str, Any] | None
    metrics: dict[str, Any] | None
    outputs: dict[str, Any] | None
    peak_memory_bytes: int | None
    cpu_seconds: float | None
    cancel_requested_at: datetime | None
    cancel_requested_by: str | None
    capsule: dict[str, Any] = Field(description="What an exact re-run takes; secrets by name and version.")

    @classmethod
    def of(cls, run: Run) -> "RunOut":
        """The run as the API shows it."""
        # The record was made by us: it is taken as it is, which is several times quicker than checking it again.
        return cls.model_construct(**{name: getattr(run, name) for name in cls.model_fields})


class RunPage(BaseModel):
    """One page of runs, newest first."""

    items: list[RunOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[Run]) -> "RunPage":
        """The page as the API shows it."""
        return cls.model_construct(items=[RunOut.of(run) for run in page.items], next_cursor=page.next_cursor)


_EXPLANATION = (
    "The run waits at position 3 of the queue: at most 1 run of pipeline rfm with the key 'acme' may run at once, "
    "and run 019a6c1e-7d4b-7cc0-8000-3f2a1b0c9d8e does; it starts when that run has ended."
)


class ExplanationOut(BaseModel):
    """The one current reason why a run is where it is."""

    code: str = Field(
        description="not_before, key_limit, pipeline_limit, slots_in_use, runner_away, disk_low, starting, setup, no_room, "
        "running, cancelling, ended."
    )
    text: str = Field(
        description="One whole sentence: what the run does, why, and what comes next or is to be done.",
        examples=[_EXPLANATION],
    )
    position: int | None = Field(description="Place in the queue; 1 is next.")
    held_by: list[str] = Field(description="The runs it waits for.")

    @classmethod
    def of(cls, explanation: Explanation) -> "ExplanationOut":
        """The explanation as the API shows it."""
        return cls(
            code=explanation.code,
            text=explanation.text,
            position=explanation.position,
            held_by=list(explanation.held_by),
        )


class DifferenceOut(BaseModel):
    """A field in which two runs differ."""

    field: str = Field(examples=["capsule.limits.memory_bytes"])
    left: Any
    right: Any


class FileChangeOut(BaseModel):
    """A file of the code that is not the same in both runs."""

    path: str
    kind: Literal["added", "removed", "changed", "mode"] = Field(
        description="What became of it from left to right; mode: it became executable, or ceased to be."
    )
    added_lines: int | None = Field(description="Null when it is no text, or too long to count.")
    removed_lines: int | None
    diff: str | None = Field(
        description="The changed lines, unified, with secrets left out; null of what is no text, of a file made to hold secrets, "
        "and when all there is to show is long enough without it."
    )
    is_cut: bool = Field(description="Whether there is more than `diff` has.")


class PackageChangeOut(BaseModel):
    """A package that is not the same in both environments."""

    name: str
    left: str | None = Field(description="Its version; null: not installed.")
    right: str | None


class RunDiffOut(BaseModel):
    """Two runs compared; no differences: the same parts and the same result."""

    left: RunOut
    right: RunOut
    compared: list[str] = Field(description="What was looked at; times and durations are not.")
    differences: list[DifferenceOut]
    files: list[FileChangeOut] | None = Field(
        description="In which the code differs; null when it differs and a snapshot of it is gone."
    )
    packages: list[PackageChangeOut] | None = Field(
        description="In which the environments differ; null when they differ and one of them is gone or was never built."
    )

    @classmethod
    def of(cls, diff: RunDiff) -> "RunDiffOut":
        """The comparison as the API shows it."""
        return cls.model_construct(
            left=RunOut.of(diff.left),
            right=RunOut.of(diff.right),
            compared=list(diff.compared),
            differences=[DifferenceOut(**vars(each)) for each in diff.differences],
            files=None if diff.files is None else [FileChangeOut(**vars(each)) for each in diff.files],
            packages=None if diff.packages is None else [PackageChangeOut(**vars(each)) for each in diff.packages],
        )


class RunEventOut(BaseModel):
    """Something a run told or went through."""

    id: int
    at: datetime
    kind: str = Field(description="state, progress, metric, output, sample or note.")
    data: dict[str, Any]

    @classmethod
    def of(cls, event: RunEvent) -> "RunEventOut":
        """The event as the API shows it."""
        return cls(id=event.id, at=event.at, kind=event.kind, data=dict(event.data))


class RunEventPage(BaseModel):
    """One page of a run's events, oldest first."""

    items: list[RunEventOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[RunEvent]) -> "RunEventPage":
        """The page as the API shows it."""
        return cls(items=[RunEventOut.of(event) for event in page.items], next_cursor=page.next_cursor)
