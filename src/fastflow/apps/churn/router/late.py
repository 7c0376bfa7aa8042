"""`/experiments/{id}/late`."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from fastflow.apps.churn.schemas_late import LateOut
from fastflow.apps.churn.service.late import LateRows
from fastflow.kernel.http.access import Viewer


def add_late(router: APIRouter, late: LateRows) -> None:
    """The operation: it needs the role viewer on the pipeline `churn`."""

    @router.get("/experiments/{experiment_id}/late")
    def list_late_rows(
        actor: Viewer,
        experiment_id: Annotated[int, Path(ge=1, le=2**31 - 1, description="The experiment's number.")],
        limit: Annotated[int, Query(ge=0, le=1000, description="How many rows at most.")] = 50,
    ) -> LateOut:
        """Rows that arrived after the experiment's data, or have other values since: counted by file and month, the first told."""
        return LateOut.of(late.find(experiment_id, limit=limit, actor=actor))
