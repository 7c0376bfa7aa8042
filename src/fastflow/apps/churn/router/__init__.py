"""The churn workbench's part of the API."""

from fastapi import APIRouter

from fastflow.apps.churn.router.database import add_database
from fastflow.apps.churn.service.database import ChurnDatabase
from fastflow.kernel.http.problems import PROBLEM_RESPONSES


def build_router(database: ChurnDatabase) -> APIRouter:
    """All its operations."""
    router = APIRouter(tags=["churn"], responses=PROBLEM_RESPONSES)
    add_database(router, database)
    return router
