"""Schedules on the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from fastflow.kernel.http.params import Instant
from fastflow.kernel.http.schemas import RequestBody
from fastflow.kernel.schedules.domain.declared import MAX_PRIORITY
from fastflow.kernel.schedules.domain.definition import LONGEST_JITTER
from fastflow.kernel.schedules.domain.schedule import (
    DAY_SECONDS,
    Definition,
    Missed,
    Occurrence,
    Origin,
    Outcome,
    Overlap,
    Pause,
    Scope,
    Trigger,
)
from fastflow.kernel.schedules.domain.zones import load_zone
from fastflow.kernel.schedules.service.schedules import DueTime, SchedulerStatus, ScheduleView
from fastflow.kernel.schedules.service.simulating import (
    MAX_ITEMS,
    FeltChange,
    SimulatedDueTime,
    Simulation,
    SimulationRequest,
)
from fastflow.kit.pages import Page

_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
PipelineName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PRINTABLE)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Expression = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PRINTABLE)]
Zone = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_PRINTABLE)]
Sentence = Annotated[str, StringConstraints(max_length=500, pattern=_PRINTABLE)]
Jitter = Annotated[float, Field(ge=0, le=LONGEST_JITTER)]
Window = Annotated[float, Field(gt=0, le=315_360_000)]
Priority = Annotated[int, Field(ge=-MAX_PRIORITY, le=MAX_PRIORITY, strict=True)]

_EXPRESSION = (
    "cron: five fields (six with seconds in front) or @daily and the like; interval: a length of time such as 5m; "
    "once: an instant such as 2026-11-21T04:35, in the zone unless it has an offset."
)
_JOB_EXAMPLE: JsonDict = {
    "pipeline_name": "rfm",
    "name": "nightly",
    "trigger": "cron",
    "expression": "30 2 * * *",
    "timezone": "Europe/Berlin",
    "params": {"CITY": "Ulm"},
    "enabled": True,
}


class JobIn(RequestBody):
    """A schedule to make, or the whole of what one shall be."""

    model_config = ConfigDict(json_schema_extra={"examples": [_JOB_EXAMPLE]})

    pipeline_name: PipelineName
    name: Name | None = Field(default=None, description="Unique among the pipeline's schedules; null: one is found.")
    trigger: Trigger
    expression: Expression = Field(description=_EXPRESSION)
    timezone: Zone = Field("UTC", description="IANA name, such as Europe/Berlin.")
    params: dict[str, Any] = Field(
        default_factory=dict, description="Of every run; checked against the pipeline's schema."
    )
    enabled: bool = Field(True, description="False: it is paused.")
    start_at: Instant | None = Field(default=None, description="No due time before; intervals are counted from it.")
    end_at: Instant | None = Field(default=None, description="No due time at or after it.")
    jitter: Jitter = Field(
        0.0, description="Seconds by which a start may be put off, evenly spread; the same for the same due time."
    )
    overlap: Overlap = Field(
        "queue",
        description="While an earlier run of this schedule is not over: queue as usual, skip the new one, or cancel the old.",
    )
    missed: Missed = Field("last", description="Which missed due times are made up for.")
    catch_up_window: Window | None = Field(
        DAY_SECONDS, description="Seconds after which a missed due time is no longer made up for; null: never."
    )
    priority: Priority = Field(default=0, description="Of every run.")

    def definition(self) -> Definition:
        """What is asked for."""
        return Definition(**{name: getattr(self, name) for name in Definition.__dataclass_fields__})


class JobChangeIn(RequestBody):
    """What to change; what is left away stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"expression": "0 3 * * *"}]})

    name: Name | None = None
    trigger: Trigger | None = None
    expression: Expression | None = Field(default=None, description=_EXPRESSION)
    timezone: Zone | None = None
    params: dict[str, Any] | None = None
    enabled: bool | None = None
    start_at: Instant | None = None
    end_at: Instant | None = None
    jitter: Jitter | None = None
    overlap: Overlap | None = None
    missed: Missed | None = None
    catch_up_window: Window | None = None
    priority: Priority | None = None

    def changes(self) -> dict[str, Any]:
        """Field -> new value, of the fields that were sent; null empties those that may be empty."""
        sent = {name: getattr(self, name) for name in self.model_fields_set if name != "enabled"}
        return {name: value for name, value in sent.items() if value is not None or name in _MAY_BE_EMPTY}


_MAY_BE_EMPTY = frozenset({"start_at", "end_at", "catch_up_window"})


class PauseIn(RequestBody):
    """Why it is paused."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "stocktaking"}]})

    reason: Sentence | None = Field(default=None, description="For people; told at every due time meanwhile.")


class PauseOut(BaseModel):
    """A pause in force."""

    scope: Scope = Field(description="What was paused: the schedule, its pipeline, or the whole system.")
    subject: str = Field(description="The schedule's id, the pipeline's name, or *.")
    since: datetime
    by: str
    reason: str | None

    @classmethod
    def of(cls, pause: Pause) -> "PauseOut":
        """The pause as the API shows it."""
        return cls.model_validate(pause, from_attributes=True)


class OccurrenceOut(BaseModel):
    """One due time of a schedule and what became of it."""

    due_at: datetime
    fire_at: datetime = Field(description="When it was to be started: the due time and its jitter.")
    outcome: Outcome
    why: str = Field(description="The outcome in words.")
    run_id: str | None
    recorded_at: datetime = Field(description="When that was decided.")

    @classmethod
    def of(cls, occurrence: Occurrence) -> "OccurrenceOut":
        """The row as the API shows it."""
        return cls.model_validate(occurrence, from_attributes=True)


class OccurrencePage(BaseModel):
    """One page of a schedule's ledger, latest due time first."""

    items: list[OccurrenceOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[Occurrence]) -> "OccurrencePage":
        """The page as the API shows it."""
        return cls(items=[OccurrenceOut.of(one) for one in page.items], next_cursor=page.next_cursor)


class JobOut(BaseModel):
    """A schedule."""

    id: str
    pipeline_name: str
    name: str
    origin: Origin = Field(description="code: declared in the pipeline's settings, which alone change it.")
    trigger: Trigger
    expression: str
    timezone: str
    params: dict[str, Any]
    enabled: bool = Field(description="False: it is paused itself; see `pauses` for its pipeline and the system.")
    pauses: list[PauseOut] = Field(description="What keeps it from starting anything.")
    start_at: datetime | None
    end_at: datetime | None
    jitter: float
    overlap: Overlap
    missed: Missed
    catch_up_window: float | None
    priority: int
    next_due_at: datetime | None = Field(description="Null: it is never due again.")
    next_fire_at: datetime | None = Field(description="The same with its jitter.")
    last: OccurrenceOut | None = Field(description="The latest row of its ledger.")
    problem: str | None = Field(description="What keeps its runs from being started, such as a pipeline that is gone.")
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str

    @classmethod
    def of(cls, view: ScheduleView) -> "JobOut":
        """The schedule as the API shows it."""
        around = {
            "enabled": all(pause.scope != "schedule" for pause in view.pauses),
            "pauses": [PauseOut.of(pause) for pause in view.pauses],
            "last": OccurrenceOut.of(view.last) if view.last else None,
            "problem": view.problem,
        }
        own = {name: getattr(view.schedule, name) for name in cls.model_fields if name not in around}
        return cls(**own, **around)


class JobPage(BaseModel):
    """One page of schedules, oldest first."""

    items: list[JobOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[ScheduleView]) -> "JobPage":
        """The page as the API shows it."""
        return cls(items=[JobOut.of(view) for view in page.items], next_cursor=page.next_cursor)


class DueTimeOut(BaseModel):
    """A due time that lies ahead."""

    due_at: datetime
    local: str = Field(description="The same on the clocks of the schedule's zone, with its offset.")
    fire_at: datetime = Field(description="With its jitter.")
    note: str | None = Field(description="What a change of the clocks does to it.")

    @classmethod
    def of(cls, due: DueTime) -> "DueTimeOut":
        """The due time as the API shows it."""
        return cls(due_at=due.due_at, local=_local(due), fire_at=due.fire_at, note=due.note)


class DueTimesOut(BaseModel):
    """The next due times of a schedule; fewer than asked for when there are no more."""

    items: list[DueTimeOut]


class SimulateIn(RequestBody):
    """What to simulate: the schedules there are, some of them, or one that is not made yet."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "since": "2027-03-27T00:00:00Z",
                    "until": "2027-03-29T00:00:00Z",
                    "schedule": {"trigger": "cron", "expression": "30 2 * * *", "timezone": "Europe/Berlin"},
                }
            ]
        }
    )

    since: Instant
    until: Instant = Field(description="The end, without itself; at most ten years later.")
    job_ids: list[Annotated[str, Field(max_length=100)]] | None = Field(
        default=None, max_length=500, description="Only these schedules; null: all that you may see."
    )
    pipeline_name: PipelineName | None = Field(default=None, description="Only schedules of this pipeline.")
    schedule: "TrialIn | None" = Field(
        default=None, description="A schedule that is not made yet, instead of those there are."
    )
    limit: Annotated[int, Field(ge=1, le=MAX_ITEMS, strict=True)] = Field(
        default=1000, description="Due times to show."
    )

    def request(self) -> SimulationRequest:
        """What is asked for."""
        return SimulationRequest(
            since=self.since,
            until=self.until,
            schedule_ids=self.job_ids,
            pipeline_name=self.pipeline_name,
            definition=None if self.schedule is None else self.schedule.definition(),
            limit=self.limit,
        )


class TrialIn(RequestBody):
    """A schedule that is not made yet."""

    pipeline_name: PipelineName | None = Field(default=None, description="Null: it is looked at without a pipeline.")
    trigger: Trigger
    expression: Expression = Field(description=_EXPRESSION)
    timezone: Zone = "UTC"
    params: dict[str, Any] = Field(default_factory=dict)
    start_at: Instant | None = None
    end_at: Instant | None = None
    jitter: Jitter = 0.0

    def definition(self) -> Definition:
        """What is asked for."""
        given = {name: getattr(self, name) for name in TrialIn.model_fields}
        return Definition(**{**given, "pipeline_name": self.pipeline_name or ""})


class SimulatedOut(DueTimeOut):
    """A due time and whose it is."""

    job_id: str | None = Field(description="Null: of the schedule that is not made yet.")
    pipeline_name: str
    name: str
    paused: str | None = Field(description="Why nothing would be started, if what is paused now stays paused.")

    @classmethod
    def of_simulated(cls, item: SimulatedDueTime, *, is_trial: bool) -> "SimulatedOut":
        """The due time as the API shows it."""
        schedule = item.due.schedule
        return cls(
            **dict(DueTimeOut.of(item.due)),
            job_id=None if is_trial else schedule.id,
            pipeline_name=schedule.pipeline_name,
            name=schedule.name,
            paused=item.paused,
        )


class ClockChangeOut(BaseModel):
    """A change of the clocks that schedules feel."""

    at: datetime
    timezone: str
    kind: Literal["gap", "overlap"] = Field(description="gap: times are left out; overlap: times come twice.")
    wall_from: str = Field(description="First of these times, on the zone's clocks.", examples=["2027-03-28T02:00:00"])
    wall_to: str = Field(description="End of these times, without itself.")
    text: str = Field(description="What becomes of the schedules' times, in a sentence.")
    job_ids: list[str] = Field(description="The schedules that feel it; empty for one that is not made yet.")

    @classmethod
    def of(cls, felt: FeltChange, *, is_trial: bool) -> "ClockChangeOut":
        """The change as the API shows it."""
        change = felt.change
        return cls(
            at=change.at,
            timezone=change.timezone,
            kind=change.kind,
            wall_from=change.wall_from.isoformat(),
            wall_to=change.wall_to.isoformat(),
            text=change.text,
            job_ids=[] if is_trial else [schedule.id for schedule in felt.schedules],
        )


class SimulationOut(BaseModel):
    """What would be due between two instants."""

    items: list[SimulatedOut]
    clock_changes: list[ClockChangeOut]
    truncated: bool = Field(description="True: there are more due times than `limit`.")
    schedules: int = Field(description="How many schedules were looked at.")

    @classmethod
    def of(cls, simulation: Simulation, *, is_trial: bool) -> "SimulationOut":
        """The simulation as the API shows it."""
        return cls(
            items=[SimulatedOut.of_simulated(item, is_trial=is_trial) for item in simulation.items],
            clock_changes=[ClockChangeOut.of(felt, is_trial=is_trial) for felt in simulation.changes],
            truncated=simulation.is_cut,
            schedules=simulation.schedules,
        )


class TroubleOut(BaseModel):
    """A schedule that cannot start runs now."""

    id: str
    pipeline_name: str
    name: str
    problem: str


class StatusOut(BaseModel):
    """The scheduler as a whole."""

    schedules: int
    due: int = Field(description="Schedules that have a due time ahead.")
    next_fire_at: datetime | None
    starting: int = Field(description="Due times whose run is being submitted now.")
    pauses: list[PauseOut] = Field(description="Of pipelines and of the whole system.")
    troubled: list[TroubleOut] = Field(description="Schedules that cannot start runs now; at most 50.")

    @classmethod
    def of(cls, status: SchedulerStatus) -> "StatusOut":
        """The state as the API shows it."""
        return cls(
            **vars(status.counts),
            pauses=[PauseOut.of(pause) for pause in status.pauses],
            troubled=[
                TroubleOut(
                    id=view.schedule.id,
                    pipeline_name=view.schedule.pipeline_name,
                    name=view.schedule.name,
                    problem=view.problem or "",
                )
                for view in status.troubled
            ],
        )


def _local(due: DueTime) -> str:
    return due.due_at.astimezone(load_zone(due.schedule.timezone)).isoformat()


SimulateIn.model_rebuild()
