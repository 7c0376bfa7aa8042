"""Materialising: the customers of an experiment in tables of its own, and the view that joins them over all experiments.

What the classifier says is taken as it is: the same segments under another name. What the survival analysis says gets
its risk by name, and becomes a segment of its own.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastflow.apps.churn.domain.document import Document, Segment
from fastflow.apps.churn.domain.experiment import Experiment
from fastflow.apps.churn.domain.experiment_rows import KEY, segments_of, with_experiment
from fastflow.apps.churn.domain.fusion import CHURN_ROWS, COX_ROWS, RISKS, VIEW, churn_table, cox_table, materialized
from fastflow.apps.churn.errors import NothingToMaterialize
from fastflow.apps.churn.ports import ChurnStore, Note, RiskEngine
from fastflow.apps.churn.service.database import GUARDED_BY
from fastflow.apps.churn.service.experiments import free_experiment
from fastflow.kit.identity import Actor, Role


@dataclass(frozen=True, kw_only=True)
class Materialized:
    """What there is afterwards.

    Attributes:
        experiment_id: whose customers.
        churn_table, cox_table: names of the tables.
        churn_rows, cox_rows: rows of them; 0: there is no such table, as its pipeline has not run.
        view: name of the view over all experiments.
    """

    experiment_id: int
    churn_table: str
    churn_rows: int
    cox_table: str
    cox_rows: int
    view: str


Find = Callable[[Document], Experiment]
Then = Callable[[Experiment], Experiment]


class Materializing:
    """The use case.

    Args:
        store: the churn database.
        engine: names risks.
    """

    def __init__(self, store: ChurnStore, engine: RiskEngine) -> None:
        self._store = store
        self._engine = engine

    def materialize(self, experiment_id: int, *, actor: Actor) -> Materialized:
        """Put the experiment's customers into tables of its own, in the place of earlier ones.

        Raises:
            Forbidden, ExperimentNotFound, ExperimentProcessing, NothingToMaterialize, EngineFailed, DatabaseBusy,
            DatabaseDamaged: nothing was changed.
        """
        actor.require_pipeline(GUARDED_BY, Role.OPERATOR)
        return self._make(experiment_id, lambda document: free_experiment(document, experiment_id), None, actor)

    def take_step(self, experiment_id: int, find: Find, then: Then, *, actor: Actor) -> Materialized:
        """The same as a step of a chain; asks for no right, as that was done before.

        Args:
            experiment_id: whose customers.
            find: finds the experiment, in each document; raises when it is at that step no more.
            then: what becomes of the experiment, in the same change.
            actor: who asked for the chain.
        """
        return self._make(experiment_id, find, then, actor)

    def _make(self, experiment_id: int, find: Find, then: Then | None, actor: Actor) -> Materialized:
        before = self._store.read()
        find(before)
        cox_before = segments_of(before, COX_ROWS, experiment_id)
        with self._store.staging() as folder:
            staged = self._named(folder, cox_before, experiment_id)
            done: list[Materialized] = []

            def edit(document: Document) -> tuple[Document, Note]:
                experiment = find(document)
                if segments_of(document, COX_ROWS, experiment_id) != cox_before:
                    raise NothingToMaterialize("The survival analysis was computed anew meanwhile.", hint="Try again.")
                churn, cox = segments_of(document, CHURN_ROWS, experiment_id), [segment for segment, _ in staged]
                if not churn and not cox:
                    raise NothingToMaterialize(f"The experiment {experiment_id} has no customers' results yet.")
                told = Materialized(
                    experiment_id=experiment_id,
                    churn_table=churn_table(experiment_id),
                    churn_rows=sum(one.rows for one in churn),
                    cox_table=cox_table(experiment_id),
                    cox_rows=sum(one.rows for one in cox),
                    view=VIEW,
                )
                done.append(told)
                note = Note(
                    actor=actor,
                    action="churn_experiment.materialize",
                    subject=f"churn_experiment:{experiment_id}",
                    detail={"name": experiment.experiment_name, "churn": told.churn_rows, "cox": told.cox_rows},
                )
                after = materialized(document, experiment_id, churn, cox)
                return (after if then is None else with_experiment(after, then(experiment))), note

            self._store.change(edit, [path for _, path in staged])
        return done[-1]

    def _named(self, folder: Path, cox: Sequence[Segment], experiment_id: int) -> Sequence[tuple[Segment, Path]]:
        """The survival analysis with risks by name, as a file that is a segment when it is taken over; none of none."""
        if not cox:
            return ()
        target = folder / "cox.parquet"
        rows = self._engine.name_risks([self._store.segment(one.sha256) for one in cox], target, RISKS)
        with target.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        path = target.rename(folder / f"{sha256}.parquet")
        return [(Segment(sha256=sha256, rows=rows, size=path.stat().st_size, belongs={KEY: experiment_id}), path)]
