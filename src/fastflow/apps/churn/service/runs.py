"""Runs of experiments: starting them, looking at them, ending them. A job is a run; its id is the run's."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from fastflow.apps.churn.domain.document import Document
from fastflow.apps.churn.domain.experiment import PROCESSING, Experiment
from fastflow.apps.churn.domain.experiment_rows import with_experiment
from fastflow.apps.churn.domain.jobs import (
    CF,
    CHURN,
    COX,
    PIPELINES,
    Ask,
    check_ask,
    current_run,
    find_results,
)
from fastflow.apps.churn.domain.problem import Refused
from fastflow.apps.churn.errors import (
    DatabaseMoved,
    ExperimentBusy,
    JobNotFound,
    JobRefused,
    NeedsChurn,
)
from fastflow.apps.churn.ports import ChurnStore, JobRun, JobRuns, Note, WritePanel
from fastflow.apps.churn.service.database import GUARDED_BY
from fastflow.apps.churn.service.experiments import found_experiment
from fastflow.kit.clock import Clock
from fastflow.kit.identity import Actor, Role
from fastflow.kit.words import counted

_MODEL = ("model.onnx", "feature_contract.json")
_LOOKED_AT = 200
Find = Callable[[Document], Experiment]
Begun = Callable[[Document, JobRun], Experiment]


@dataclass(frozen=True, kw_only=True)
class Job:
    """A run of an experiment."""

    run: JobRun
    experiment_id: int

    @property
    def phase(self) -> str | None:
        """What it does at present, in the pipeline's words."""
        return None if self.run.progress is None else self.run.progress.get("step")

    @property
    def step(self) -> int | None:
        """The number of the phase it is in, from 1; phases are equal shares of the progress."""
        told = self.run.progress or {}
        share, total = told.get("progress"), told.get("total")
        if not isinstance(share, int | float) or not isinstance(total, int) or total < 1:
            return None
        return min(total, round(share * total) + 1)

    def remaining_seconds(self, now: datetime) -> float | None:
        """How long it will still take if it goes on as so far; None: nobody can know yet."""
        run, share = self.run, (self.run.progress or {}).get("progress")
        if run.finished_at is not None or run.started_at is None or not isinstance(share, int | float) or share <= 0:
            return None
        return (now - run.started_at).total_seconds() * (1 - share) / share


class ChurnRuns:
    """The use cases.

    Args:
        store: the churn database.
        runs: the kernel's runs of the shipped pipelines.
        write_panel: writes the panel of files for a run.
        clock: tells the time.
    """

    def __init__(self, store: ChurnStore, runs: JobRuns, write_panel: WritePanel, clock: Clock) -> None:
        self._store = store
        self._runs = runs
        self._write_panel = write_panel
        self._clock = clock

    def start(self, experiment_id: int, ask: Ask, *, actor: Actor) -> Job:
        """Start a run of the experiment, after everything about it was checked.

        Raises:
            Forbidden, ExperimentNotFound, JobRefused, NeedsChurn, ExperimentBusy: nothing was started.
            Others: the data cannot be written, or the run not be submitted; nothing was started.
        """
        experiment = self.check(experiment_id, ask, actor=actor)

        def begun(document: Document, run: JobRun) -> Experiment:
            present = self.startable(document, experiment_id).moved(PROCESSING, at=self._now())
            return replace(present, chain=None).with_runs({ask.pipeline: run.id})

        return self._submit(experiment, ask, lambda document: self.startable(document, experiment_id), begun, actor)

    def start_step(self, experiment: Experiment, present: Find, *, actor: Actor) -> Job:
        """Start the run of the step that the experiment's chain is at; asks for no right, as that was done before.

        Args:
            experiment: that chain's.
            present: finds it in the document; raises when it is at that step no more.
            actor: who asked for the chain.

        Raises:
            NeedsChurn, DatabaseMoved: nothing was started.
            Others: as of `start`; the same run is taken when it is tried again.
        """
        chain, step = experiment.chain, experiment.step
        assert chain is not None
        assert step is not None

        def begun(document: Document, run: JobRun) -> Experiment:
            found = replace(present(document), chain=chain.begun(run.id), updated_at=self._now())
            return found.with_runs({step.name: run.id})

        ask, key = Ask(pipeline=step.name, windows={}), f"churn-chain:{chain.chain_id}:{step.name}"
        return self._submit(experiment, ask, present, begun, actor, key)

    def _submit(
        self, experiment: Experiment, ask: Ask, find: Find, begun: Begun, actor: Actor, key: str | None = None
    ) -> Job:
        number = experiment.experiment_id
        inputs = self._runs.keep(self._filler(experiment, ask))
        started: list[JobRun] = []

        def edit(document: Document) -> tuple[Document, Note]:
            present = find(document)
            if present.content() != experiment.content():
                raise DatabaseMoved(f"The experiment {number} was changed just now.")
            run = self._runs.submit(ask.pipeline, ask.params(present), inputs, actor=actor, key=key)
            started.append(run)
            return with_experiment(document, begun(document, run)), Note(
                actor=actor,
                action="churn_experiment.run",
                subject=f"churn_experiment:{number}",
                detail={"pipeline": ask.pipeline, "run_id": run.id},
            )

        try:
            self._store.change(edit)
        except BaseException:
            for run in started if key is None else ():  # nobody would take its results in
                self._runs.cancel(run.id, actor=actor, reason="the experiment could not be saved")
            raise
        return Job(run=started[0], experiment_id=number)

    def check(self, experiment_id: int, ask: Ask, *, actor: Actor) -> Experiment:
        """Everything that can be wrong before a run is started.

        Raises:
            Forbidden, ExperimentNotFound, JobRefused, NeedsChurn, ExperimentBusy.
        """
        actor.require_pipeline(GUARDED_BY, Role.OPERATOR)
        experiment = self.startable(self._store.read(), experiment_id)
        try:
            check_ask(ask, experiment)
        except Refused as error:
            raise _refusal(error, ask) from error
        if not experiment.id_files:
            raise JobRefused(
                f"The experiment {experiment_id} names no file: there is nothing to compute it on.",
                hint="Take data in with `fastflow churn ingest`, then name the file in id_files.",
                fields={"id_files": "is empty"},
            )
        if ask.pipeline == CF:
            self._churn_artifacts(experiment_id, needed=True)
        return experiment

    def startable(self, document: Document, experiment_id: int) -> Experiment:
        """The experiment, which nothing computes.

        Raises:
            ExperimentNotFound, ExperimentBusy.
        """
        experiment = found_experiment(document, experiment_id)
        if experiment.status == PROCESSING:
            raise self._busy(experiment)
        return experiment

    def _busy(self, experiment: Experiment) -> ExperimentBusy:
        run_id = current_run(experiment)
        run = None if run_id is None else self._runs.find_last(run_id)
        if run is None:
            return ExperimentBusy(f"The experiment {experiment.experiment_id} is being computed.")
        return ExperimentBusy(
            f"The run {run.id} of {run.pipeline_name}, which {run.submitted_by} started at "
            f"{run.queued_at:%Y-%m-%d %H:%M:%S} UTC, computes the experiment {experiment.experiment_id}.",
            extra={"run_id": run.id, "submitted_by": run.submitted_by, "started_at": run.queued_at.isoformat()},
        )

    def now(self) -> datetime:
        """The time, to which what a job still takes is counted."""
        return self._clock.now()

    def _now(self) -> str:
        return self._clock.now().isoformat(timespec="microseconds")

    # -- inputs -----------------------------------------------------------------------------------------------------------

    def _filler(self, experiment: Experiment, ask: Ask) -> Callable[[Path], None]:
        def fill(folder: Path) -> None:
            told = json.dumps(ask.described(_bare(experiment)), ensure_ascii=False, indent=1, sort_keys=True)
            (folder / "experiment.json").write_text(told + "\n", encoding="utf-8")
            self._write_panel(experiment.id_files, folder)
            if ask.pipeline in (COX, CF):
                found = self._churn_artifacts(experiment.experiment_id, needed=ask.pipeline == CF)
                if found is not None:
                    self._runs.lay(found.id, folder / "churn")

        return fill

    def _churn_artifacts(self, experiment_id: int, *, needed: bool) -> JobRun | None:
        """The run with the model whose results are in the tables."""
        record = find_results(self._store.read(), experiment_id, CHURN)
        if record is None:
            if needed:
                raise NeedsChurn(f"The experiment {experiment_id} has no results of churn yet.")
            return None
        run = self._runs.find(str(record["run_id"]))
        if run is None or not all((self._runs.artifacts(run.id) / name).is_file() for name in _MODEL):
            if needed:
                raise NeedsChurn(f"The model of the run {record['run_id']} is not here any more.")
            return None
        return run

    # -- jobs -------------------------------------------------------------------------------------------------------------

    def find(self, job_id: str, *, actor: Actor) -> Job:
        """One job.

        Raises:
            Forbidden, JobNotFound.
        """
        actor.require_pipeline(GUARDED_BY)
        return self._found(job_id)

    def list(
        self, *, actor: Actor, experiment_id: int | None = None, active: bool = False, limit: int
    ) -> Sequence[Job]:
        """The newest jobs, of one experiment or of all."""
        actor.require_pipeline(GUARDED_BY)
        found = [run for name in PIPELINES for run in self._runs.list(name, limit=_LOOKED_AT)]
        jobs = [job for job in map(_job_of, found) if job is not None]
        wanted = [
            job
            for job in jobs
            if experiment_id in (None, job.experiment_id) and not (active and job.run.finished_at is not None)
        ]
        return sorted(wanted, key=lambda job: job.run.id, reverse=True)[:limit]

    def reports(self, experiment_id: int, *, actor: Actor) -> Sequence[Mapping[str, Any]]:
        """What the runs of an experiment told whose results are in the tables: one record per pipeline.

        Raises:
            Forbidden, ExperimentNotFound.
        """
        actor.require_pipeline(GUARDED_BY)
        document = self._store.read()
        found_experiment(document, experiment_id)
        return [record for name in PIPELINES if (record := find_results(document, experiment_id, name)) is not None]

    def cancel(self, job_id: str, *, actor: Actor, reason: str | None = None) -> Job:
        """End a job with every process of it; its experiment becomes failed with who did it, as soon as it has ended.

        Raises:
            Forbidden, JobNotFound, RunEnded.
        """
        actor.require_pipeline(GUARDED_BY, Role.OPERATOR)
        job = self._found(job_id)
        return Job(run=self._runs.cancel(job.run.id, actor=actor, reason=reason), experiment_id=job.experiment_id)

    def _found(self, job_id: str) -> Job:
        run = self._runs.find(job_id)
        job = None if run is None else _job_of(run)
        if job is None:
            raise JobNotFound(f"There is no job {job_id[:80]!r}.", fields={"job_id": "there is no such job"})
        return job


def _job_of(run: JobRun) -> Job | None:
    """The job; None of a run that is none of an experiment, such as that of a pipeline that has taken a shipped one's place."""
    number: Any = run.params.get("EXPERIMENT_ID")
    is_ours = run.pipeline_name in PIPELINES and run.capsule.get("inputs") is not None and isinstance(number, int)
    return Job(run=run, experiment_id=number) if is_ours else None


def _bare(experiment: Experiment) -> Experiment:
    """The experiment as far as a run computes it: equal definitions give equal inputs."""
    bare = replace(experiment, status="processing", reason="", runs={}, chain=None)
    return replace(bare, created_at="", updated_at="", processed_at="")


def _refusal(error: Refused, ask: Ask) -> JobRefused:
    fields = {one.field: str(one) for one in error.problems}
    return JobRefused(
        f"The run of {ask.pipeline} is not started, {counted(len(error.problems), 'problem')}: "
        f"{'; '.join(f'{one.field}: {one.problem}' for one in error.problems)}.",
        fields=fields,
    )
