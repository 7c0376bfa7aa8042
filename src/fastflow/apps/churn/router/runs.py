"""`/run/…`, `/experiments/{id}/run` and `/jobs`: experiments being computed."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from fastflow.apps.churn.domain.chain import WAITING, WHOLE
from fastflow.apps.churn.domain.jobs import ALL, Ask
from fastflow.apps.churn.router.experiments import ExperimentId
from fastflow.apps.churn.schemas_experiments import ExperimentOut
from fastflow.apps.churn.schemas_runs import (
    CfRunIn,
    ChurnRunIn,
    CoxRunIn,
    ExperimentRunIn,
    JobOut,
    JobsOut,
    ReportOut,
    StartedOut,
)
from fastflow.apps.churn.service.chains import Chains
from fastflow.apps.churn.service.runs import ChurnRuns
from fastflow.kernel.http.access import Operator, Viewer
from fastflow.kernel.http.params import Text
from fastflow.kit.identity import Actor

JobId = Annotated[str, Path(max_length=100, description="The job's id, which is its run's.")]


def add_runs(router: APIRouter, runs: ChurnRuns, chains: Chains) -> None:
    """The operations: looking needs the role viewer, everything else operator, on the pipeline `churn`."""
    _add_starts(router, runs, chains)

    @router.get("/jobs")
    def list_jobs(
        actor: Viewer,
        experiment_id: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Only this one's.")] = None,
        active: Annotated[bool, Query(description="Only those that have not ended.")] = False,
        limit: Annotated[int, Query(ge=1, le=200, description="At most so many.")] = 50,
    ) -> JobsOut:
        """The newest runs of experiments, each with its phase."""
        found = runs.list(actor=actor, experiment_id=experiment_id, active=active, limit=limit)
        return JobsOut(items=[JobOut.of(job, runs.now()) for job in found])

    @router.get("/jobs/{job_id}")
    def get_job(actor: Viewer, job_id: JobId) -> JobOut:
        """One of them."""
        return JobOut.of(runs.find(job_id, actor=actor), runs.now())

    @router.get("/experiments/{experiment_id}/results")
    def get_results(actor: Viewer, experiment_id: ExperimentId) -> ReportOut:
        """What its runs found: for each pipeline the report of the run whose results are in the tables."""
        return ReportOut.of(runs.reports(experiment_id, actor=actor))

    @router.delete("/jobs/{job_id}", status_code=202)
    def cancel_job(
        actor: Operator,
        job_id: JobId,
        reason: Annotated[Text | None, Query(description="Told in the log, and with the experiment.")] = None,
    ) -> JobOut:
        """End it with every process of it; the experiment becomes failed, and says who did it."""
        return JobOut.of(runs.cancel(job_id, actor=actor, reason=reason), runs.now())


def _add_starts(router: APIRouter, runs: ChurnRuns, chains: Chains) -> None:
    def start(actor: Actor, experiment_id: int, ask: Ask) -> StartedOut:
        job = runs.start(experiment_id, ask, actor=actor)
        message = f"The run {job.run.id} of {ask.pipeline} computes the experiment {experiment_id}."
        return StartedOut(job_id=job.run.id, status=str(job.run.status), message=message)

    @router.post("/run/churn", status_code=202)
    def run_churn(actor: Operator, body: ChurnRunIn) -> StartedOut:
        """Run the backtest of an experiment. Months other than the experiment's are refused, never silently left out."""
        return start(actor, body.experiment_id, body.ask())

    @router.post("/run/cox", status_code=202)
    def run_cox(actor: Operator, body: CoxRunIn) -> StartedOut:
        """Run the survival analysis of an experiment; a cutoff given here holds for this run alone."""
        return start(actor, body.experiment_id, body.ask())

    @router.post("/run/cf", status_code=202)
    def run_cf(actor: Operator, body: CfRunIn) -> StartedOut:
        """Search counterfactuals on the model of the experiment's last churn run."""
        return start(actor, body.experiment_id, body.ask())

    @router.post("/experiments/{experiment_id}/run", status_code=202)
    def run_experiment(actor: Operator, experiment_id: ExperimentId, body: ExperimentRunIn) -> StartedOut:
        """Run one of its pipelines, or all steps one after the other, or only check whether it could be run."""
        ask = body.ask()
        if body.test:
            runs.check(experiment_id, ask, actor=actor)
            return StartedOut(job_id=None, status="checked", message="Nothing speaks against it; nothing was started.")
        if ask.pipeline != ALL:
            return start(actor, experiment_id, ask)
        chains.start(experiment_id, ask, actor=actor)
        message = f"The experiment {experiment_id} is computed whole: {', '.join(WHOLE)}."
        return StartedOut(job_id=None, status=WAITING, message=message)

    @router.delete("/experiments/{experiment_id}/chain", status_code=202)
    def cancel_chain(
        actor: Operator,
        experiment_id: ExperimentId,
        reason: Annotated[Text | None, Query(description="Told in the log, and with the experiment.")] = None,
    ) -> ExperimentOut:
        """End all of its steps, with every process of the run that is under way; the experiment becomes failed."""
        return ExperimentOut.of(chains.cancel(experiment_id, actor=actor, reason=reason))
