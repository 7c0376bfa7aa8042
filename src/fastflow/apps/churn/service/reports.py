"""What an experiment found, gathered out of the database for its report. Viewers read it."""

from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any

from fastflow.apps.churn.domain.document import Document
from fastflow.apps.churn.domain.experiment import Experiment
from fastflow.apps.churn.domain.experiment_rows import KEY, segments_of
from fastflow.apps.churn.domain.files import read_file_record
from fastflow.apps.churn.domain.findings import ALTERNATIVES, CHANGES, TABLES, TOPS, Findings, Row
from fastflow.apps.churn.domain.provenance import Computed, Provenance, Written, provenance_of, told_window
from fastflow.apps.churn.domain.tables import FILES, RESULTS
from fastflow.apps.churn.errors import EngineFailed, SqlRefused
from fastflow.apps.churn.ports import ChurnStore, Pick, PickEngine
from fastflow.apps.churn.service.experiments import Experiments
from fastflow.kit.clock import Clock
from fastflow.kit.errors import CapacityExceeded
from fastflow.kit.identity import Actor

_KEPT = 8


class Reports:
    """The use case.

    Args:
        experiments: finds the experiment, for those who may see it.
        store: the churn database.
        engine: reads tables with a row per customer.
        scores: how the list of contacts of an experiment did.
        clock: tells the time.
        version: of the product.
    """

    def __init__(
        self,
        experiments: Experiments,
        store: ChurnStore,
        engine: PickEngine,
        scores: Callable[[int], Sequence[Row]],
        *,
        clock: Clock,
        version: str,
    ) -> None:
        self._experiments = experiments
        self._store = store
        self._engine = engine
        self._scores = scores
        self._clock = clock
        self._version = version
        self._known: dict[tuple[int, int], Findings] = {}
        self._lock = Lock()

    def find(self, experiment_id: int, *, actor: Actor) -> Findings:
        """What its pipelines left; before the first has ended, nothing.

        Raises:
            Forbidden, ExperimentNotFound, DatabaseDamaged, EngineFailed
        """
        experiment = self._experiments.find(experiment_id, actor=actor)
        document = self._store.read()
        key = (document.revision, experiment_id)
        with self._lock:
            known = self._known.get(key)
        if known is not None:
            return known
        found = self._gather(document, experiment)
        with self._lock:
            while len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[key] = found
        return found

    def written(self, *, actor: Actor) -> Written:
        """What a report says of its own making when it is handed to them now."""
        return Written(on=self._clock.now().date().isoformat(), by=actor.name, version=self._version)

    def _gather(self, document: Document, experiment: Experiment) -> Findings:
        number = experiment.experiment_id
        reports: dict[str, Mapping[str, Any]] = {
            str(row["pipeline"]): row["report"] for row in document.records(RESULTS) if row[KEY] == number
        }
        whole = [name for pipeline in reports for name in TABLES.get(pipeline, ())]
        tables: dict[str, Sequence[Row]] = {
            name: [row for row in document.records(name) if row[KEY] == number] for name in whole
        }
        tables |= self._tops(document, number, reports)
        scores, unscored = self._scored(number)
        return Findings(
            scores=scores,
            unscored=unscored,
            name=experiment.experiment_name,
            about=f"#{number} · {told_window(experiment.training)} → {told_window(experiment.backtest)} · {experiment.model_type}",
            provenance=_provenance(document, experiment),
            reports=reports,
            tables=tables,
            changes=self._of_customers(document, number, CHANGES, tables.get("cf_individual", ())),
            alternatives=self._of_customers(document, number, ALTERNATIVES, tables.get("cf_individual", ())),
        )

    def _scored(self, number: int) -> tuple[Sequence[Row], str]:
        """The scores; else why there are none now: the rest of a report does not wait for them."""
        try:
            return self._scores(number), ""
        except (SqlRefused, CapacityExceeded, EngineFailed) as error:
            return (), error.message

    def _tops(self, document: Document, number: int, reports: Mapping[str, Any]) -> Mapping[str, Sequence[Row]]:
        picks = {
            name: Pick(path=self._store.segment(segments[0].sha256), by=by, most=most)
            for name, (pipeline, by, most) in TOPS.items()
            if pipeline in reports and (segments := segments_of(document, name, number))
        }
        if not picks:
            return {}
        return dict(zip(picks, self._engine.pick_rows(list(picks.values())), strict=True))

    def _of_customers(
        self, document: Document, number: int, table: str, shown: Sequence[Row]
    ) -> Mapping[str, Sequence[Row]]:
        segments = segments_of(document, table, number)
        if not segments or not shown:
            return {}
        customers = [str(row["Kunde"]) for row in shown]
        (rows,) = self._engine.pick_rows([Pick(path=self._store.segment(segments[0].sha256), customers=customers)])
        found: dict[str, list[Row]] = {}
        for row in rows:
            found.setdefault(str(row["Kunde"]), []).append(row)
        return found


def _provenance(document: Document, experiment: Experiment) -> Provenance:
    runs = {
        str(row["pipeline"]): Computed(
            pipeline=str(row["pipeline"]), run_id=str(row["run_id"]), at=str(row["taken_in_at"])
        )
        for row in document.records(RESULTS)
        if row[KEY] == experiment.experiment_id
    }
    files = [read_file_record(row) for row in document.records(FILES)]
    return provenance_of(experiment, files, [runs[name] for name in TABLES if name in runs])
