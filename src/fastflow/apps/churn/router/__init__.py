"""The churn workbench's part of the API."""

from fastapi import APIRouter

from fastflow.apps.churn.router.database import add_database
from fastflow.apps.churn.router.demo import add_demo
from fastflow.apps.churn.router.experiments import add_experiments
from fastflow.apps.churn.router.files import add_files
from fastflow.apps.churn.router.late import add_late
from fastflow.apps.churn.router.ledgers import add_ledgers
from fastflow.apps.churn.router.outbox import add_outbox
from fastflow.apps.churn.router.reports import add_reports
from fastflow.apps.churn.router.runs import add_runs
from fastflow.apps.churn.router.sql import add_sql
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
from fastflow.apps.churn.service.runs import ChurnRuns
from fastflow.apps.churn.service.sql import Sql
from fastflow.kernel.http.problems import PROBLEM_RESPONSES


def build_router(
    *,
    database: ChurnDatabase,
    experiments: Experiments,
    bundles: ExperimentBundles,
    materializing: Materializing,
    files: Files,
    late: LateRows,
    reports: Reports,
    runs: ChurnRuns,
    chains: Chains,
    demo: Demo,
    ledgers: Ledgers,
    sql: Sql,
) -> APIRouter:
    """All its operations."""
    router = APIRouter(tags=["churn"], responses=PROBLEM_RESPONSES)
    add_database(router, database)
    add_experiments(router, experiments)
    add_outbox(router, bundles, materializing)
    add_files(router, files)
    add_late(router, late)
    add_reports(router, reports)
    add_runs(router, runs, chains)
    add_demo(router, demo)
    add_ledgers(router, ledgers, sql)
    add_sql(router, sql)
    return router
