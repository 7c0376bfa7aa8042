"""`/experiments`: making them, changing them, and removing them with what hangs on them."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response

from fastflow.apps.churn.schemas_experiments import (
    ExperimentIn,
    ExperimentOut,
    ExperimentPage,
    OneExperimentOut,
    RemovalOut,
    ResetOut,
    WarnedExperimentOut,
)
from fastflow.apps.churn.service.experiments import ExperimentFilter, Experiments
from fastflow.kernel.http.access import Operator, Viewer
from fastflow.kernel.http.params import Cursor, Limit, Text
from fastflow.kit.pages import DEFAULT_PAGE_SIZE

ExperimentId = Annotated[int, Path(ge=1, le=2**31 - 1, description="The experiment's number.")]
Status = Literal["created", "processing", "processed", "failed"]
DryRun = Annotated[bool, Query(description="Only count the rows that would go.")]


def add_experiments(router: APIRouter, experiments: Experiments) -> None:
    """The operations: looking needs the role viewer, everything else operator, on the pipeline `churn`."""

    @router.get("/experiments")
    def list_experiments(
        actor: Viewer,
        status: Annotated[Status | None, Query(description="Only experiments with this status.")] = None,
        name: Annotated[Text | None, Query(description="Only experiments whose name contains this.")] = None,
        file_id: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Only those computed on it.")] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_PAGE_SIZE,
    ) -> ExperimentPage:
        """Experiments, newest first."""
        wanted = ExperimentFilter(status=status, name=name, file_id=file_id)
        return ExperimentPage.of(experiments.list(wanted, actor=actor, cursor=cursor, limit=limit))

    @router.post("/experiments", status_code=201)
    def create_experiment(actor: Operator, body: ExperimentIn, response: Response) -> WarnedExperimentOut:
        """A new experiment; one that differs from another in its name alone is refused with that one's number."""
        made = experiments.create(body.given(), actor=actor)
        response.headers["Location"] = f"/experiments/{made.experiment_id}"
        return WarnedExperimentOut.of_warned(made, experiments.warnings(made, actor=actor))

    @router.get("/experiments/{experiment_id}")
    def get_experiment(actor: Viewer, experiment_id: ExperimentId) -> OneExperimentOut:
        """One experiment, with the number of rows of its results."""
        found = experiments.find(experiment_id, actor=actor)
        results = experiments.results(experiment_id, actor=actor)
        return OneExperimentOut.of_one(found, experiments.warnings(found, actor=actor), results)

    @router.put("/experiments/{experiment_id}")
    def replace_experiment(actor: Operator, experiment_id: ExperimentId, body: ExperimentIn) -> WarnedExperimentOut:
        """Give the experiment a new form; what is left away takes its default. Once it was computed, only its name changes."""
        changed = experiments.change(experiment_id, body.given(), actor=actor)
        return WarnedExperimentOut.of_warned(changed, experiments.warnings(changed, actor=actor))

    @router.delete("/experiments/{experiment_id}")
    def delete_experiment(
        actor: Operator,
        experiment_id: ExperimentId,
        cascade: Annotated[
            bool, Query(description="Its results go as well; without it, one that has any stays.")
        ] = False,
        dry_run: DryRun = False,
    ) -> RemovalOut:
        """Remove the experiment and its results; files stay, and its number is not given again."""
        return RemovalOut.of(experiments.delete(experiment_id, actor=actor, cascade=cascade, dry_run=dry_run))

    @router.post("/experiments/{experiment_id}/reset")
    def reset_experiment(actor: Operator, experiment_id: ExperimentId, dry_run: DryRun = False) -> ResetOut:
        """Put it back to `created`, without its results."""
        found, removal = experiments.reset(experiment_id, actor=actor, dry_run=dry_run)
        return ResetOut(experiment=ExperimentOut.of(found), removed=RemovalOut.of(removal))
