"""`fastflow doctor` on schedules: which of them cannot start runs, and what is paused."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastflow.cli.findings import Finding
from fastflow.cli.output import local_time
from fastflow.cli.schedule_tables import describe_pause
from fastflow.kernel.db.engine import Database
from fastflow.kit.words import counted
from fastflow.settings import Settings

_NAMED = 3


def check_schedules(settings: Settings, database: Database) -> Finding:
    """The schedules of this machine's database, against its folder of pipelines."""
    from fastflow.kernel.executors.registry import kinds
    from fastflow.kernel.judges import JUDGES
    from fastflow.kernel.pipelines.wiring import look_at_folder
    from fastflow.kernel.schedules.schemas import StatusOut
    from fastflow.kernel.schedules.wiring import look_at_schedules

    pipelines = look_at_folder(settings.pipelines_dir, known_executors=kinds(), judges=JUDGES)
    return judge_status(StatusOut.of(look_at_schedules(database, pipelines)).model_dump(mode="json"))


def judge_status(status: Mapping[str, Any]) -> Finding:
    """What the scheduler's status amounts to."""
    troubled: Sequence[Mapping[str, Any]] = status["troubled"]
    text = counted(status["schedules"], "schedule")
    if status["next_fire_at"]:
        text += f", next due {local_time(status['next_fire_at'])}"
    if troubled:
        named = "; ".join(
            f"{one['pipeline_name']}/{one['name']}: {one['problem'].rstrip('.')}" for one in troubled[:_NAMED]
        )
        more = f" (and {len(troubled) - _NAMED} more)" if len(troubled) > _NAMED else ""
        return Finding(
            name="schedules",
            level="warning",
            text=f"{text}; {len(troubled)} cannot start runs: {named}{more}",
            remedy="Mend or bring back the pipeline, or remove the schedule; until then its due times are missed, each "
            "with a row that says why.",
        )
    if status["pauses"]:
        told = "; ".join(describe_pause(pause) for pause in status["pauses"][:_NAMED])
        return Finding(name="schedules", level="note", text=f"{text}; {told}")
    return Finding(name="schedules", level="ok", text=text)
