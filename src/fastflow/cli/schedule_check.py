"""`fastflow doctor` on schedules: which of them cannot start runs, and what is paused."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from fastflow.cli.output import local_time
from fastflow.cli.schedule_tables import describe_pause
from fastflow.findings import Finding
from fastflow.kernel.db.engine import Database
from fastflow.kit.words import counted
from fastflow.settings import Settings

_NAMED = 3


def check_schedules(settings: Settings, database: Database) -> Finding:
    """The schedules of this machine's database, against its folder of pipelines."""
    return judge_status(look_at_status(settings, database)[0])


def notes_on_missing(status: Mapping[str, Any], known: Collection[str]) -> Sequence[str]:
    """One for each schedule of a pipeline that is not there (any more): a removed folder takes none with it."""
    return [
        f"the schedule {one['pipeline_name']}/{one['name']} starts nothing: there is no pipeline {one['pipeline_name']!r}. "
        "Bring it back, or remove the schedule"
        for one in status["troubled"]
        if one["pipeline_name"] not in known
    ]


def look_at_status(settings: Settings, database: Database) -> tuple[Mapping[str, Any], Collection[str]]:
    """The scheduler's status on this machine as the API tells it, and the pipelines that are there."""
    from fastflow.kernel.executors.registry import kinds
    from fastflow.kernel.judges import JUDGES
    from fastflow.kernel.pipelines.wiring import look_at_folder
    from fastflow.kernel.schedules.schemas import StatusOut
    from fastflow.kernel.schedules.wiring import look_at_schedules
    from fastflow.kernel.sync.infra.active import ActiveSources

    pipelines = look_at_folder(
        settings.pipelines_dir,
        known_executors=kinds(),
        judges=JUDGES,
        sources=ActiveSources(database),
        data_dir=settings.data_dir,
    )
    status = StatusOut.of(look_at_schedules(database, pipelines)).model_dump(mode="json")
    return status, {pipeline.name for pipeline in pipelines.list()}


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
