"""Runs of experiments on the wire."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from fastflow.apps.churn.domain.experiment import Experiment
from fastflow.apps.churn.domain.jobs import CF, CHURN, COX, WINDOWS, Ask
from fastflow.apps.churn.service.runs import Job

Number = Annotated[int, Field(ge=1, le=2**31 - 1, description="The experiment's number.")]
YearMonth = Annotated[int | str | None, Field(description="YYYYMM.", examples=[199801])]
Pipeline = Literal["churn", "cox", "cf", "all"]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    experiment_id: Number


class ChurnRunIn(_Asked):
    """A run of `churn`. The months are the experiment's own; given here, they are compared with those."""

    training_from: YearMonth = None
    training_to: YearMonth = None
    test_from: YearMonth = None
    test_to: YearMonth = None
    test_reduction: float | None = Field(default=None, ge=0, le=1, description="0: the backtest asks all customers.")

    def ask(self) -> Ask:
        """What it asks for."""
        windows = {name: getattr(self, name) for name in WINDOWS}
        return Ask(pipeline=CHURN, windows=windows, test_reduction=self.test_reduction)


class CoxRunIn(_Asked):
    """A run of `cox`."""

    cutoff_exclusive: YearMonth = None

    def ask(self) -> Ask:
        """What it asks for."""
        return Ask(pipeline=COX, windows={}, cutoff_exclusive=self.cutoff_exclusive)


class CfRunIn(_Asked):
    """A run of `cf`; what is left away is the experiment's own."""

    sample: float | None = Field(default=None, gt=0, le=1, description="Share of the customers, drawn.")
    limit: int | None = Field(default=None, ge=0, le=10**9, description="At most so many customers; 0: all.")
    seed: int | None = Field(default=None, ge=0, le=2**31 - 1, description="Of what is drawn.")

    def ask(self) -> Ask:
        """What it asks for."""
        return Ask(pipeline=CF, windows={}, sample=self.sample, limit=self.limit, seed=self.seed)


class ExperimentRunIn(BaseModel):
    """A run of one of the experiment's pipelines, or all steps one after the other."""

    model_config = ConfigDict(extra="forbid")

    pipeline: Pipeline = Field(description="`all`: churn, cox, materialise, cf, each when the one before is taken in.")
    cutoff_exclusive: YearMonth = Field(default=None, description="YYYYMM; for this run of `cox` alone.")
    test: bool = Field(default=False, description="Only check: nothing is started.")

    def ask(self) -> Ask:
        """What it asks for."""
        return Ask(pipeline=self.pipeline, windows={}, cutoff_exclusive=self.cutoff_exclusive)


class StartedOut(BaseModel):
    """What became of a request to run."""

    job_id: str | None = Field(description="The run's id; null: it was only checked, or has not begun yet.")
    status: str = Field(
        description="The job's, or `checked`; `waiting`: all steps, of which the first is about to begin."
    )
    message: str


class DemoOut(BaseModel):
    """The experiment on example data."""

    experiment_id: int
    file_id: int = Field(description="The drawn panel's.")
    message: str

    @classmethod
    def of(cls, made: Experiment) -> "DemoOut":
        """The experiment as the API shows it."""
        number, file_id = made.experiment_id, made.id_files[0]
        message = f"The experiment {number} stands on the file {file_id} and is computed whole."
        return cls(experiment_id=number, file_id=file_id, message=message)


class JobOut(BaseModel):
    """A run of an experiment."""

    job_id: str = Field(description="The run's id: its log is at `/runs/{job_id}/logs`.")
    experiment_id: int
    pipeline: str
    status: str = Field(description="PENDING, RUNNING, SUCCESS or FAILED.")
    phase: str | None = Field(description="What it does at present.")
    progress: float | None = Field(description="From 0 to 1.")
    step: int | None = Field(description="Number of the phase, from 1.")
    phases: int | None = Field(description="How many there are.")
    remaining_seconds: float | None = Field(description="If it goes on as so far.")
    submitted_by: str
    params: dict[str, Any]
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    reason: str | None = Field(description="Why it failed, in words.")

    @classmethod
    def of(cls, job: Job, now: datetime) -> "JobOut":
        """The job as the API shows it."""
        run, told = job.run, job.run.progress or {}
        return cls(
            job_id=run.id,
            experiment_id=job.experiment_id,
            pipeline=run.pipeline_name,
            status=str(run.status),
            phase=job.phase,
            progress=_number(told, "progress"),
            step=job.step,
            phases=None if told.get("total") is None else int(told["total"]),
            remaining_seconds=job.remaining_seconds(now),
            submitted_by=run.submitted_by,
            params=dict(run.params),
            queued_at=run.queued_at,
            started_at=run.started_at,
            finished_at=run.finished_at,
            reason=run.reason_text,
        )


class JobsOut(BaseModel):
    """Jobs, newest first."""

    items: list[JobOut]


class ResultOut(BaseModel):
    """Results of one pipeline that are in the tables."""

    pipeline: str
    run_id: str = Field(description="The run that computed them.")
    taken_in_at: str
    report: dict[str, Any] = Field(description="What the run told of them: its `report.json`.")
    files: dict[str, str] = Field(description="Artifacts of the run that belong to them, with their SHA-256.")


class ReportOut(BaseModel):
    """What the runs of an experiment found."""

    items: list[ResultOut]

    @classmethod
    def of(cls, records: Sequence[Mapping[str, Any]]) -> "ReportOut":
        """The records as the API shows them."""
        return cls(items=[ResultOut.model_validate(record) for record in records])


def _number(told: Mapping[str, Any], name: str) -> float | None:
    value = told.get(name)
    return float(value) if isinstance(value, int | float) else None
