"""Assembles daemons: the service for the web process and the command line, the keeper for the runner process."""

from dataclasses import dataclass

from fastflow.kernel.daemons.infra.probes import PortProbe
from fastflow.kernel.daemons.infra.store import SqlDaemonStore
from fastflow.kernel.daemons.ports import Alarm, Pipelines, Runs, WakeUp
from fastflow.kernel.daemons.service import DaemonKeeper, DaemonService
from fastflow.kernel.db.engine import Database
from fastflow.kit.clock import Clock
from fastflow.kit.ids import new_id


@dataclass(frozen=True, kw_only=True)
class DaemonsRoom:
    """The service of the room, and what the runner's part is made of."""

    daemons: DaemonService
    store: SqlDaemonStore
    runs: Runs
    pipelines: Pipelines
    clock: Clock
    host: str

    def make_keeper(self) -> DaemonKeeper:
        """What keeps daemons running, in the runner process."""
        return DaemonKeeper(
            store=self.store,
            runs=self.runs,
            pipelines=self.pipelines,
            probe=PortProbe(),
            clock=self.clock,
            host=self.host,
            owner=new_id(),
        )


def build_daemons(
    database: Database, *, runs: Runs, pipelines: Pipelines, wakeup: WakeUp, alarm: Alarm, host: str, clock: Clock
) -> DaemonsRoom:
    """Daemons on the product's database.

    Args:
        database: migrated.
        runs: the runs below.
        pipelines: whose settings declare daemons.
        wakeup: tells the runner.
        alarm: tells people of crash loops.
        host: id of the data directory.
        clock: the product's.
    """
    store = SqlDaemonStore(database, alarm)
    return DaemonsRoom(
        daemons=DaemonService(store=store, pipelines=pipelines, wakeup=wakeup, clock=clock),
        store=store,
        runs=runs,
        pipelines=pipelines,
        clock=clock,
        host=host,
    )
