"""The dispatcher with a scripted executor on real databases: every run ends once, whatever happens."""

import asyncio
import hashlib
import socket
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from tests.integration.runs.conftest import Bench

from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.kernel.executors.port import RunSpec
from fastflow.kernel.runs.domain import commands as command
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.lease_store import SqlLeaseStore
from fastflow.kit.errors import Unavailable
from fastflow.testing.memory_executor import MemoryExecutor


def ends(executor: MemoryExecutor, spec: RunSpec) -> None:
    executor.end(spec.key)


async def test_run_when_submitted_is_launched_and_ends(bench: Bench) -> None:
    executor = MemoryExecutor(ends)
    async with bench.serving(executor):
        run = await bench.ended(await asyncio.to_thread(bench.submit, params={"CITY": "Ulm"}))
        await _until(lambda: executor.discarded == [executor.launched[0].key])
    assert (run.status, run.reason, run.exit_code) == (RunStatus.SUCCESS, None, 0)
    assert run.started_at and run.finished_at and run.setup_duration is not None
    assert run.environment == "e" * 64 and run.interpreter == "cpython-3.11.7" and run.uv_version == "0.8.0"
    assert run.isolation == {"start": "memory"}
    assert executor.launched[0].env["PARAM_CITY"] == "Ulm"


async def test_run_when_script_fails_says_so(bench: Bench) -> None:
    async with bench.serving(MemoryExecutor(lambda executor, spec: executor.end(spec.key, exit_code=3))):
        run = await bench.ended(await asyncio.to_thread(bench.submit))
    assert (run.status, run.reason, run.exit_code) == (RunStatus.FAILED, "exit", 3)
    assert "exit code 3" in str(run.reason_text)


async def test_many_runs_when_limit_is_two_never_exceed_it_and_all_end(bench: Bench) -> None:
    seen = []

    def launched(executor: MemoryExecutor, spec: RunSpec) -> None:
        running = [attempt for attempt in executor.attempts.values() if attempt.end is None]
        seen.append(len(running))
        asyncio.get_running_loop().call_soon(executor.end, spec.key)

    executor = MemoryExecutor(launched)
    async with bench.serving(executor):
        runs = [await asyncio.to_thread(bench.submit) for _ in range(25)]
        ended = [await bench.ended(run) for run in runs]
    assert {run.status for run in ended} == {RunStatus.SUCCESS}
    assert max(seen) <= 2 and len(executor.launched) == 25


async def test_setup_when_environment_cannot_be_built_fails_the_run_with_the_builders_words(bench: Bench) -> None:
    bench.environments.failure = "No solution found when resolving dependencies: nosuch==1"
    async with bench.serving(MemoryExecutor()):
        run = await bench.ended(await asyncio.to_thread(bench.submit))
    assert (run.status, run.reason) == (RunStatus.FAILED, "setup")
    assert "nosuch==1" in str(run.reason_text)
    log = bench.files.log_path(run.id).read_text().splitlines()
    assert log[0].split(" ", 3)[1:] == ["stderr", "F", "[fastflow] resolving"]
    assert "nosuch==1" in log[-1]


async def test_setup_when_the_builder_said_its_words_already_then_they_stand_in_the_log_once(bench: Bench) -> None:
    bench.environments.failure = "resolving\n  because of nosuch==1"
    async with bench.serving(MemoryExecutor()):
        run = await bench.ended(await asyncio.to_thread(bench.submit))
    lines = bench.files.log_path(run.id).read_text().splitlines()
    assert [line.split(" ", 3)[3] for line in lines] == ["[fastflow] resolving", "[fastflow]   because of nosuch==1"]


async def test_launch_when_refused_fails_the_run_and_frees_the_slot(bench: Bench) -> None:
    executor = MemoryExecutor(ends)
    executor.launch_error = LaunchFailed("no supervisor could be forked")
    async with bench.serving(executor):
        run = await bench.ended(await asyncio.to_thread(bench.submit))
        executor.launch_error = None
        after = await bench.ended(await asyncio.to_thread(bench.submit))
        await _until(lambda: not executor.attempts)
    assert (run.reason, run.reason_text) == ("setup", "no supervisor could be forked")
    assert after.status is RunStatus.SUCCESS


async def test_launch_when_it_breaks_in_an_unknown_way_ends_the_run_once(bench: Bench) -> None:
    executor = MemoryExecutor(ends)
    executor.launch_error = RuntimeError("boom")
    async with bench.serving(executor):
        run = await bench.ended(await asyncio.to_thread(bench.submit))
    assert run.reason == "setup" and "RuntimeError" in str(run.reason_text) and "boom" not in str(run.reason_text)


async def test_cancel_when_running_stops_the_process_at_once(bench: Bench) -> None:
    executor = MemoryExecutor()
    async with bench.serving(executor, poll_seconds=30.0):
        run = await asyncio.to_thread(bench.submit)
        await executor.launches(1)
        before = time.monotonic()
        await asyncio.to_thread(bench.service.cancel, run.id, actor=bench.actor, reason="wrong month")
        after = await bench.ended(run)
    assert time.monotonic() - before < 5
    assert (after.status, after.reason) == (RunStatus.FAILED, "cancelled")
    assert after.reason_text == "cancelled by user:olga: wrong month"
    (line,) = bench.files.log_path(run.id).read_text().splitlines()
    told = "[fastflow] the run was ended: cancelled by user:olga: wrong month ("
    assert line.split(" ", 3)[1:3] == ["stderr", "F"] and line.split(" ", 3)[3].startswith(told), line


async def test_cancel_when_in_setup_ends_without_a_process(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()

    async def for_ever(_run: Any, _on_line: Any) -> Any:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(bench.environments, "make_ready", for_ever)
    executor = MemoryExecutor()
    async with bench.serving(executor):
        run = await asyncio.to_thread(bench.submit)
        await begun.wait()
        assert bench.service.explain(run.id, actor=bench.actor).code == "setup"
        await asyncio.to_thread(bench.service.cancel, run.id, actor=bench.actor)
        after = await bench.ended(run)
    assert after.reason == "cancelled" and after.started_at is None
    assert not executor.launched


async def test_cancel_when_signal_is_lost_is_found_by_the_poll(bench: Bench) -> None:
    executor = MemoryExecutor()
    async with bench.serving(executor, poll_seconds=0.05):
        run = await asyncio.to_thread(bench.submit)
        await executor.launches(1)
        bench.wakeup.on_runner = None
        await asyncio.to_thread(bench.service.cancel, run.id, actor=bench.actor)
        assert (await bench.ended(run)).reason == "cancelled"


async def test_submit_when_signal_is_lost_is_found_by_the_poll(bench: Bench) -> None:
    async with bench.serving(MemoryExecutor(ends), poll_seconds=0.05):
        bench.wakeup.on_runner = None
        assert (await bench.ended(await asyncio.to_thread(bench.submit))).status is RunStatus.SUCCESS


async def test_events_when_told_become_progress_metrics_and_outputs(bench: Bench) -> None:
    def tells(executor: MemoryExecutor, spec: RunSpec) -> None:
        executor.tell(spec.key, "progress", {"progress": 0.4, "step": "fit"})
        executor.tell(spec.key, "metric", {"auc": 0.8, "bad": float("nan")})
        executor.tell(spec.key, "metric", {"auc": 0.9, "f1": 0.5})
        executor.tell(spec.key, "output", {"rows": 3, "text": "nul\0"})
        executor.tell(spec.key, "progress", {"progress": 1.0})
        executor.end(spec.key)

    async with bench.serving(MemoryExecutor(tells)):
        run = await bench.ended(await asyncio.to_thread(bench.submit))
    assert run.progress == {"progress": 1.0}
    assert run.metrics == {"auc": 0.9, "bad": "nan", "f1": 0.5}
    assert run.outputs == {"rows": 3, "text": "nul\ufffd"}
    events = bench.service.list_events(run.id, actor=bench.actor).items
    assert [event.kind for event in events if event.kind != "state"] == [
        *("progress", "metric", "metric", "output", "progress"),
    ]
    states = [event.data["status"] for event in events if event.kind == "state"]
    assert states == ["PENDING", "RUNNING", "SUCCESS"]


async def test_artifacts_when_left_are_listed_without_what_leads_outside(bench: Bench) -> None:
    (bench.folder / "outside").write_text("not ours")

    def leaves(executor: MemoryExecutor, spec: RunSpec) -> None:
        (spec.artifacts_dir / "sub").mkdir(parents=True)
        (spec.artifacts_dir / "sub" / "table.csv").write_text("a,b\n")
        (spec.artifacts_dir / "escape").symlink_to(bench.folder / "outside")
        executor.end(spec.key)

    async with bench.serving(MemoryExecutor(leaves)):
        run = await bench.ended(await asyncio.to_thread(bench.submit))
    (artifact,) = bench.service.list_artifacts(run.id, actor=bench.actor)
    assert (artifact.path, artifact.size_bytes) == ("sub/table.csv", 4)
    assert artifact.sha256 == hashlib.sha256(b"a,b\n").hexdigest()
    assert "escape" in bench.files.log_path(run.id).read_text()


async def test_secrets_when_listed_reach_the_process_and_nothing_else(bench: Bench) -> None:
    bench.catalogue.add("demo", secrets=("TOKEN",))
    executor = MemoryExecutor(ends)
    async with bench.serving(executor):
        run = await bench.ended(await asyncio.to_thread(bench.submit))
    assert executor.launched[0].env["TOKEN"] == "s3cret-value"
    assert executor.launched[0].secrets == ("s3cret-value",)
    assert run.capsule["secrets"] == {"TOKEN": 1}
    assert "s3cret-value" not in repr(run)


async def test_wait_deadline_when_passed_fails_the_waiting_run(bench: Bench) -> None:
    bench.catalogue.add("demo", wait_timeout=0.01)
    bench.max_concurrent = 0
    run = bench.submit()
    async with bench.serving(MemoryExecutor(), poll_seconds=0.02):
        after = await bench.ended(run)
    assert (after.status, after.reason) == (RunStatus.FAILED, "timeout")
    assert "wait_timeout" in str(after.reason_text)


# -- restarts -----------------------------------------------------------------------------------------------------------


async def test_stop_when_runs_are_going_on_leaves_them_and_the_next_runner_takes_over(bench: Bench) -> None:
    executor = MemoryExecutor()
    async with bench.serving(executor):
        run = await asyncio.to_thread(bench.submit)
        await executor.launches(1)
    assert bench.get(run).status is RunStatus.RUNNING
    executor.tell(executor.key_of(run.id), "metric", {"after": 1})
    async with bench.serving(executor) as dispatcher:
        assert dispatcher.active == (run.id,)
        executor.end(executor.key_of(run.id))
        after = await bench.ended(run)
    assert after.status is RunStatus.SUCCESS and after.metrics == {"after": 1}
    assert len(executor.launched) == 1
    assert after.lease_token == 2 and after.attempt_token == 1


async def test_restart_when_the_run_ended_meanwhile_records_its_end(bench: Bench) -> None:
    executor = MemoryExecutor()
    async with bench.serving(executor):
        run = await asyncio.to_thread(bench.submit)
        await executor.launches(1)
    executor.end(executor.key_of(run.id), exit_code=7)
    async with bench.serving(executor):
        after = await bench.ended(run)
    assert (after.status, after.exit_code) == (RunStatus.FAILED, 7)


async def test_restart_when_events_were_recorded_already_adds_them_once(bench: Bench) -> None:
    executor = MemoryExecutor()
    async with bench.serving(executor):
        run = await asyncio.to_thread(bench.submit)
        await executor.launches(1)
        executor.tell(executor.key_of(run.id), "metric", {"a": 1})
        await _until(lambda: bench.get(run).metrics == {"a": 1})
    executor.tell(executor.key_of(run.id), "metric", {"b": 2})
    executor.end(executor.key_of(run.id))
    async with bench.serving(executor):
        after = await bench.ended(run)
    told = [event for event in bench.service.list_events(run.id, actor=bench.actor).items if event.kind == "metric"]
    assert [event.data for event in told] == [{"a": 1}, {"b": 2}]
    assert after.metrics == {"a": 1, "b": 2}


async def test_restart_when_killed_before_the_launch_launches_under_a_new_token(bench: Bench) -> None:
    executor = MemoryExecutor(ends)
    executor.dies_at_launch = True
    async with bench.serving(executor):
        run = await asyncio.to_thread(bench.submit)
        await _until(lambda: bool(executor.attempts))
    executor.dies_at_launch = False
    async with bench.serving(executor):
        after = await bench.ended(run)
    assert after.status is RunStatus.SUCCESS
    assert [spec.key.token for spec in executor.launched] == [2]


async def test_restart_when_a_started_run_left_no_trace_is_lost(bench: Bench) -> None:
    executor = MemoryExecutor()
    async with bench.serving(executor):
        run = await asyncio.to_thread(bench.submit)
        await _until(lambda: bench.get(run).started_at is not None)
    executor.attempts.clear()
    async with bench.serving(executor):
        after = await bench.ended(run)
    assert (after.status, after.reason) == (RunStatus.FAILED, "lost")
    last = bench.files.log_path(run.id).read_text().splitlines()[-1]
    assert last.endswith(f"stderr F [fastflow] the run is lost: {after.reason_text}")


async def test_run_when_its_executor_says_it_is_lost_then_its_log_ends_with_why(bench: Bench) -> None:
    def vanish(executor: MemoryExecutor, spec: RunSpec) -> None:
        executor.end(spec.key, exit_code=None, reason="lost", reason_text="its container was removed")

    async with bench.serving(MemoryExecutor(vanish)):
        run = await bench.ended(await asyncio.to_thread(bench.submit))
    (line,) = bench.files.log_path(run.id).read_text().splitlines()
    assert line.endswith("stderr F [fastflow] the run is lost: its container was removed")


async def test_restart_when_an_attempt_has_no_run_is_stopped_and_discarded(bench: Bench) -> None:
    executor = MemoryExecutor()
    async with bench.serving(executor):
        run = await asyncio.to_thread(bench.submit)
        await executor.launches(1)
    key = executor.key_of(run.id)
    store = bench.store
    ending = command.Finish(lease=command.Lease(run_id=run.id, token=1), ending=_lost())
    assert store.apply([ending], _now()) == [command.Finished(applied=True)]
    async with bench.serving(executor):
        await _until(lambda: key in executor.discarded)
    assert bench.get(run).reason == "lost"


async def test_late_finish_when_lease_was_taken_over_is_refused(bench: Bench) -> None:
    executor = MemoryExecutor()
    async with bench.serving(executor):
        run = await asyncio.to_thread(bench.submit)
        await executor.launches(1)
    bench.store.apply([command.TakeOver(owner="other", host="host-1")], _now())
    late = command.Finish(lease=command.Lease(run_id=run.id, token=1), ending=_lost())
    assert bench.store.apply([late], _now()) == [command.Finished(applied=False)]
    assert bench.get(run).status is RunStatus.RUNNING


# -- the database goes away --------------------------------------------------------------------------------------------


class FlakyStore(SqlLeaseStore):
    """A store whose database is away while `away` is set."""

    away = False
    attempts = 0

    def apply(self, commands: Sequence[command.Command], now: Any) -> Sequence[Any]:
        if self.away:
            self.attempts += 1
            raise Unavailable("The database does not answer.")
        return super().apply(commands, now)


async def test_finish_when_database_is_away_is_written_when_it_is_back(bench: Bench) -> None:
    store = FlakyStore(bench.database)
    executor = MemoryExecutor()
    async with bench.serving(executor, store=store):
        run = await asyncio.to_thread(bench.submit)
        await executor.launches(1)
        await _until(lambda: bench.get(run).started_at is not None)
        store.away = True
        executor.end(executor.key_of(run.id))
        await _until(lambda: store.attempts >= 2)
        assert bench.get(run).status is RunStatus.RUNNING
        store.away = False
        assert (await bench.ended(run)).status is RunStatus.SUCCESS


class ForgetfulStore(SqlLeaseStore):
    """Loses the answer to the first claim that claimed something, after it was committed."""

    lost = 0

    def apply(self, commands: Sequence[command.Command], now: Any) -> Sequence[Any]:
        results = super().apply(commands, now)
        if not self.lost and any(isinstance(each, command.Claimed) and each.runs for each in results):
            self.lost += 1
            raise Unavailable("The database was lost between its commit and its answer.")
        return results


async def test_claim_when_its_answer_is_lost_then_the_run_is_taken_care_of_all_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastflow.kernel.runs.dispatcher.dispatcher.RENEW_SECONDS", 0.05)
    store, executor = ForgetfulStore(bench.database), MemoryExecutor(ends)
    async with bench.serving(executor, store=store):
        first = await asyncio.to_thread(bench.submit)
        await _until(lambda: store.lost == 1)
        second = await asyncio.to_thread(bench.submit)
        assert {(await bench.ended(run)).status for run in (first, second)} == {RunStatus.SUCCESS}
    assert sorted(spec.key.run_id for spec in executor.launched) == sorted([first.id, second.id])


async def test_stop_when_database_is_away_loses_nothing(bench: Bench) -> None:
    store = FlakyStore(bench.database)
    executor = MemoryExecutor()
    async with bench.serving(executor, store=store):
        run = await asyncio.to_thread(bench.submit)
        await executor.launches(1)
        await _until(lambda: bench.get(run).started_at is not None)
        store.away = True
        executor.end(executor.key_of(run.id))
        await _until(lambda: store.attempts >= 1)
    assert bench.get(run).status is RunStatus.RUNNING
    async with bench.serving(executor):
        assert (await bench.ended(run)).status is RunStatus.SUCCESS


class RefusingStore(SqlLeaseStore):
    """A store that refuses an end with artifacts or figures."""

    def apply(self, commands: Sequence[command.Command], now: Any) -> Sequence[Any]:
        refused = [isinstance(one, command.Finish) and one.ending.cpu_seconds is not None for one in commands]
        if any(refused):
            return [ValueError("refused") if each else None for each in refused]
        return super().apply(commands, now)


async def test_finish_when_its_details_are_refused_is_written_without_them(bench: Bench) -> None:
    async with bench.serving(MemoryExecutor(ends), store=RefusingStore(bench.database)):
        run = await bench.ended(await asyncio.to_thread(bench.submit))
    assert run.status is RunStatus.SUCCESS and run.cpu_seconds is None


async def test_run_when_the_disk_is_nearly_full_then_it_waits_and_says_so_until_there_is_room(bench: Bench) -> None:
    full: list[str] = []
    executor = MemoryExecutor()
    async with bench.serving(executor, why_not=lambda: full[0] if full else None):
        first, second = bench.submit(), bench.submit()
        await executor.launches(2)
        full.append("LOGS_DIR has 3 MB free")
        held = bench.submit()
        executor.end(bench.get(first).key)  # the slot that it frees is not filled
        await bench.ended(first)
        await _until(lambda: bench.service.explain(held.id, actor=bench.actor).code == "disk_low")
        assert bench.service.explain(held.id, actor=bench.actor).text == (
            f"The run waits at position 1 of the queue: the server {socket.gethostname()} starts no runs at present, as "
            "LOGS_DIR has 3 MB free; it starts by itself when there is space again."
        )
        full.clear()
        await executor.launches(3)
        for run in (second, held):
            executor.end(bench.get(run).key)
            await bench.ended(run)


async def test_lost_host_when_silent_for_long_has_its_runs_ended(bench: Bench) -> None:
    run = bench.submit()
    store = bench.store
    now = _now()
    store.apply([command.Claim(owner="a", host="host-away", max_concurrent=5, limit=1)], now)
    later = now + timedelta(seconds=command.LOST_AFTER_SECONDS + 1)
    assert store.apply([command.Sweep(host="host-1")], now)[0].ended == []
    assert store.apply([command.Sweep(host="host-1")], later)[0].ended == [run.id]
    assert bench.get(run).reason == "lost"


async def test_lost_host_when_it_was_stopped_in_order_is_waited_for_longer(bench: Bench) -> None:
    run = bench.submit()
    store = bench.store
    now = _now()
    store.apply([command.Claim(owner="a", host="host-away", max_concurrent=5, limit=1)], now)
    beat = command.Heartbeat(owner="a", host="host-away", hostname="away", pid=1, started_at=now, stopped=True)
    store.apply([beat], now)
    silent = now + timedelta(seconds=command.LOST_AFTER_SECONDS + 1)
    given_up = now + timedelta(seconds=command.LEASE_SECONDS + command.STOPPED_LOST_AFTER_SECONDS + 1)
    assert store.apply([command.Sweep(host="host-1")], silent)[0].ended == []
    assert store.apply([command.Sweep(host="host-1")], given_up)[0].ended == [run.id]
    assert "away" in (bench.get(run).reason_text or "")


def _now() -> Any:
    from fastflow.kit.clock import SystemClock

    return SystemClock().now()


def _lost() -> Any:
    from fastflow.kernel.runs.domain.run import failure

    return failure("lost", "test", _now())


async def _until(condition: Any) -> None:
    """Look until it is so: what is waited for happens in another thread or task without a signal to the test."""
    async with asyncio.timeout(15):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


pytestmark = pytest.mark.timeout(60)
