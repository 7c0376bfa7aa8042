"""Results of ended runs, taken in once: into the tables, or as the reason why the experiment failed.

What is under way is in the database alone: an experiment that is `processing`, and the run that it names. So this goes on
where it was, whatever process ended when, and doing it twice is doing it once.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from fastflow.apps.churn.domain.chain import WAITING
from fastflow.apps.churn.domain.described import describe_column, describe_table
from fastflow.apps.churn.domain.document import Column, Document, Segment, Table
from fastflow.apps.churn.domain.experiment import FAILED, PROCESSED, PROCESSING, Experiment
from fastflow.apps.churn.domain.experiment_rows import (
    KEY,
    experiments_in,
    find_experiment,
    with_experiment,
    without_rows,
)
from fastflow.apps.churn.domain.jobs import current_run, find_results, results_table, source_of, stale
from fastflow.apps.churn.domain.tables import RESULTS
from fastflow.apps.churn.errors import ResultsDamaged
from fastflow.apps.churn.ports import ChurnStore, Edit, JobRun, JobRuns, LeftResults, LeftTable, Note, ResultReader
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError
from fastflow.kit.identity import SYSTEM

logger = logging.getLogger(__name__)
_LONGEST_REASON = 1000


class _NotOurs(Exception):
    """The experiment waits for that run no more."""


class TakingIn:
    """Looks at the runs of experiments that are being computed.

    Args:
        store: the churn database.
        runs: the kernel's runs of the shipped pipelines.
        reader: reads what they left.
        go_on: takes the step that an experiment's chain waits for; answers whether it did.
        clock: tells the time.
    """

    def __init__(
        self,
        store: ChurnStore,
        runs: JobRuns,
        reader: ResultReader,
        go_on: Callable[[Experiment], bool],
        clock: Clock,
    ) -> None:
        self._store = store
        self._runs = runs
        self._reader = reader
        self._go_on = go_on
        self._clock = clock

    def look(self) -> Sequence[int]:
        """Take in what has ended on this server; answers the numbers of the experiments concerned. One that cannot be
        saved now, as the disk is full, is tried again at the next look."""
        done = []
        for experiment in experiments_in(self._store.read()):
            if experiment.status != PROCESSING:
                continue
            try:
                if self._settle(experiment):
                    done.append(experiment.experiment_id)
            except FastFlowError as error:
                fields = {"experiment_id": experiment.experiment_id, "error": error.message}
                logger.warning("churn.not_taken_in", extra={"fields": fields})
        return done

    def _settle(self, experiment: Experiment) -> bool:
        """Whether the experiment's run has ended and was dealt with."""
        if experiment.step is not None and experiment.step.status == WAITING:
            return self._go_on(experiment)
        run_id = current_run(experiment)
        run = None if run_id is None else self._runs.find_last(run_id)
        if run is None:
            return self._fail(experiment, None, "The run that computed it is not known any more: start it again.")
        if run.finished_at is None or not self._runs.is_here(run.host):
            return False
        if run.status != "SUCCESS":
            return self._fail(experiment, run, self._why(run))
        try:
            with self._store.staging() as staging:
                left = self._reader.read(self._runs.artifacts(run.id), experiment.experiment_id, staging)
                return self._keep(experiment, run, left)
        except ResultsDamaged as error:
            return self._fail(experiment, run, f"The results of the run {run.id} were not taken in: {error.message}")

    def _why(self, run: JobRun) -> str:
        """What the script said when it refused, else how the run ended."""
        said = [line for line in self._runs.last_words(run.id) if line.strip()] if run.reason == "exit" else []
        return (said[-1] if said else run.reason_text or f"The run {run.id} failed.")[:_LONGEST_REASON]

    def _fail(self, experiment: Experiment, run: JobRun | None, reason: str) -> bool:
        def edit(document: Document) -> tuple[Document, Note]:
            present = self._waiting(document, experiment)
            told = _still_there(document, present, run, reason)
            after = present.moved(FAILED, at=self._now(), reason=told)
            if run is not None:
                after = after.with_runs({run.pipeline_name: run.id})
            return with_experiment(document, after), _note(after, run, reason=told)

        return self._change(edit, ())

    def _keep(self, experiment: Experiment, run: JobRun, left: LeftResults) -> bool:
        def edit(document: Document) -> tuple[Document, Note]:
            present = self._waiting(document, experiment)
            after = _taken_in(present, run, self._now())
            kept = with_results(document, present.experiment_id, run, left, self._now())
            rows = sum(table.rows for table in left.tables)
            return with_experiment(kept, after), _note(after, run, tables=len(left.tables), rows=rows)

        return self._change(edit, [table.path for table in left.tables if table.path is not None])

    def _change(self, edit: Edit, staged: Sequence[Path]) -> bool:
        try:
            self._store.change(edit, staged)
        except _NotOurs:
            return False
        return True

    @staticmethod
    def _waiting(document: Document, experiment: Experiment) -> Experiment:
        """The experiment, which still waits for that run."""
        present = find_experiment(document, experiment.experiment_id)
        if present is None or present.status != PROCESSING or current_run(present) != current_run(experiment):
            raise _NotOurs
        return present

    def _now(self) -> str:
        return self._clock.now().isoformat(timespec="microseconds")


def _still_there(document: Document, experiment: Experiment, run: JobRun | None, reason: str) -> str:
    """The reason, and that the results of an earlier run of that pipeline are as they were, where there are any."""
    record = None if run is None else find_results(document, experiment.experiment_id, run.pipeline_name)
    return (
        reason
        if record is None
        else f"{reason.rstrip('.')}. The results of the run {record['run_id']} are still there."
    )


def _taken_in(present: Experiment, run: JobRun, at: str) -> Experiment:
    """The experiment with the run's results: processed, unless its chain goes on."""
    known = present.with_runs({run.pipeline_name: run.id})
    if known.chain is not None:
        known = replace(known, chain=known.chain.done(run.id))
    return known.moved(PROCESSED, at=at) if known.step is None else replace(known, updated_at=at)


def with_results(document: Document, experiment_id: int, run: JobRun, left: LeftResults, at: str) -> Document:
    """The document with a run's results in the place of the experiment's earlier ones of that pipeline."""
    gone = stale(run.pipeline_name)
    sources = {source_of(pipeline) for pipeline in gone}
    names = {name for name, table in document.tables.items() if table.source in sources}
    after = without_rows(document, experiment_id, [*names, *(table.name for table in left.tables)])
    for table in left.tables:
        after = _with_table(after, experiment_id, run.pipeline_name, table)
    record = {
        KEY: experiment_id,
        "pipeline": run.pipeline_name,
        "run_id": run.id,
        "taken_in_at": at,
        "report": dict(left.report),
        "files": dict(left.files),
    }
    known = after if RESULTS in after.tables else after.with_table(RESULTS, results_table())
    others = [each for each in known.records(RESULTS) if each[KEY] != experiment_id or each["pipeline"] not in gone]
    return known.with_records(RESULTS, [*others, record])


def _with_table(document: Document, experiment_id: int, pipeline: str, left: LeftTable) -> Document:
    is_large = left.path is not None
    known = document.tables.get(left.name)
    if known is None or (known.segments is not None) != is_large:
        known = Table(
            description=describe_table(left.name) or f"Results of the pipeline {pipeline}.",
            source=source_of(pipeline),
            records=None if is_large else (),
            segments=() if is_large else None,
        )
    added = {
        name: Column(kind, describe_column(left.name, name))
        for name, kind in left.columns.items()
        if name not in known.columns
    }
    columns = {**known.columns, **added}
    table = replace(known, columns=columns)
    if left.path is None:
        return document.with_table(left.name, replace(table, records=(*(table.records or ()), *left.records)))
    segment = Segment(sha256=left.path.stem, rows=left.rows, size=left.size, belongs={KEY: experiment_id})
    return document.with_table(left.name, replace(table, segments=(*(table.segments or ()), segment)))


def _note(experiment: Experiment, run: JobRun | None, **detail: object) -> Note:
    told = {"status": experiment.status, "run_id": None if run is None else run.id, **detail}
    return Note(
        actor=SYSTEM,
        action=f"churn_experiment.{experiment.status}",
        subject=f"churn_experiment:{experiment.experiment_id}",
        detail=told,
    )
