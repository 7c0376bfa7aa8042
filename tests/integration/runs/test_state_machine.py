"""Random lives of runs on the real store: submit, claim, finish, cancel, crash, take over, in any order.

Checked after every step: a terminal state is written once and never changes (invariant 2), no limit is exceeded
(invariant 6), and every run has exactly one reason to be where it is (invariant 8).
"""

import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from fastflow.kernel.db.engine import Database
from fastflow.kernel.runs.domain import commands as command
from fastflow.kernel.runs.domain.explain import explain
from fastflow.kernel.runs.domain.run import Run, RunFilter, failure
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.lease_store import SqlLeaseStore
from fastflow.kernel.runs.infra.read_store import SqlReadStore
from fastflow.kernel.runs.infra.submit_store import SqlSubmitStore
from fastflow.kit.identity import SYSTEM
from fastflow.testing.clock import START
from fastflow.testing.run_doubles import make_run

MAX_CONCURRENT = 3
PIPELINES = {"free": (None, None), "narrow": (1, None), "keyed": (2, 1)}


class RunLives(RuleBasedStateMachine):
    """Two hosts share one database; a host that crashes forgets everything but its data directory."""

    template: Path
    runs = Bundle("runs")
    leases = Bundle("leases")

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ff-machine-"))
        shutil.copyfile(self.template, self.folder / "fastflow.db")
        self.database = Database(f"sqlite:///{self.folder / 'fastflow.db'}")
        self.submits, self.reads = SqlSubmitStore(self.database), SqlReadStore(self.database)
        self.store = SqlLeaseStore(self.database)
        self.now: datetime = START
        self.owners = {"host-1": "owner-1.0", "host-2": "owner-2.0"}
        self.generation = 0
        self.ended: dict[str, Run] = {}
        self.known: set[str] = set()

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()
            shutil.rmtree(self.folder)

    def apply(self, one: command.Command) -> Any:
        (result,) = self.store.apply([one], self.now)
        if isinstance(result, Exception):
            raise result
        return result

    @rule(target=runs, name=st.sampled_from(sorted(PIPELINES)), key=st.sampled_from("ab"), priority=st.integers(-2, 2))
    def submit(self, name: str, key: str, priority: int) -> str:
        limit, per_key = PIPELINES[name]
        run = make_run(
            name,
            queued_at=self.now,
            priority=priority,
            pipeline_limit=limit,
            key_limit=per_key,
            concurrency_key=key if per_key else None,
        )
        self.submits.insert(run, admission=None, actor=SYSTEM, action="run.submit", detail={})
        self.known.add(run.id)
        return run.id

    @rule(target=leases, host=st.sampled_from(["host-1", "host-2"]), limit=st.integers(1, 3))
    def claim(self, host: str, limit: int) -> list[tuple[str, int]]:
        waiting = self.reads.load_page(RunFilter(status=RunStatus.PENDING), beyond_id=None, limit=500)
        claimed = self.apply(
            command.Claim(owner=self.owners[host], host=host, max_concurrent=MAX_CONCURRENT, limit=limit)
        )
        order = sorted(waiting, key=lambda run: (-run.priority, run.id))
        ids = [run.id for run in claimed.runs]
        assert ids == [run.id for run in order if run.id in ids], "the order of the queue was not kept"
        if len(ids) < limit:
            self._assert_nobody_was_passed_over()
        return [(run.id, run.lease_token) for run in claimed.runs]

    def _assert_nobody_was_passed_over(self) -> None:
        for run in self._with(RunStatus.PENDING):
            view = self.reads.view_queue(run, MAX_CONCURRENT)
            load = view.load
            key = (run.pipeline_name, run.concurrency_key or "")
            assert (
                load.total >= MAX_CONCURRENT
                or (run.pipeline_limit is not None and load.by_pipeline[run.pipeline_name] >= run.pipeline_limit)
                or (run.key_limit is not None and load.by_key[key] >= run.key_limit)
            ), "a run that might have started was left waiting"

    @rule(taken=leases, late=st.integers(0, 1))
    def finish(self, taken: list[tuple[str, int]], late: int) -> None:
        """Also by holders of leases that were taken over since: those are refused."""
        for run_id, token in taken:
            before = self.reads.find(run_id)
            assert before is not None
            done = command.Finish(
                lease=command.Lease(run_id=run_id, token=token - late), ending=failure("exit", "over", self.now)
            )
            applied = self.apply(done)
            holds = before.status is RunStatus.RUNNING and before.lease_token == token - late
            assert bool(applied) == holds

    @rule(run_id=runs)
    def cancel(self, run_id: str) -> None:
        self.submits.cancel(run_id, at=self.now, actor=SYSTEM, why="by the machine")

    @rule(target=leases, host=st.sampled_from(["host-1", "host-2"]))
    def crash_and_take_over(self, host: str) -> list[tuple[str, int]]:
        self.generation += 1
        self.owners[host] = f"owner-{self.generation}"
        runs = self.apply(command.TakeOver(owner=self.owners[host], host=host))
        assert {run.id for run in runs} == {run.id for run in self._with(RunStatus.RUNNING) if run.host == host}
        assert all(run.attempt_token < run.lease_token for run in runs)
        return [(run.id, run.lease_token) for run in runs]

    @rule(seconds=st.integers(1, 120), host=st.sampled_from(["host-1", "host-2"]))
    def pass_time(self, seconds: int, host: str) -> None:
        """One host beats and sweeps; the other is silent."""
        self.now += timedelta(seconds=seconds)
        self.apply(command.Heartbeat(owner=self.owners[host], host=host, hostname=host, pid=1, started_at=self.now))
        before = {run.id for run in self._with(RunStatus.RUNNING) if run.host == host}
        ended = self.apply(command.Sweep(host=host)).ended
        assert not before & set(ended), "a host ended a run of its own"

    def _with(self, status: RunStatus) -> list[Run]:
        return list(self.reads.load_page(RunFilter(status=status), beyond_id=None, limit=500))

    @invariant()
    def what_ended_stays_as_it_was(self) -> None:
        if not hasattr(self, "database"):
            return
        for status in (RunStatus.SUCCESS, RunStatus.FAILED):
            for run in self._with(status):
                assert self.ended.setdefault(run.id, run) == run
        assert len(self.ended) == sum(len(self._with(status)) for status in (RunStatus.SUCCESS, RunStatus.FAILED))

    @invariant()
    def limits_hold(self) -> None:
        if not hasattr(self, "database"):
            return
        running = self._with(RunStatus.RUNNING)
        assert len(running) <= MAX_CONCURRENT
        for name, (limit, per_key) in PIPELINES.items():
            of_pipeline = [run for run in running if run.pipeline_name == name]
            assert limit is None or len(of_pipeline) <= limit
            for key in "ab":
                of_key = [run for run in of_pipeline if run.concurrency_key == key]
                assert per_key is None or len(of_key) <= per_key

    @invariant()
    def every_run_has_one_reason(self) -> None:
        if not hasattr(self, "database"):
            return
        for run_id in self.known:
            run = self.reads.find(run_id)
            assert run is not None
            view = self.reads.view_queue(run, MAX_CONCURRENT) if run.status is RunStatus.PENDING else None
            assert explain(run, view, self.now).text


def test_lives_of_runs_when_events_come_in_any_order_keep_the_invariants(sqlite_template: Path, full: bool) -> None:
    RunLives.template = sqlite_template
    run_state_machine_as_test(
        RunLives,
        settings=settings(
            max_examples=300 if full else 15,
            stateful_step_count=60 if full else 30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
