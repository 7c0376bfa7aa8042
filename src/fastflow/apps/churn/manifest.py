"""What the churn workbench contributes to the product, and how it is put together; only what assembles the product reads it."""

from dataclasses import dataclass
from pathlib import Path

from fastflow import __version__
from fastflow.apps.churn.domain.paths import Paths
from fastflow.apps.churn.infra.audit import AuditedChanges
from fastflow.apps.churn.infra.bundles import DiskBundles
from fastflow.apps.churn.infra.defaults import DefaultsFile
from fastflow.apps.churn.infra.duck import DuckPanels
from fastflow.apps.churn.infra.duck_sql import DuckSql
from fastflow.apps.churn.infra.lock import DatabaseLock
from fastflow.apps.churn.infra.outbox import DiskOutbox
from fastflow.apps.churn.infra.results import ArtifactResults
from fastflow.apps.churn.infra.store import JsonStore
from fastflow.apps.churn.ports import JobRuns
from fastflow.apps.churn.service.chains import Chains
from fastflow.apps.churn.service.database import ChurnDatabase
from fastflow.apps.churn.service.demo import Demo
from fastflow.apps.churn.service.experiments import Experiments
from fastflow.apps.churn.service.files import Files
from fastflow.apps.churn.service.late import LateRows
from fastflow.apps.churn.service.ledgers import Ledgers
from fastflow.apps.churn.service.materializing import Materializing
from fastflow.apps.churn.service.outbox import ExperimentBundles
from fastflow.apps.churn.service.reports import Reports
from fastflow.apps.churn.service.results import TakingIn
from fastflow.apps.churn.service.runs import ChurnRuns
from fastflow.apps.churn.service.sql import Sql
from fastflow.kernel.api import Workbench
from fastflow.kernel.db.engine import Database
from fastflow.kit.clock import Clock
from fastflow.kit.identity import SYSTEM

WORKBENCH = Workbench(name="churn", title="Churn", folder=Path(__file__).parent)


@dataclass(frozen=True, kw_only=True)
class ChurnRoom:
    """The workbench's services.

    Attributes:
        database: the churn database as a whole.
        experiments: what is computed.
        bundles: what of it is in the outbox.
        materializing: puts customers into tables of an experiment's own.
        reports: what was found, to be read.
        files: what it is computed on.
        late: what arrived after an experiment's data.
        runs: experiments being computed.
        chains: experiments being computed whole, step by step.
        ledgers: lists of contacts, and how they did.
        demo: the workbench tried on example data.
        taking_in: takes the results of ended runs in; at work in the runner.
        sql: questions to all of it.
        store: what the services keep things in.
        sql_engine: its process.
    """

    database: ChurnDatabase
    experiments: Experiments
    bundles: ExperimentBundles
    materializing: Materializing
    reports: Reports
    files: Files
    late: LateRows
    runs: ChurnRuns
    chains: Chains
    ledgers: Ledgers
    demo: Demo
    taking_in: TakingIn
    sql: Sql
    store: JsonStore
    sql_engine: DuckSql

    def close(self) -> None:
        """End what runs beside the server."""
        self.sql_engine.close()


def build_churn(database: Database, *, paths: Paths, host: str, runs: JobRuns, clock: Clock) -> ChurnRoom:
    """The workbench on these places; nothing is made on the disk before something is kept.

    Args:
        database: the product's own, for the audit log.
        paths: absolute.
        host: id of this machine.
        runs: runs of its pipelines.
        clock: tells the time.
    """
    path = Path(paths.database.path)
    audited = AuditedChanges(database, clock)
    store = JsonStore(
        path,
        lock=DatabaseLock(path.with_suffix(".lock"), host=host, clock=clock),
        audited=audited,
        clock=clock,
    )
    engine = DuckPanels(path.parent)
    experiments = Experiments(store, DefaultsFile(Path(paths.ui_settings.path)), clock)
    files = Files(store, engine, path.parent, clock)
    reader = ArtifactResults(engine.read_tables)
    sql_engine = DuckSql(path.parent)
    outbox = DiskOutbox(Path(paths.outbox.path))
    materializing = Materializing(store, engine)
    own_runs = ChurnRuns(store, runs, files.write_inputs, clock)
    chains = Chains(store, own_runs, materializing, clock)
    sql = Sql(store, sql_engine, path.parent)
    ledgers = Ledgers(store, sql)
    return ChurnRoom(
        database=ChurnDatabase(store, outbox, paths, path.parent),
        experiments=experiments,
        bundles=ExperimentBundles(store, DiskBundles(Path(paths.outbox.path)), audited, clock),
        materializing=materializing,
        reports=Reports(
            experiments,
            store,
            engine,
            lambda number: ledgers.scores(number, actor=SYSTEM),
            clock=clock,
            version=__version__,
        ),
        files=files,
        late=LateRows(store, engine),
        runs=own_runs,
        chains=chains,
        ledgers=ledgers,
        demo=Demo(store, files, experiments, chains),
        taking_in=TakingIn(store, runs, reader, chains.go_on, clock),
        sql=sql,
        store=store,
        sql_engine=sql_engine,
    )
