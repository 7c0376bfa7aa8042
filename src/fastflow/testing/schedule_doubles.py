"""Doubles of the rooms that schedules stand on: runs that remember who asked for them, and pipelines that a test scripts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.scheduled import Scheduled
from fastflow.kernel.schedules.domain.definition import check
from fastflow.kernel.schedules.domain.schedule import Definition, Origin, Schedule
from fastflow.kernel.schedules.service.making import make_schedule
from fastflow.kit.errors import NotFound
from fastflow.kit.identity import SYSTEM, Actor
from fastflow.testing.clock import START
from fastflow.testing.run_doubles import make_run


def instant(text: str) -> datetime:
    """An aware instant: UTC unless the text has an offset.

    >>> instant("2026-01-15T12:00").isoformat()
    '2026-01-15T12:00:00+00:00'
    """
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def wall(*parts: int) -> datetime:
    """A wall-clock time, which has no zone: year, month, day, hour and so on."""
    year, month, day, hour, minute, *_ = (*parts, 0, 0)
    return datetime(year, month, day, hour, minute)  # noqa: DTZ001


def make_definition(expression: str = "1h", **values: Any) -> Definition:
    """A definition; what looks like a cron line is one, what looks like an instant is a one-shot."""
    trigger = "cron" if " " in expression or expression.startswith("@") else "once" if "T" in expression else "interval"
    return Definition(**{"pipeline_name": "demo", "trigger": trigger, "expression": expression, **values})


def make_demo_schedule(
    expression: str = "1h", *, now: datetime = START, origin: Origin = "user", **values: Any
) -> Schedule:
    """A schedule, made at `now`."""
    definition = check(make_definition(expression, **{"name": "demo", **values}), now)
    return make_schedule(definition, origin, SYSTEM, now)


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What a scheduler asked for."""

    pipeline_name: str
    key: str
    schedule: Scheduled
    run: Run


class MemoryRuns:
    """Takes runs; a second one with the same idempotency key is the first one. Safe in threads.

    Attributes:
        made: the first submission of each key.
        asked: how often anything was submitted.
        on_submit: called before each; what it raises, the submission raises.
    """

    def __init__(self) -> None:
        self.made: dict[str, Submission] = {}
        self.asked = 0
        self.on_submit: Callable[[str, Scheduled], None] | None = None

    def submit(
        self,
        pipeline_name: str,
        params: Mapping[str, Any] | None = None,
        *,
        actor: Actor,
        trigger: str = "api",
        priority: int = 0,
        idempotency_key: str | None = None,
        schedule: Scheduled | None = None,
    ) -> Run:
        """See `Runs.submit`."""
        assert idempotency_key is not None
        assert schedule is not None
        assert trigger == "schedule"
        self.asked += 1
        if self.on_submit is not None:
            self.on_submit(pipeline_name, schedule)
        run = make_run(
            pipeline_name, params=dict(params or {}), submitted_by=actor.name, trigger=trigger, priority=priority
        )
        submission = Submission(pipeline_name=pipeline_name, key=idempotency_key, schedule=schedule, run=run)
        return self.made.setdefault(idempotency_key, submission).run


class MemoryPipelines:
    """Pipelines that exist because a test says so: one named demo at first."""

    def __init__(self) -> None:
        self._pipelines: dict[str, Pipeline] = {}
        self.add("demo")

    def add(self, name: str, **values: Any) -> Pipeline:
        """A pipeline, replaced if it is there."""
        self._pipelines[name] = Pipeline(name=name, kind="folder", script="main.py", **values)
        return self._pipelines[name]

    def remove(self, name: str) -> None:
        """Delete it."""
        del self._pipelines[name]

    def get(self, name: str) -> Pipeline:
        """See `Pipelines.get`."""
        if name not in self._pipelines:
            raise NotFound(f"There is no pipeline {name!r}.", code="pipeline_not_found")
        return self._pipelines[name]

    def list(self) -> Sequence[Pipeline]:
        """See `Pipelines.list`."""
        return list(self._pipelines.values())
