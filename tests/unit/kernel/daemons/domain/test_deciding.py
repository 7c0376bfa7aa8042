"""Decisions, and whole lives of daemons played through with instances that do as they like."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflow.kernel.daemons.domain.deciding import Decision, decide, state_of
from fastflow.kernel.daemons.domain.records import Daemon, DaemonSpec, Instance, Replace
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.testing.clock import START
from fastflow.testing.run_doubles import make_run

OLD, NEW = "a" * 64, "b" * 64


class Life:
    """A daemon with its instances, moved on by hand."""

    def __init__(self, **spec: Any) -> None:
        self.spec: DaemonSpec | None = DaemonSpec(**spec)
        self.daemon = Daemon(pipeline_name="demo", changed_at=START, changed_by="system")
        self.instances: list[Instance] = []
        self.code = OLD
        self.now: datetime = START
        self.told: list[str] = []

    def step(self, seconds: float = 1.0) -> Decision:
        """One look: what was decided is done at once, and what was stopped has ended by the next look."""
        self.now += timedelta(seconds=seconds)
        decision = decide(self.daemon, self.spec, self.instances, self.code, self.now)
        self.daemon = decision.daemon
        self.told += [each.kind for each in decision.told]
        gone = {each.number for each in decision.forget}
        stopped = {each.number: each for each in decision.stop}
        self.instances = [
            self._ended(stopped[each.number]) if each.number in stopped else each
            for each in self.instances
            if each.number not in gone
        ]
        for new in decision.start:
            run = make_run(status=RunStatus.RUNNING, started_at=self.now)
            self.instances.append(replace(new, tree_hash=self.code, run=run))
        return decision

    def _ended(self, instance: Instance, **values: Any) -> Instance:
        assert instance.run is not None
        if instance.has_ended:
            return instance
        run = replace(instance.run, status=RunStatus.FAILED, finished_at=self.now, **{"reason": "cancelled", **values})
        return replace(instance, run=run)

    def end(self, place: int = 0, **values: Any) -> None:
        """An instance ends by itself."""
        self.instances[place] = self._ended(self.instances[place], **{"reason": "exit", **values})

    def heal(self) -> None:
        """Every instance is found healthy."""
        self.instances = [replace(each, health="healthy") if not each.has_ended else each for each in self.instances]

    @property
    def alive(self) -> list[Instance]:
        return [each for each in self.instances if not each.has_ended]

    @property
    def state(self) -> str:
        return state_of(self.daemon, self.spec, self.instances, self.now)


def running(**spec: Any) -> Life:
    life = Life(**spec)
    life.step()
    life.heal()
    return life


def test_daemon_when_declared_then_so_many_are_started_with_ports_of_their_own() -> None:
    life = Life(instances=3, port=9000)
    assert len(life.step().start) == 3 and not life.step().start
    assert [each.port for each in life.alive] == [9000, 9001, 9002]
    assert life.state == "starting"
    life.heal()
    assert life.state == "running"


def test_daemon_when_it_crashes_then_each_restart_waits_longer_and_the_loop_is_told() -> None:
    life = Life(delay=1.0, crash_loop=3, max_delay=8.0)
    pauses = []
    for _ in range(6):
        while not life.alive:
            life.step(0.5)
        life.end()
        life.step(0)
        assert life.daemon.next_start_at is not None
        pauses.append((life.daemon.next_start_at - life.now).total_seconds())
    assert pauses == [1, 2, 4, 8, 8, 8]
    assert life.told.count("crash-loop") == 1 and life.state == "crash-loop"


def test_daemon_when_it_is_stable_again_then_the_series_ends() -> None:
    life = Life(stable=60.0, delay=1.0, crash_loop=2)
    for _ in range(2):
        while not life.alive:
            life.step()
        life.end()
        life.step()
    assert life.state == "crash-loop"
    life.step(5)
    life.heal()
    life.step(61)
    assert (life.daemon.crashes, life.daemon.crash_loop_since, life.told[-1]) == (0, None, "recovered")


def test_loop_when_the_code_is_new_then_it_is_over_only_when_an_instance_is_stable() -> None:
    life = Life(stable=60.0, delay=1.0, crash_loop=2)
    for code in (OLD, NEW):
        life.code = code
        for _ in range(2):
            while not life.alive:
                life.step()
            life.end()
            life.step()
        assert life.state == "crash-loop" and life.told.count("crash-loop") == (1 if code == OLD else 2)
    life.code = OLD
    life.step(5)
    assert life.state == "starting" and life.daemon.crash_loop_since is not None
    life.heal()
    life.step(61)
    assert (life.state, life.told[-1]) == ("running", "recovered")


def test_crashes_when_new_code_ends_them_before_they_are_a_loop_then_that_is_told_once() -> None:
    life = Life(stable=60.0, delay=1.0, crash_loop=5)
    for _ in range(2):
        while not life.alive:
            life.step()
        life.end()
        life.step()
    life.code = NEW
    life.step(5)
    assert life.daemon.crashes == 0 and "recovered" not in life.told
    life.heal()
    for _ in range(3):
        life.step(61)
    assert life.told.count("recovered") == 1 and life.daemon.failing_since is None


def test_loop_when_the_pipeline_is_no_daemon_any_more_then_it_is_over() -> None:
    life = Life(crash_loop=1)
    life.step()
    life.end()
    life.step()
    assert life.state == "crash-loop"
    life.spec = None
    life.step()
    assert [life.daemon.crash_loop_since] == [None] and "recovered" not in life.told


def test_recovery_when_the_newest_lives_on_beside_a_crash_then_only_the_successor_proves_it() -> None:
    life = running(instances=2, stable=60.0, delay=5.0)
    life.now += timedelta(seconds=483)
    life.end(0)
    life.step()
    assert life.told[-1] == "crashed" and "recovered" not in life.told and life.daemon.crashes == 1
    life.step(6)
    life.heal()
    life.step(59)
    assert len(life.alive) == 2 and "recovered" not in life.told
    life.step(1)
    assert (life.told[-1], life.daemon.crashes) == ("recovered", 0)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (': INFO: 10.0.0.7:4242 - "GET /health HTTP/1.1" 200 OK', ""),
        (': 10.0.0.7 - - [22/Nov/2026] "GET /a HTTP/1.1" 200 -', ""),
        (": RuntimeError: no database", ": RuntimeError: no database"),
    ],
)
def test_crash_when_it_wrote_an_access_log_last_then_that_is_no_cause(said: str, told: str) -> None:
    life = running()
    life.end(reason_text=f"the script ended with exit code 1{said}")
    assert f"the script ended with exit code 1{told}, after" in life.step().told[0].text


def test_daemon_when_it_lived_long_before_it_crashed_then_the_count_begins_anew() -> None:
    life = running(stable=60.0)
    life.now += timedelta(seconds=3600)
    life.end()
    life.step()
    assert life.daemon.crashes == 1


def test_daemon_when_it_ends_with_success_then_it_is_started_again() -> None:
    life = running()
    life.instances[0] = replace(life.instances[0], run=replace(life.instances[0].run, status=RunStatus.SUCCESS))  # type: ignore[type-var]
    life.step()
    life.step(2)
    assert [each.number for each in life.alive] == [2]


def test_replacement_when_rolling_then_the_new_one_is_healthy_before_the_old_one_is_stopped() -> None:
    life = running(instances=2, port=9000)
    life.code = NEW
    for expected in range(2):
        decision = life.step()
        assert (len(decision.start), decision.stop) == (1, []), expected
        assert life.step().stop == []  # not healthy yet
        life.heal()
        assert len(life.step().stop) == 1 and len(life.alive) == 2
    life.step()
    assert {each.tree_hash for each in life.alive} == {NEW}
    assert not life.step().start and not life.step().stop


def test_replacement_when_the_new_code_crashes_then_the_old_goes_on() -> None:
    life = running()
    life.code = NEW
    for _ in range(20):
        life.step(400)
        for place, each in enumerate(life.instances):
            if each.tree_hash == NEW and not each.has_ended:
                life.end(place)
    assert OLD in {each.tree_hash for each in life.alive} and "crash-loop" in life.told


def test_replacement_when_stop_first_then_the_old_one_has_ended_before_the_new_begins() -> None:
    life = running(replace="stop-first")
    life.code = NEW
    decision = life.step()
    assert (len(decision.stop), decision.start) == (1, [])
    assert len(life.step().start) == 1 and [each.tree_hash for each in life.alive] == [NEW]


def test_replacement_when_the_old_code_is_in_a_loop_then_the_new_is_tried_at_once() -> None:
    life = Life(delay=300.0)
    life.step()
    life.end()
    assert not life.step().start
    life.code = NEW
    assert len(life.step().start) == 1 and life.daemon.crashes == 0


def test_restart_when_asked_for_then_every_instance_is_replaced() -> None:
    life = running(instances=2)
    life.daemon = replace(life.daemon, epoch=1)
    for _ in range(10):
        life.step()
        life.heal()
    assert [each.epoch for each in life.alive] == [1, 1]


def test_daemon_when_stopped_then_it_stays_stopped_and_when_paused_it_is_left_alone() -> None:
    life = running()
    life.daemon = replace(life.daemon, wish="paused")
    life.code = NEW
    decision = life.step()
    assert (decision.start, decision.stop, life.state) == ([], [], "paused")
    life.daemon = replace(life.daemon, wish="stopped")
    assert len(life.step().stop) == 1
    assert not life.step(600).start and life.state == "stopped"


def test_daemon_when_the_pipeline_is_none_any_more_then_it_is_stopped() -> None:
    life = running()
    life.spec = None
    assert len(life.step().stop) == 1 and not life.step().start


def test_instance_when_unhealthy_then_it_is_ended_and_its_successor_waits_for_the_pause() -> None:
    life = running(delay=10.0)
    life.instances = [replace(life.instances[0], health="unhealthy")]
    decision = life.step()
    assert (len(decision.stop), decision.start) == (1, [])
    assert not life.step().start and life.daemon.crashes == 1
    assert len(life.step(10).start) == 1


def test_instance_when_it_is_not_healthy_in_time_then_it_is_ended() -> None:
    life = Life(start_period=30.0)
    life.step()
    assert not life.step(29).stop
    assert len(life.step(2).stop) == 1


def test_instances_when_fewer_are_wanted_then_the_youngest_go() -> None:
    life = running(instances=3)
    life.spec = DaemonSpec(instances=1)
    assert [each.number for each in life.step().stop] == [2, 3]


@given(
    st.integers(1, 4),
    st.sampled_from(["rolling", "stop-first"]),
    st.lists(
        st.sampled_from(["wait", "heal", "crash", "sicken", "code", "restart", "stop", "start", "pause"]), max_size=40
    ),
)
def test_daemon_when_anything_happens_then_there_are_never_too_many_and_at_last_exactly_enough(
    instances: int, how: Replace, events: list[str]
) -> None:
    life = Life(instances=instances, replace=how, port=9000)
    for event in events:
        if event == "heal":
            life.heal()
        elif event == "crash" and life.alive:
            life.end(life.instances.index(life.alive[0]))
        elif event == "sicken" and life.alive:
            place = life.instances.index(life.alive[-1])
            life.instances[place] = replace(life.instances[place], health="unhealthy")
        elif event == "code":
            life.code = NEW if life.code == OLD else OLD
        elif event == "restart":
            life.daemon = replace(life.daemon, epoch=life.daemon.epoch + 1, wish="running")
        elif event in ("stop", "start", "pause"):
            wishes: Any = {"stop": "stopped", "start": "running", "pause": "paused"}
            life.daemon = replace(life.daemon, wish=wishes[event])
        life.step(7)
        assert len(life.alive) <= instances + (1 if how == "rolling" else 0)
        ports = [each.port for each in life.instances]
        assert len(set(ports)) == len(ports)
    life.daemon = replace(life.daemon, wish="running")
    for _ in range(3 * instances + 4):
        life.step(301)
        life.heal()
    assert len(life.alive) == instances
    assert {(each.tree_hash, each.epoch) for each in life.alive} == {(life.code, life.daemon.epoch)}
