"""Taking in what ended runs left: once, whatever happened, and never for another run."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fastflow.apps.churn.domain.demo import EXPERIMENT
from fastflow.apps.churn.domain.experiment import Experiment, define
from fastflow.apps.churn.domain.experiment_rows import find_experiment, rows_of, with_experiment
from fastflow.apps.churn.domain.jobs import find_results
from fastflow.apps.churn.errors import ResultsDamaged
from fastflow.apps.churn.infra.lock import DatabaseLock
from fastflow.apps.churn.infra.store import JsonStore
from fastflow.apps.churn.ports import LeftResults, LeftTable, Note
from fastflow.apps.churn.service.results import TakingIn
from fastflow.kit.identity import SYSTEM
from fastflow.testing.clock import FakeClock
from fastflow.ui.sentences import sentences_in


@dataclass
class _Run:
    id: str
    pipeline_name: str = "churn"
    status: str = "SUCCESS"
    reason: str | None = None
    reason_text: str | None = None
    submitted_by: str = "user:olga"
    params: Mapping[str, Any] = field(default_factory=dict)
    capsule: Mapping[str, Any] = field(default_factory=dict)
    progress: Mapping[str, Any] | None = None
    host: str | None = "here"
    retried_by: str | None = None
    queued_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    started_at: datetime | None = None
    finished_at: datetime | None = datetime(2026, 1, 1, tzinfo=UTC)


class _Runs:
    def __init__(self) -> None:
        self.runs: dict[str, _Run] = {}
        self.said: list[str] = []

    def find_last(self, run_id: str) -> _Run | None:
        run = self.runs.get(run_id)
        while run is not None and run.retried_by is not None:
            run = self.runs[run.retried_by]
        return run

    def is_here(self, host: str | None) -> bool:
        return host in (None, "here")

    def artifacts(self, run_id: str) -> Path:
        return Path(run_id)

    def last_words(self, _run_id: str) -> Sequence[str]:
        return self.said


class _Reader:
    def __init__(self) -> None:
        self.tables: list[str] = ["experiment_kpis"]
        self.problem = ""

    def read(self, folder: Path, experiment_id: int, _staging: Path) -> LeftResults:
        if self.problem:
            raise ResultsDamaged(self.problem)
        record = {"experiment_id": experiment_id, "run": str(folder)}
        tables = [LeftTable(name=name, columns={"run": "text"}, rows=1, records=[record]) for name in self.tables]
        return LeftResults(report={"experiment_id": experiment_id}, tables=tables, files={"model.onnx": "0" * 64})


def nothing_waits(experiment: Experiment) -> bool:
    raise AssertionError(f"the experiment {experiment.experiment_id} has no chain")


@dataclass
class Bench:
    store: JsonStore
    runs: _Runs
    reader: _Reader
    taking_in: TakingIn

    def processing(self, pipeline: str = "churn", run_id: str = "r1", **run: Any) -> None:
        """As a start leaves it."""
        if run is not None:
            self.runs.runs[run_id] = _Run(run_id, pipeline, **run)
        definition = define(EXPERIMENT)
        known = find_experiment(self.store.read(), 1)
        present = known or Experiment(experiment_id=1, **vars(definition))
        after = present.moved("processing", at="now").with_runs({pipeline: run_id})
        note = Note(actor=SYSTEM, action="test", subject="test")
        self.store.change(lambda document: (with_experiment(document, after), note))

    @property
    def experiment(self) -> Experiment:
        found = find_experiment(self.store.read(), 1)
        assert found is not None
        return found


@pytest.fixture
def bench(tmp_path: Path, clock: FakeClock) -> Bench:
    lock = DatabaseLock(tmp_path / "lock", host="h", clock=clock)
    store = JsonStore(tmp_path / "churn.json", lock=lock, audited=lambda _note: nullcontext(), clock=clock)
    runs, reader = _Runs(), _Reader()
    return Bench(store, runs, reader, TakingIn(store, runs, reader, nothing_waits, clock))  # type: ignore[arg-type]  # a test's own


def test_look_when_the_run_succeeded_then_results_are_there_once(bench: Bench) -> None:
    bench.processing()
    assert bench.taking_in.look() == [1]
    assert bench.experiment.status == "processed"
    revision = bench.store.read().revision
    assert bench.taking_in.look() == []
    assert bench.store.read().revision == revision
    assert rows_of(bench.store.read(), 1) == {"experiment_kpis": 1, "experiment_results": 1, "experiments": 1}


def test_look_when_it_ran_again_then_its_results_take_the_place_of_the_earlier_ones(bench: Bench) -> None:
    bench.reader.tables = ["experiment_kpis", "churn_lift"]
    bench.processing()
    bench.taking_in.look()
    bench.reader.tables = ["cf_individual"]
    bench.processing("cf", "r2")
    bench.taking_in.look()
    bench.reader.tables = ["experiment_kpis"]
    bench.processing("churn", "r3")
    bench.taking_in.look()
    document = bench.store.read()
    assert [record["run"] for record in document.records("experiment_kpis")] == ["r3"]
    assert (document.records("churn_lift"), document.records("cf_individual")) == ((), ())
    assert find_results(document, 1, "cf") is None
    record = find_results(document, 1, "churn")
    assert record is not None
    assert record["run_id"] == "r3"


@pytest.mark.parametrize(
    ("run", "said", "reason"),
    [
        ({"reason": "exit", "reason_text": "exited with 1"}, ["", "No customer churned. Take a longer window."], None),
        ({"reason": "exit", "reason_text": "exited with 1"}, [], "exited with 1"),
        ({"reason": "cancelled", "reason_text": "cancelled by user:olga"}, ["half a line"], "cancelled by user:olga"),
        ({"reason": "oom", "reason_text": "out of memory"}, ["loading"], "out of memory"),
    ],
)
def test_look_when_the_run_failed_then_the_experiment_says_why(
    bench: Bench, run: dict[str, Any], said: list[str], reason: str | None
) -> None:
    bench.processing(status="FAILED", **run)
    bench.runs.said = said
    assert bench.taking_in.look() == [1]
    assert (bench.experiment.status, bench.experiment.reason) == ("failed", reason or said[-1])


def test_look_when_what_it_left_is_damaged_then_failed_with_the_reason_and_no_row(bench: Bench) -> None:
    bench.processing()
    bench.reader.problem = "report.json is no JSON."
    bench.taking_in.look()
    assert bench.experiment.status == "failed"
    assert bench.experiment.reason.endswith("were not taken in: report.json is no JSON.")
    assert rows_of(bench.store.read(), 1) == {"experiments": 1}


def test_look_when_it_still_runs_or_ran_elsewhere_then_left_alone(bench: Bench) -> None:
    bench.processing(finished_at=None)
    assert bench.taking_in.look() == []
    bench.runs.runs["r1"] = _Run("r1", host="another")
    assert bench.taking_in.look() == []
    assert bench.experiment.status == "processing"


def test_look_when_it_was_tried_again_then_the_last_attempt_counts(bench: Bench) -> None:
    bench.processing(status="FAILED", retried_by="r2")
    bench.runs.runs["r2"] = _Run("r2")
    bench.taking_in.look()
    assert (bench.experiment.status, bench.experiment.runs) == ("processed", {"churn": "r2"})


def test_look_when_the_run_is_gone_then_failed_rather_than_processing_for_ever(bench: Bench) -> None:
    bench.processing()
    bench.runs.runs.clear()
    bench.taking_in.look()
    assert bench.experiment.status == "failed"
    assert "not known any more" in bench.experiment.reason


def test_look_when_it_was_cancelled_but_ran_before_then_the_experiment_says_that_the_results_are_still_there(
    bench: Bench,
) -> None:
    bench.processing()
    bench.taking_in.look()
    bench.processing("churn", "r2", status="FAILED", reason="cancelled", reason_text="cancelled by user:olga")
    bench.taking_in.look()
    assert bench.experiment.status == "failed"
    assert bench.experiment.reason == "cancelled by user:olga. The results of the run r1 are still there."
    german = sentences_in("de")
    assert german is not None
    assert german.translate(bench.experiment.reason) == (
        "abgebrochen von user:olga. Die Ergebnisse des Laufs r1 sind noch da."
    )
    assert rows_of(bench.store.read(), 1)["experiment_kpis"] == 1
