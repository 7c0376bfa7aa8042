"""What the palette offers of schedules: those whose pipeline, name or line fits."""

from collections.abc import Sequence

from fastflow.kernel.schedules.domain.schedule import Schedule
from fastflow.kernel.schedules.service import ScheduleService
from fastflow.kit.identity import Actor, Role
from fastflow.ui.manifest import Finder, Found, fits
from fastflow.ui.texts import Data, Texts

_SEARCHED = 500
"""More schedules than this are found by their page alone."""


def find_schedules(schedules: ScheduleService) -> Finder:
    """The group over all schedules; none is listed before one is asked for."""

    def find(_t: Texts, actor: Actor, wanted: str) -> Sequence[Found]:
        if actor.highest_role < Role.VIEWER or not wanted.strip():
            return []
        return [
            _found(each) for each in schedules.all(None, actor=actor, at_most=_SEARCHED) if fits(_words(each), wanted)
        ]

    return Finder(title="schedules.title", find=find)


def _words(schedule: Schedule) -> str:
    return f"{schedule.pipeline_name} {schedule.name} {schedule.expression}"


def _found(schedule: Schedule) -> Found:
    note = Data(f"{schedule.name} · {schedule.expression}" if schedule.name else schedule.expression)
    return Found(label=Data(schedule.pipeline_name), note=note, path=f"/schedules/{schedule.id}")
