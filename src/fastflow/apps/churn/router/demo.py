"""`/churn/demo`: the workbench tried on example data."""

from fastapi import APIRouter

from fastflow.apps.churn.schemas_runs import DemoOut
from fastflow.apps.churn.service.demo import Demo
from fastflow.kernel.http.access import Operator


def add_demo(router: APIRouter, demo: Demo) -> None:
    """The operation: it needs the role operator on the pipeline `churn`."""

    @router.post("/churn/demo", status_code=202)
    def start_demo(actor: Operator) -> DemoOut:
        """Take a small drawn panel in, make an experiment on it, and compute all of it; again, the same one."""
        return DemoOut.of(demo.start(actor=actor))
