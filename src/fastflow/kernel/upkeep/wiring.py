"""Assembles upkeep for the runner process."""

from pathlib import Path

from fastflow.kernel.db.engine import Database
from fastflow.kernel.runs.infra.files import RunFolder
from fastflow.kernel.runs.wiring import read_host_id
from fastflow.kernel.upkeep.domain.bounds import Bounds
from fastflow.kernel.upkeep.infra.history_store import SqlHistoryStore
from fastflow.kernel.upkeep.ports import Environments, InUse
from fastflow.kernel.upkeep.service import Upkeep
from fastflow.kit.clock import Clock


def build_upkeep(
    database: Database,
    bounds: Bounds,
    *,
    environments: Environments,
    in_use: InUse,
    data_dir: Path,
    logs_dir: Path,
    clock: Clock,
) -> Upkeep:
    """Upkeep of this server.

    Args:
        database: migrated.
        bounds: what may go.
        environments: of this machine.
        in_use: environments that stay.
        data_dir: artifacts are in it.
        logs_dir: the logs of this machine.
        clock: the product's.
    """
    return Upkeep(
        bounds,
        history=SqlHistoryStore(database, read_host_id(data_dir)),
        files=RunFolder(logs_dir, data_dir / "artifacts", clock),
        environments=environments,
        in_use=in_use,
        clock=clock,
    )
