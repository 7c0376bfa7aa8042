"""`/pipelines`: what there is and what is wrong with it. Submitting a run belongs to the runs."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path

from fastflow.kernel.environments.service import EnvironmentService
from fastflow.kernel.http.access import Viewer
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.pipelines.schemas import CheckOut, PipelineDetail, PipelineList
from fastflow.kernel.pipelines.service import PipelineCatalog, WarmUp

PipelineName = Annotated[str, Path(description="The pipeline's name.", examples=["daily-report"])]


def build_router(
    catalog: PipelineCatalog,
    environments: EnvironmentService,
    *,
    is_elsewhere: Callable[[Pipeline], bool] = lambda _pipeline: False,
) -> APIRouter:
    """The reading operations on pipelines.

    Args:
        catalog: the pipelines.
        environments: their environments.
        is_elsewhere: see `WarmUp`.
    """
    # asked how far environments are, not told to build them
    warm_up = WarmUp(catalog, environments, is_elsewhere=is_elsewhere)
    router = APIRouter(tags=["pipelines"], responses=PROBLEM_RESPONSES)

    @router.get("/pipelines")
    def list_pipelines(actor: Viewer) -> PipelineList:
        """Every pipeline in PIPELINES_DIR and of repositories, by name, then those that workbenches ship; a broken one is
        listed with its faults and hides no other."""
        pipelines = [pipeline for pipeline in catalog.list_all() if actor.may_touch(pipeline.name)]
        catalog.remember(pipelines)
        return PipelineList.of(pipelines, catalog.memories(), warm_up.states(pipelines))

    @router.get("/pipelines/{name}")
    def get_pipeline(actor: Viewer, name: PipelineName) -> PipelineDetail:
        """One pipeline with its settings, its parameters' schema and its faults."""
        actor.require_pipeline(name)
        pipeline = catalog.look_at(name)
        catalog.remember([pipeline])
        return PipelineDetail.of(pipeline, catalog.memories().get(name), warm_up.states([pipeline]).get(name))

    @router.get("/pipelines/{name}/check")
    def check_pipeline(actor: Viewer, name: PipelineName) -> CheckOut:
        """What is wrong with one pipeline: each fault with file, line and remedy."""
        actor.require_pipeline(name)
        return CheckOut.of(catalog.look_at(name))

    return router
