"""What becomes of results: `/experiments/{id}/materialize`, `/experiments/{id}/outbox` and `/outbox/bundles…`."""

from typing import Literal

from fastapi import APIRouter

from fastflow.apps.churn.router.experiments import ExperimentId
from fastflow.apps.churn.schemas_experiments import BundleOut, BundlesOut, MaterializedOut
from fastflow.apps.churn.service.materializing import Materializing
from fastflow.apps.churn.service.outbox import ExperimentBundles
from fastflow.kernel.http.access import Operator, Viewer

Domain = Literal["churn", "cox", "counterfactuals"]


def add_outbox(router: APIRouter, bundles: ExperimentBundles, materializing: Materializing) -> None:
    """The operations: looking needs the role viewer, the others operator, on the pipeline `churn`."""

    @router.get("/outbox/bundles")
    def list_bundles(actor: Viewer) -> BundlesOut:
        """Bundles in the outbox, by domain and experiment."""
        return BundlesOut(items=[BundleOut.of(one, problem) for one, problem in bundles.list(actor=actor)])

    @router.post("/experiments/{experiment_id}/outbox")
    def export_experiment(actor: Operator, experiment_id: ExperimentId) -> BundlesOut:
        """Write the experiment's results as bundles, one for each domain, in the place of earlier ones."""
        made = bundles.export(experiment_id, actor=actor)
        return BundlesOut(items=[BundleOut.of(one) for one in made])

    @router.post("/outbox/bundles/{domain}/{experiment_id}/import")
    def import_bundle(actor: Operator, domain: Domain, experiment_id: ExperimentId) -> BundleOut:
        """Put a bundle's rows in the place of the experiment's rows of that domain; once or many times is the same.

        An experiment that was deleted is made again, with its number."""
        return BundleOut.of(bundles.load(domain, experiment_id, actor=actor))

    @router.post("/experiments/{experiment_id}/materialize")
    def materialize_experiment(actor: Operator, experiment_id: ExperimentId) -> MaterializedOut:
        """Put its customers into tables of its own, and refresh the view that joins those of all experiments."""
        return MaterializedOut.of(materializing.materialize(experiment_id, actor=actor))
