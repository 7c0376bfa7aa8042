"""`/environments`."""

from collections.abc import Callable, Collection
from typing import Annotated

from fastapi import APIRouter, Path

from fastflow.kernel.environments.schemas import CollectedOut, EnvironmentDetail, EnvironmentList, GarbageCollection
from fastflow.kernel.environments.service import EnvironmentService
from fastflow.kernel.http.access import Admin, Viewer
from fastflow.kernel.http.problems import PROBLEM_RESPONSES


def build_router(
    environments: EnvironmentService, *, in_use: Callable[[], Collection[str]], retention_days: float
) -> APIRouter:
    """The operations on environments.

    Args:
        environments: the service.
        in_use: hashes that must not be collected now, such as those of unfinished runs.
        retention_days: days without use when a collection names none.
    """
    router = APIRouter(tags=["environments"], responses=PROBLEM_RESPONSES)

    @router.get("/environments")
    def list_environments(_actor: Viewer) -> EnvironmentList:
        """The environments built on this machine, with their sizes; last used first."""
        return EnvironmentList.of(environments.list())

    @router.get("/environments/{hash}")
    def get_environment(
        _actor: Viewer, environment: Annotated[str, Path(alias="hash", description="64 hexadecimal digits.")]
    ) -> EnvironmentDetail:
        """One environment and the locked requirements it was built from."""
        return EnvironmentDetail.of(environments.card(environment))

    @router.post("/environments/gc")
    def collect_environments(actor: Admin, wanted: GarbageCollection) -> CollectedOut:
        """Remove the environments that were not used for so many days. Needs the role admin. A pipeline that asks for
        a removed one gets the same again, built from its remembered lock."""
        days = retention_days if wanted.unused_days is None else wanted.unused_days
        return CollectedOut.of(environments.collect_garbage(days, wanted.dry_run, in_use(), actor))

    return router
