"""Makes schedules of checked definitions, and gives a schedule a new form."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from fastflow.kernel.schedules.domain.definition import timing_of
from fastflow.kernel.schedules.domain.due_times import due_after, fire_time
from fastflow.kernel.schedules.domain.schedule import Definition, Origin, Schedule, Timing
from fastflow.kit.identity import Actor
from fastflow.kit.ids import new_id

_TIMING = ("trigger", "expression", "timezone", "start_at", "end_at", "jitter")


def make_schedule(definition: Definition, origin: Origin, actor: Actor, now: datetime) -> Schedule:
    """A new schedule; its first due time lies ahead."""
    timing = timing_of(definition, now.replace(microsecond=0))
    schedule_id = new_id()
    return Schedule(
        **vars(timing),
        id=schedule_id,
        pipeline_name=definition.pipeline_name,
        name=definition.name or "",
        origin=origin,
        params=dict(definition.params),
        overlap=definition.overlap,
        missed=definition.missed,
        catch_up_window=definition.catch_up_window,
        priority=definition.priority,
        **_ahead(schedule_id, timing, now),
        created_at=now,
        created_by=actor.name[:200],
        updated_at=now,
        updated_by=actor.name[:200],
    )


def remake(before: Schedule, definition: Definition, actor: Actor, now: datetime) -> Schedule:
    """The schedule in its new form; with a new timing its next due time lies ahead, else it stays where it stands."""
    if definition == before.definition:
        return before
    kept = {name: getattr(definition, name) for name in Definition.__dataclass_fields__}
    after = replace(
        before,
        **{**kept, "name": definition.name or before.name, "params": dict(definition.params)},
        updated_at=now,
        updated_by=actor.name[:200],
    )
    if all(getattr(after, name) == getattr(before, name) for name in _TIMING):
        return after
    timing = timing_of(definition, now.replace(microsecond=0) if _is_paced_anew(before, after) else before.anchor_at)
    return replace(after, anchor_at=timing.anchor_at, **_ahead(after.id, timing, now))


def _is_paced_anew(before: Schedule, after: Schedule) -> bool:
    return (before.trigger, before.expression) != (after.trigger, after.expression)


def _ahead(schedule_id: str, timing: Timing, now: datetime) -> dict[str, Any]:
    due = due_after(timing, now)
    fire = None if due is None else fire_time(schedule_id, due, timing.jitter)
    return {"next_due_at": due, "next_fire_at": fire}
