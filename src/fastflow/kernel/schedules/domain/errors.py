"""Errors of the schedules room."""

from collections.abc import Mapping

from fastflow.kit.errors import Conflict, InvalidInput, NotFound
from fastflow.kit.words import in_a_sentence


class ScheduleNotFound(NotFound):
    """No schedule has this id, or its pipeline is outside the asker's scope."""

    default_code = "schedule_not_found"
    default_hint = "Take the id from `GET /scheduler/jobs`."

    def __init__(self, schedule_id: str) -> None:
        super().__init__(f"There is no schedule {schedule_id}.")


class InvalidSchedule(InvalidInput):
    """A schedule that cannot be kept: an unreadable expression, an unknown zone, a window that ends before it starts."""

    default_code = "invalid_schedule"
    default_hint = (
        "Correct the named fields; `POST /scheduler/simulate` shows what a schedule would do before it is made."
    )

    def __init__(self, problems: Mapping[str, str], *, hint: str | None = None) -> None:
        super().__init__(f"The schedule is not valid: {in_a_sentence(problems)}", hint=hint, fields=problems)


class ScheduleNameTaken(Conflict):
    """The pipeline has a schedule of that name."""

    default_code = "schedule_name_taken"
    default_hint = "Choose another name, or change the schedule that has it."


class ScheduleDeclared(Conflict):
    """The schedule is declared in the pipeline's code, which alone may change it."""

    default_code = "schedule_declared"
    default_hint = "Change it in the pipeline's settings; here it can be paused and resumed."
