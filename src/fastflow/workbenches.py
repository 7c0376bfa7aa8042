"""The workbenches of the product: each built from the settings by its manifest, which is imported when it is first used."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fastflow.effective import find_origins
from fastflow.kernel.db.engine import Database
from fastflow.kernel.pipelines.domain.errors import CodeNotHere, PipelinesDirUnavailable
from fastflow.kernel.pipelines.ports import Shipped
from fastflow.kit.clock import Clock
from fastflow.kit.identity import Actor, Grant, Role
from fastflow.settings import Settings

if TYPE_CHECKING:
    from fastflow.apps.churn.domain.paths import Paths
    from fastflow.apps.churn.manifest import ChurnRoom
    from fastflow.kernel.pipelines.service import PipelineCatalog
    from fastflow.kernel.runs.service import RunService

logger = logging.getLogger(__name__)


SHIPPED = (Shipped(workbench="churn", folder=Path(__file__).parent / "apps" / "churn"),)
"""What ships pipelines. Here, as the catalogue knows them without loading a room."""

UPLOADS = ("/churn/database/import", "/churn/files", "/churn/dictionary", "/churn/columns")
"""Paths of the API whose bodies are files, for which MAX_UPLOAD_MB counts. Here, as no command loads a room to know them."""


def make_churn(settings: Settings, database: Database, runs: "RunService", clock: Clock) -> "ChurnRoom":
    """The churn workbench."""
    from fastflow.apps.churn.manifest import WORKBENCH, build_churn
    from fastflow.kernel.api import WorkbenchRuns
    from fastflow.kernel.failures.infra.log_tails import LogTails
    from fastflow.kernel.runs.wiring import read_host_id

    host = read_host_id(settings.data_dir)
    own = WorkbenchRuns(
        WORKBENCH.name,
        runs,
        artifacts=settings.data_dir / "artifacts",
        host=host,
        last_words=LogTails(settings.logs_dir).read,
    )
    return build_churn(database, paths=churn_paths(settings), host=host, runs=own, clock=clock)


def is_churn_used(settings: Settings) -> bool:
    """Whether there is anything that it could be at work on. Costs one look at the disk."""
    return Path(churn_paths(settings).database.path).exists()


def widened(actor: Actor, pipelines: "PipelineCatalog") -> Actor:
    """The actor, whose role on a workbench's pipeline of its own name is one on every pipeline that it ships: who may see an
    experiment sees the log of each run that computes it. What a user has put in such a pipeline's place is left alone."""
    guarded = {shipped.workbench: actor.role_on(shipped.workbench) for shipped in SHIPPED}
    if not any(role > Role.NONE and actor.reach(role) is not None for role in guarded.values()):
        return actor
    try:
        names = pipelines.shipped()
    except (PipelinesDirUnavailable, CodeNotHere) as error:  # no more than was given
        logger.warning("workbenches.not_widened", extra={"fields": {"error": error.message}})
        return actor
    more = [
        Grant(role=guarded[workbench], pipelines=name)
        for name, workbench in names.items()
        if names.get(workbench) == workbench and actor.role_on(name) < guarded[workbench]
    ]
    return replace(actor, grants=(*actor.grants, *more)) if more else actor


def churn_paths(settings: Settings) -> "Paths":
    """Where it keeps things: the one place where this is worked out."""
    from fastflow.apps.churn.domain.paths import Paths, PlacedPath

    origins, home = find_origins(), settings.data_dir / "churn"

    def placed(name: str, given: Path | None, usual: str, purpose: str) -> PlacedPath:
        origin = "default" if given is None else origins[name]
        return PlacedPath(setting=name.upper(), path=given or home / usual, origin=origin, purpose=purpose)

    return Paths(
        database=placed(
            "churn_db_path",
            settings.churn_db_path,
            "churn_database.json",
            "The database; its segments and snapshots lie beside it.",
        ),
        outbox=placed("outbox_root", settings.outbox_root, "outbox", "Bundles that leave the workbench and come back."),
        ui_settings=placed(
            "ui_settings_path", settings.ui_settings_path, "ui_settings.json", "Defaults of experiments."
        ),
    )
