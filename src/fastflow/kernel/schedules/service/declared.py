"""Keeps the schedules of origin `code` in step with what the pipelines' settings declare."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.schedules.domain.declared import read_declared
from fastflow.kernel.schedules.domain.errors import ScheduleNameTaken
from fastflow.kernel.schedules.domain.schedule import Definition, Schedule
from fastflow.kernel.schedules.ports import Pipelines, ScheduleFilter, ScheduleStore
from fastflow.kernel.schedules.service.making import make_schedule, remake
from fastflow.kernel.schedules.service.rules import SchedulerRules
from fastflow.kit.clock import Clock
from fastflow.kit.errors import Unavailable
from fastflow.kit.identity import SYSTEM, Actor

logger = logging.getLogger(__name__)

_PAGE = 500
_NAMES_AT_ONCE = 500
Key = tuple[str, str]
"""Pipeline and name."""


@dataclass(frozen=True, kw_only=True)
class DeclaredChange:
    """A step by which the schedules come to what the code says.

    Attributes:
        before: None: it is new.
        after: None: the code does not declare it any more.
    """

    kind: Literal["added", "changed", "removed"]
    before: Schedule | None
    after: Definition | None


class DeclaredSchedules:
    """Compares the code with the due-table.

    A pipeline that is gone or broken keeps its schedules: what they declare cannot be known, and each due time gets a row
    that says why nothing was started.
    """

    def __init__(self, store: ScheduleStore, pipelines: Pipelines, rules: SchedulerRules, clock: Clock) -> None:
        self._store = store
        self._pipelines = pipelines
        self._rules = rules
        self._clock = clock

    def plan(self, pipelines: Sequence[Pipeline] | None = None) -> Sequence[DeclaredChange]:
        """What `keep_in_step` would do, for the pipelines as they are now or, before they become active, as given."""
        found = self._pipelines.list() if pipelines is None else pipelines
        return list(compare(found, self._store.load_declared()))

    def present(self, pipelines: Sequence[str]) -> Sequence[Schedule]:
        """The schedules of these pipelines, whoever made them, in the order of their ids."""
        found: list[Schedule] = []
        for start in range(0, len(pipelines), _NAMES_AT_ONCE):
            wanted = ScheduleFilter(pipelines=tuple(pipelines[start : start + _NAMES_AT_ONCE]))
            after = ""
            while page := self._store.load_page(wanted, after_id=after, limit=_PAGE):
                found += page
                after = page[-1].id
        return found

    def drop(self, pipelines: Sequence[str], *, actor: Actor) -> Sequence[Schedule]:
        """Remove what these pipelines declared: their code was taken away on purpose. Idempotent; what was removed."""
        declared = [schedule for schedule in self.present(pipelines) if schedule.origin == "code"]
        return [one for one in declared if self._store.delete(one.id, actor=actor, at=self._clock.now())]

    def keep_in_step(self) -> Sequence[DeclaredChange]:
        """Add, change and remove until the due-table says what the code says. Returns what was done."""
        done: list[DeclaredChange] = []
        for change in self.plan():
            now = self._clock.now()
            try:
                self._apply(change, now)
            except ScheduleNameTaken:  # another server was quicker
                continue
            except Unavailable:
                raise
            except Exception:  # the others are followed all the same
                logger.exception("schedule.not_declared", extra={"fields": {"schedule": _label(change)}})
                continue
            done.append(change)
            logger.info("schedule.declared", extra={"fields": {"change": change.kind, "schedule": _label(change)}})
        return done

    def _apply(self, change: DeclaredChange, now: datetime) -> None:
        if change.before is None and change.after is not None:
            self._store.add(make_schedule(change.after, "code", SYSTEM, now), None, actor=SYSTEM)
        elif change.before is not None and change.after is None:
            self._store.delete(change.before.id, actor=SYSTEM, at=now)
        elif change.before is not None and change.after is not None:
            wanted = change.after
            self._store.change(
                change.before.id,
                lambda before: remake(before, wanted, SYSTEM, now),
                self._rules.decide(now),
                actor=SYSTEM,
                at=now,
            )


def compare(pipelines: Sequence[Pipeline], present: Sequence[Schedule]) -> Iterator[DeclaredChange]:
    """The steps from the schedules that are present to those that the pipelines declare."""
    known: Mapping[Key, Schedule] = {(one.pipeline_name, one.name): one for one in present}
    healthy = {pipeline.name for pipeline in pipelines if pipeline.is_healthy}
    wanted = {(each.pipeline_name, each.name or ""): each for each in _declared(pipelines)}
    for key, definition in wanted.items():
        before = known.get(key)
        if before is None:
            yield DeclaredChange(kind="added", before=None, after=definition)
        elif before.definition != definition:
            yield DeclaredChange(kind="changed", before=before, after=definition)
    for key, before in known.items():
        if key not in wanted and key[0] in healthy:
            yield DeclaredChange(kind="removed", before=before, after=None)


def _declared(pipelines: Sequence[Pipeline]) -> Iterator[Definition]:
    for pipeline in pipelines:
        if pipeline.is_healthy:
            for entry in read_declared(pipeline.name, pipeline.schedules, pipeline.params_schema):
                if entry.definition is not None:
                    yield entry.definition


def _label(change: DeclaredChange) -> str:
    if change.before is not None:
        return change.before.label
    assert change.after is not None
    return f"{change.after.pipeline_name}/{change.after.name}"
