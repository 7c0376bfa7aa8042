"""Experiments computed whole: which step comes when, whatever happens between two of them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fastflow.apps.churn.domain.demo import EXPERIMENT
from fastflow.apps.churn.domain.document import Document
from fastflow.apps.churn.domain.experiment import Experiment, define
from fastflow.apps.churn.domain.experiment_rows import find_experiment, with_experiment
from fastflow.apps.churn.domain.jobs import ALL, Ask
from fastflow.apps.churn.errors import DatabaseUnwritable, EngineFailed, ExperimentBusy, JobRefused, NoChain
from fastflow.apps.churn.infra.lock import DatabaseLock
from fastflow.apps.churn.infra.store import JsonStore
from fastflow.apps.churn.ports import Edit, LeftResults, LeftTable, Note
from fastflow.apps.churn.service.chains import Chains
from fastflow.apps.churn.service.results import TakingIn
from fastflow.apps.churn.service.runs import ChurnRuns
from fastflow.kit.errors import Conflict, Forbidden
from fastflow.kit.identity import SYSTEM, Actor, Grant, Role
from fastflow.testing.clock import FakeClock

OLGA = Actor(name="user:olga", role=Role.NONE, grants=(Grant(role=Role.OPERATOR, pipelines="churn"),))
VERA = Actor(name="user:vera", role=Role.VIEWER)
EVERYTHING = Ask(pipeline=ALL, windows={})


class _Killed(BaseException):
    """What kill -9 does to a process, as far as what comes after it is concerned."""


@dataclass(frozen=True)
class _Run:
    id: str
    pipeline_name: str
    submitted_by: str
    status: str = "RUNNING"
    reason: str | None = None
    reason_text: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    capsule: Mapping[str, Any] = field(default_factory=lambda: {"inputs": "i"})
    progress: Mapping[str, Any] | None = None
    host: str | None = "here"
    retried_by: str | None = None
    queued_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    started_at: datetime | None = None
    finished_at: datetime | None = None


class _Kernel:
    """Keeps runs; a key that was used gives the first one again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs: dict[str, _Run] = {}
        self.keys: dict[tuple[str, str], str] = {}
        self.refusal: Exception | None = None

    def keep(self, fill: Callable[[Path], None]) -> str:
        inputs = self.folder / f"inputs-{len(list(self.folder.iterdir()))}"
        inputs.mkdir()
        fill(inputs)
        return inputs.name

    def lay(self, _run_id: str, target: Path) -> None:
        target.mkdir()

    def submit(
        self, pipeline: str, params: Mapping[str, Any], _inputs: str, *, actor: Actor, key: str | None = None
    ) -> _Run:
        if self.refusal is not None:
            raise self.refusal
        if key is not None and (pipeline, key) in self.keys:
            return self.runs[self.keys[pipeline, key]]
        run = _Run(f"r{len(self.runs) + 1}", pipeline, actor.name, params=params)
        self.runs[run.id] = run
        if key is not None:
            self.keys[pipeline, key] = run.id
        return run

    def find(self, run_id: str) -> _Run | None:
        return self.runs.get(run_id)

    def find_last(self, run_id: str) -> _Run | None:
        return self.runs.get(run_id)

    def end(self, run_id: str, status: str = "SUCCESS", why: str | None = None) -> None:
        at = datetime(2026, 1, 2, tzinfo=UTC)
        self.runs[run_id] = replace(self.runs[run_id], status=status, reason_text=why, finished_at=at)

    def cancel(self, run_id: str, *, actor: Actor, reason: str | None = None) -> _Run:
        if self.runs[run_id].finished_at is not None:
            raise Conflict(f"The run {run_id} has ended.")
        self.end(run_id, "FAILED", f"cancelled by {actor.name}" + (f": {reason}" if reason else ""))
        return self.runs[run_id]

    def is_here(self, _host: str | None) -> bool:
        return True

    def artifacts(self, run_id: str) -> Path:
        folder = self.folder / run_id
        folder.mkdir(exist_ok=True)
        for name in ("model.onnx", "feature_contract.json"):
            (folder / name).touch()
        return folder

    def last_words(self, _run_id: str) -> Sequence[str]:
        return []


class _Reader:
    def read(self, _folder: Path, experiment_id: int, _staging: Path) -> LeftResults:
        records = [{"experiment_id": experiment_id}]
        table = LeftTable(name="experiment_kpis", columns={}, rows=1, records=records)
        return LeftResults(report={}, tables=[table], files={})


class _Materializing:
    """Takes its step in one change, as the real one does."""

    def __init__(self, store: JsonStore) -> None:
        self._store = store
        self.refusal: Exception | None = None
        self.taken = 0

    def take_step(
        self,
        _experiment_id: int,
        find: Callable[[Document], Experiment],
        then: Callable[[Experiment], Experiment],
        *,
        actor: Actor,
    ) -> None:
        if self.refusal is not None:
            raise self.refusal

        def edit(document: Document) -> tuple[Document, Note]:
            return with_experiment(document, then(find(document))), Note(actor=actor, action="test", subject="test")

        self._store.change(edit)
        self.taken += 1


@dataclass
class Bench:
    store: JsonStore
    kernel: _Kernel
    materializing: _Materializing
    clock: FakeClock

    def __post_init__(self) -> None:
        self.restart()
        first = Experiment(experiment_id=1, **vars(define({**EXPERIMENT, "id_files": [1]})))
        self.store.change(lambda document: (with_experiment(document, first), _note()))

    def restart(self) -> None:
        """What works on the database is made anew, as by another process."""
        runs: Any = self.kernel
        own = ChurnRuns(self.store, runs, lambda _files, _folder: None, self.clock)
        middle: Any = self.materializing
        self.chains = Chains(self.store, own, middle, self.clock)
        self.taking_in = TakingIn(self.store, runs, _Reader(), self.chains.go_on, self.clock)

    @property
    def experiment(self) -> Experiment:
        found = find_experiment(self.store.read(), 1)
        assert found is not None
        return found

    @property
    def steps(self) -> dict[str, str]:
        assert self.experiment.chain is not None
        return {step.name: step.status for step in self.experiment.chain.steps}

    def look(self) -> None:
        self.restart()
        self.taking_in.look()

    def pass_step(self) -> None:
        """The step that waits begins, its run ends, and its results are taken in; each by a process of its own."""
        step = self.experiment.step
        assert step is not None
        self.look()
        if self.steps[step.name] == "running":
            assert self.experiment.step is not None
            self.kernel.end(self.experiment.step.run_id)
            self.look()
        assert self.steps[step.name] == "done"


def _note() -> Note:
    return Note(actor=SYSTEM, action="test", subject="test")


@pytest.fixture
def bench(tmp_path: Path, clock: FakeClock) -> Bench:
    lock = DatabaseLock(tmp_path / "lock", host="h", clock=clock)
    store = JsonStore(tmp_path / "churn.json", lock=lock, audited=lambda _note: nullcontext(), clock=clock)
    (tmp_path / "kernel").mkdir()
    return Bench(store, _Kernel(tmp_path / "kernel"), _Materializing(store), clock)


def test_chain_when_each_step_is_taken_by_another_process_then_all_are_taken_once_and_in_order(bench: Bench) -> None:
    bench.chains.start(1, EVERYTHING, actor=OLGA)
    assert (bench.experiment.status, bench.steps["churn"], bench.kernel.runs) == ("processing", "waiting", {})
    for done in range(1, 5):
        bench.pass_step()
        assert bench.experiment.status == ("processed" if done == 4 else "processing")
    assert [run.pipeline_name for run in bench.kernel.runs.values()] == ["churn", "cox", "cf"]
    assert {run.submitted_by for run in bench.kernel.runs.values()} == {"user:olga"}
    assert bench.materializing.taken == 1
    assert bench.experiment.runs == {"churn": "r1", "cox": "r2", "cf": "r3"}
    assert bench.experiment.processed_at
    revision = bench.store.read().revision
    bench.look()
    assert bench.store.read().revision == revision


@pytest.mark.parametrize("step", [0, 1, 3])
def test_chain_when_the_process_dies_between_queue_and_save_then_the_next_one_finds_the_same_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    bench.chains.start(1, EVERYTHING, actor=OLGA)
    for _ in range(step):
        bench.pass_step()

    def die(edit: Edit, _staged: Sequence[Path] = ()) -> None:
        edit(bench.store.read())
        raise _Killed

    before = len(bench.kernel.runs)
    with monkeypatch.context() as patch:
        patch.setattr(bench.store, "change", die)
        with pytest.raises(_Killed):
            bench.look()
    (orphan,) = list(bench.kernel.runs)[before:]
    bench.kernel.end(orphan)  # it may even have ended meanwhile
    for _ in range(4 - step):
        bench.pass_step()
    assert (bench.experiment.status, len(bench.kernel.runs)) == ("processed", 3)


def test_chain_when_a_run_fails_then_the_experiment_names_the_step_and_none_follows(bench: Bench) -> None:
    bench.chains.start(1, EVERYTHING, actor=OLGA)
    bench.pass_step()
    bench.look()
    bench.kernel.end("r2", "FAILED", "out of memory")
    bench.look()
    assert (bench.experiment.status, bench.experiment.reason) == ("failed", "The step cox failed: out of memory")
    assert bench.steps == {"churn": "done", "cox": "failed", "materialize": "dropped", "cf": "dropped"}
    bench.look()
    assert len(bench.kernel.runs) == 2
    bench.chains.start(1, EVERYTHING, actor=OLGA)
    assert set(bench.steps.values()) == {"waiting"}


def test_chain_when_cancelled_then_the_run_ends_or_the_waiting_step_is_not_taken(bench: Bench) -> None:
    with pytest.raises(NoChain, match="it is created"):
        bench.chains.cancel(1, actor=OLGA)
    bench.chains.start(1, EVERYTHING, actor=OLGA)
    assert bench.chains.cancel(1, actor=OLGA, reason="typo").status == "failed"
    assert bench.experiment.reason == "The step churn failed: cancelled by user:olga: typo"
    bench.chains.start(1, EVERYTHING, actor=OLGA)
    bench.look()
    with pytest.raises(Forbidden):
        bench.chains.cancel(1, actor=VERA)
    bench.chains.cancel(1, actor=OLGA)
    assert bench.experiment.status == "processing"  # until its processes have ended, nothing else may begin
    bench.look()
    assert bench.experiment.reason == "The step churn failed: cancelled by user:olga"


def test_chain_when_cancelled_as_its_run_has_just_ended_then_no_step_follows(bench: Bench) -> None:
    bench.chains.start(1, EVERYTHING, actor=OLGA)
    bench.look()
    bench.kernel.end("r1")
    assert bench.chains.cancel(1, actor=OLGA).status == "failed"
    bench.look()
    assert list(bench.kernel.runs) == ["r1"]


def test_chain_when_a_step_cannot_begin_now_then_it_waits_and_when_it_never_can_it_fails(bench: Bench) -> None:
    bench.chains.start(1, EVERYTHING, actor=OLGA)
    bench.kernel.refusal = DatabaseUnwritable("The disk is full.")
    bench.look()
    assert bench.steps["churn"] == "waiting"
    bench.kernel.refusal = None
    bench.pass_step()
    bench.pass_step()
    bench.materializing.refusal = EngineFailed("The process of the SQL engine died (exit code 1).")
    bench.look()
    assert bench.experiment.reason == "The step materialize failed: The process of the SQL engine died (exit code 1)."
    bench.kernel.refusal = Conflict("Another pipeline has its name.", hint="Rename that.")
    bench.chains.start(1, EVERYTHING, actor=OLGA)
    bench.look()
    assert bench.experiment.reason == "The step churn failed: Another pipeline has its name. Rename that."


def test_start_when_it_cannot_be_then_nothing_is_asked_for(bench: Bench) -> None:
    with pytest.raises(JobRefused, match="the pipeline all takes none"):
        bench.chains.start(1, replace(EVERYTHING, cutoff_exclusive=202406), actor=OLGA)
    with pytest.raises(Forbidden):
        bench.chains.start(1, EVERYTHING, actor=VERA)
    assert bench.experiment.status == "created"
    bench.chains.start(1, EVERYTHING, actor=OLGA)
    with pytest.raises(ExperimentBusy, match="The experiment 1 is being computed"):
        bench.chains.start(1, EVERYTHING, actor=OLGA)
