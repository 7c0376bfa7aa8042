"""Failures on the wire."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from fastflow.kernel.failures.domain.changes import Why
from fastflow.kernel.failures.domain.records import DeadLetter, FailureGroup, LetterFilter, LetterState
from fastflow.kernel.failures.service.letters import MAX_REPLAYS, Replay
from fastflow.kernel.http.params import Instant, Text
from fastflow.kernel.http.schemas import PageOut, RequestBody
from fastflow.kernel.runs.schemas import FileChangeOut, PackageChangeOut, RunOut

Note = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]


class FailureGroupOut(BaseModel):
    """Failures that end the same way."""

    id: str = Field(
        description="The fingerprint: the exception's type and its frames without folders and line numbers."
    )
    title: str = Field(examples=["KeyError: 'CITY' in main.py:load"])
    exception: str | None = Field(description="Null: there was no traceback.")
    frames: list[str] = Field(description="From the outermost to the one that raised, as `file:function`.")
    runs: int = Field(description="How many there were, in the pipelines you may see.")
    pipelines: list[str]
    first_seen_at: datetime
    last_seen_at: datetime
    last_run_id: str
    trend: list[int] = Field(
        description="How many on each of the last seven days; the last number is the last 24 hours."
    )

    @classmethod
    def of(cls, group: FailureGroup) -> "FailureGroupOut":
        """The group as the API shows it."""
        failure = group.failure
        return cls(
            id=failure.group,
            title=failure.title,
            exception=failure.exception,
            frames=list(failure.frames),
            runs=group.runs,
            pipelines=list(group.pipelines),
            first_seen_at=group.first_seen_at,
            last_seen_at=group.last_seen_at,
            last_run_id=group.last_run_id,
            trend=list(group.trend),
        )


class FailureGroupPage(PageOut[FailureGroupOut]):
    """One page of groups, by their latest run."""


class DeadLetterOut(BaseModel):
    """A run that failed for good."""

    state: LetterState
    created_at: datetime = Field(description="When it failed for good.")
    settled_at: datetime | None
    settled_by: str | None
    note: str | None
    replayed_by: str | None = Field(description="The run that was submitted in its place.")
    run: RunOut = Field(description="Its last attempt.")

    @classmethod
    def of(cls, letter: DeadLetter) -> "DeadLetterOut":
        """The dead letter as the API shows it."""
        return cls(
            state=letter.state,
            created_at=letter.created_at,
            settled_at=letter.settled_at,
            settled_by=letter.settled_by,
            note=letter.note,
            replayed_by=letter.replayed_by,
            run=RunOut.of(letter.run),
        )


class DeadLetterPage(PageOut[DeadLetterOut]):
    """One page of dead letters, newest first."""


class ReplayIn(RequestBody):
    """How to submit it again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"params": {"CITY": "Ulm"}}]})

    params: dict[str, Any] | None = Field(default=None, description="Put in place of those of the same names.")
    exact: bool = Field(
        default=False, description="True: the same code, environment and limits. False: as they are now."
    )


class ReplayManyIn(ReplayIn):
    """Which dead letters to submit again, and how quickly."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"pipeline_name": "rfm", "limit": 50, "every": 10.0}]})

    pipeline_name: Text | None = Field(default=None, description="Only those of this pipeline.")
    failure_group: Text | None = Field(default=None, description="Only failures of this group.")
    since: Instant | None = Field(default=None, description="Failed at this instant or later.")
    until: Instant | None = Field(default=None, description="Failed before this instant.")
    limit: Annotated[int, Field(ge=1, le=MAX_REPLAYS)] = Field(default=100, description="The newest so many.")
    every: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=0.0, description="Seconds between two of them; until its turn comes each can be hurried or cancelled."
    )
    dry_run: bool = Field(default=False, description="True: only tell which.")

    def wanted(self) -> LetterFilter:
        """The filter it describes."""
        return LetterFilter(
            pipeline_name=self.pipeline_name, failure_group=self.failure_group, since=self.since, until=self.until
        )


class ReplayOut(BaseModel):
    """What became of a dead letter."""

    run_id: str = Field(description="The dead letter.")
    pipeline_name: str
    replayed_by: str | None = Field(description="The new run; null: it was refused, or only looked at.")
    not_before: datetime | None = Field(description="When the new run enters the queue; null: at once.")
    problem: str | None = Field(description="Why it was refused.")

    @classmethod
    def of(cls, replay: Replay) -> "ReplayOut":
        """The outcome as the API shows it."""
        return cls(
            run_id=replay.letter.run.id,
            pipeline_name=replay.letter.run.pipeline_name,
            replayed_by=replay.run.id if replay.run else None,
            not_before=replay.run.not_before if replay.run else None,
            problem=replay.problem.message if replay.problem else None,
        )


class ReplaysOut(BaseModel):
    """What became of each, oldest first."""

    dry_run: bool
    items: list[ReplayOut]


class DismissIn(RequestBody):
    """Why it is put aside."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"note": "the file came too late, next month's has it"}]})

    note: Note | None = Field(default=None, description="For people.")


class ChangeOut(BaseModel):
    """Something that is not as it was in the last good run."""

    kind: str = Field(
        description="code, dependencies, interpreter, parameter, limit, secret, network, executor, retry, policy or host."
    )
    what: str = Field(examples=["params.CITY"])
    before: Any
    after: Any


class CommitOut(BaseModel):
    """A commit between the two runs."""

    id: str
    author: str
    at: datetime
    subject: str


class MeasureOut(BaseModel):
    """A number of the run against the pipeline's good runs before it."""

    name: str = Field(description="duration, peak_memory_bytes, cpu_seconds, or `metric.` and a metric's name.")
    value: float
    median: float
    spread: float = Field(description="Median absolute deviation of the history.")
    runs: int = Field(description="How many runs the history has.")
    verdict: str = Field(description="usual, high, low; unknown: the history is too short.")


class WhyOut(BaseModel):
    """Why a run may have failed."""

    run_id: str
    text: str = Field(description="The answer in a few words.")
    last_good_id: str | None = Field(description="The last successful run of the pipeline before it.")
    last_good_at: datetime | None
    failed_since: int = Field(description="Failures of the pipeline since then, this one included.")
    failure: str | None = Field(description="Its group of failures: what its end has in common with others.")
    failure_title: str | None
    group_runs: int = Field(description="How many runs failed like this.")
    group_first_seen_at: datetime | None
    changes: list[ChangeOut]
    commits: list[CommitOut] | None = Field(description="That touched the pipeline in between; null: not known.")
    files: list[FileChangeOut] | None
    packages: list[PackageChangeOut] | None
    measures: list[MeasureOut]

    @classmethod
    def of(cls, why: Why) -> "WhyOut":
        """The answer as the API shows it."""
        files, packages = (why.diff.files, why.diff.packages) if why.diff else (None, None)
        return cls(
            run_id=why.run.id,
            text=why.text,
            last_good_id=why.last_good.id if why.last_good else None,
            last_good_at=why.last_good.finished_at if why.last_good else None,
            failed_since=why.failed_since,
            failure=why.run.failure_group,
            failure_title=why.failure.title if why.failure else None,
            group_runs=why.group_runs,
            group_first_seen_at=why.group_first_seen_at,
            changes=[ChangeOut(**vars(change)) for change in why.changes],
            commits=None if why.commits is None else [CommitOut(**vars(commit)) for commit in why.commits],
            files=None if files is None else [FileChangeOut(**vars(each)) for each in files],
            packages=None if packages is None else [PackageChangeOut(**vars(each)) for each in packages],
            measures=[MeasureOut(**vars(measure)) for measure in why.measures],
        )
