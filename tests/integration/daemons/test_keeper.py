"""The keeper on real databases: decided instances are submitted once, probes and heartbeats, two servers, people's wishes."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from fastflow.kernel.daemons.domain.errors import DaemonNotFound
from fastflow.kernel.daemons.infra.probes import PortProbe
from fastflow.kernel.daemons.router import build_router
from fastflow.kernel.daemons.service import DaemonKeeper, DaemonView
from fastflow.kernel.daemons.wiring import DaemonsRoom, build_daemons
from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.wakeups import Signals
from fastflow.kernel.executors.port import RunKey, ToldEvent
from fastflow.kernel.http.app import build_app
from fastflow.kernel.notifications.domain.channel import ChannelSettings
from fastflow.kernel.notifications.domain.outbox import Alert
from fastflow.kernel.notifications.domain.rule import RuleDefinition
from fastflow.kernel.notifications.infra.alert_store import SqlAlertStore
from fastflow.kernel.notifications.infra.daemon_alerts import DaemonAlerts
from fastflow.kernel.notifications.infra.deciding import EndAlerts
from fastflow.kernel.notifications.ports import NotificationFilter
from fastflow.kernel.notifications.wiring import build_notifications
from fastflow.kernel.pipelines.domain.faults import Fault
from fastflow.kernel.runs.domain import commands as command
from fastflow.kernel.runs.domain.capsule import Capsule
from fastflow.kernel.runs.domain.run import Ending, Run, RunFilter
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.comparing import KeptParts
from fastflow.kernel.runs.infra.lease_store import SqlLeaseStore
from fastflow.kernel.runs.infra.read_store import SqlReadStore
from fastflow.kernel.runs.infra.submit_store import SqlSubmitStore
from fastflow.kernel.runs.service import RunPolicy, RunService
from fastflow.kit.errors import Forbidden
from fastflow.kit.identity import Actor, Role
from fastflow.kit.secret_text import SecretText
from fastflow.testing.clock import FakeClock
from fastflow.testing.notification_doubles import MemorySender, PlainCipher
from fastflow.testing.run_doubles import MemoryCatalogue, MemoryEnvironments, MemorySecrets, RecordingWakeUp
from fastflow.testing.schedule_doubles import MemoryPipelines

FAULT = Fault(pipeline="demo", file="main.py", message="no", hint="mend it", line=1, severity="error")
ADMIN = Actor(name="user:ada", role=Role.ADMIN)
OPERATOR = Actor(name="user:olga", role=Role.OPERATOR)


class MemoryProbe:
    """Answers as the test says."""

    def __init__(self) -> None:
        self.sick: set[int] = set()
        self.asked: list[tuple[int, str]] = []

    async def ask(self, port: int, health: str) -> bool:
        """See `Probe.ask`."""
        self.asked.append((port, health))
        return port not in self.sick


@dataclass
class Desk:
    """Keepers of any number of servers, and a runner whose runs go on until the test ends them."""

    database: Database
    folder: Path
    clock: FakeClock
    catalogue: MemoryCatalogue = field(default_factory=MemoryCatalogue)
    probe: MemoryProbe = field(default_factory=MemoryProbe)
    wakeup: RecordingWakeUp = field(default_factory=RecordingWakeUp)

    def __post_init__(self) -> None:
        environments = MemoryEnvironments()
        self.store = SqlLeaseStore(self.database)
        self.runs = RunService(
            submits=SqlSubmitStore(self.database),
            reads=SqlReadStore(self.database),
            catalogue=self.catalogue,
            environments=environments,
            secrets=MemorySecrets(),
            comparison=KeptParts(self.catalogue, environments),
            wakeup=self.wakeup,
            expect=Signals().expect,
            clock=self.clock,
            policy=RunPolicy(logs_dir=self.folder, default_run_timeout=60.0, default_retries=3),
        )
        self.room: DaemonsRoom = build_daemons(
            self.database,
            runs=self.runs,
            pipelines=self.catalogue,
            wakeup=self.wakeup,
            alarm=DaemonAlerts(),
            host="host-1",
            clock=self.clock,
        )
        self.notifications = build_notifications(
            self.database,
            pipelines=MemoryPipelines(),
            cipher=PlainCipher(),
            data_dir=self.folder,
            logs_dir=self.folder,
            sender=MemorySender(),
            clock=self.clock,
        )

    def rule(self, *events: Any, **values: Any) -> None:
        """A rule that tells of `demo`, to a channel of its own."""
        channel = f"ops{len(self.notifications.channels.list(actor=ADMIN).items)}"
        self.notifications.channels.create(
            channel, [SecretText("json://example.org/x")], ChannelSettings(), actor=ADMIN
        )
        rule = RuleDefinition(pipeline_name="demo", channels=(channel,), events=events, **values)
        self.notifications.rules.create(rule, actor=OPERATOR)

    def alerts(self) -> list[Alert]:
        """Every alert, earliest first."""
        return [view.alert for view in reversed(self.notifications.alerts.list(actor=OPERATOR).items)]

    def keeper(self, owner: str = "one", host: str = "host-1") -> DaemonKeeper:
        return DaemonKeeper(
            store=self.room.store,
            runs=self.runs,
            pipelines=self.catalogue,
            probe=self.probe,
            clock=self.clock,
            host=host,
            owner=owner,
        )

    def begin(self) -> None:
        """Claim what waits, and start it."""
        now = self.clock.now()
        wanted = command.Claim(owner="me", host="host-1", max_concurrent=99, limit=99)
        for run in self.store.apply([wanted], now)[0].runs:
            lease = command.Lease(run_id=run.id, token=1)
            setup = command.RecordSetup(lease=lease, environment="e" * 64, interpreter="x", uv_version="1")
            start = command.RecordStart(setup=setup, started_at=now, setup_duration=0.0, isolation={})
            self.store.apply([start], now)

    def end(self, run: Run, **values: Any) -> None:
        usual = {"status": RunStatus.FAILED, "reason": "exit", "reason_text": "x", "finished_at": self.clock.now()}
        ending = Ending(**{**usual, **values})
        self.store.apply([command.Finish(lease=command.Lease(run_id=run.id, token=1), ending=ending)], self.clock.now())

    def live(self) -> list[Run]:
        found = self.runs.list(RunFilter(trigger="daemon"), actor=OPERATOR).items
        return [run for run in found if not run.has_ended]

    def view(self) -> DaemonView:
        return self.room.daemons.get("demo", actor=OPERATOR)

    def events(self) -> list[str]:
        return [event.kind for event in reversed(self.room.daemons.list_events("demo", actor=OPERATOR).items)]


@pytest.fixture
def desk(database: Database, data_dir: Path, clock: FakeClock) -> Desk:
    return Desk(database, data_dir, clock)


async def settle(desk: Desk, keeper: DaemonKeeper, rounds: int = 2, seconds: float = 6.0) -> None:
    for _ in range(rounds):
        await keeper.look()
        desk.begin()
        desk.clock.advance(seconds)


async def test_daemon_when_declared_then_its_instances_run_without_a_timeout_or_retries(desk: Desk) -> None:
    desk.catalogue.add("demo", daemon={"instances": 2, "port": 9000, "health": "/"})
    keeper = desk.keeper()
    await settle(desk, keeper, 3)
    assert len(desk.live()) == 2 and desk.view().state == "running"
    capsules = [Capsule.from_json(run.capsule) for run in desk.live()]
    assert {(capsule.timeouts.run, capsule.retry) for capsule in capsules} == {(None, None)}
    assert [dict(capsule.daemon or {}) for capsule in reversed(capsules)] == [
        {"instance": 1, "port": 9000},
        {"instance": 2, "port": 9001},
    ]
    assert set(desk.probe.asked) == {(9000, "/"), (9001, "/")}


async def test_daemon_when_an_instance_crashes_then_it_is_started_again_and_told(desk: Desk) -> None:
    desk.catalogue.add("demo", daemon={})
    keeper = desk.keeper()
    await settle(desk, keeper, 3)
    (first,) = desk.live()
    desk.end(first, reason_text="the script ended with exit code 3")
    await settle(desk, keeper, 3)
    (second,) = desk.live()
    assert second.id != first.id and desk.events() == ["healthy", "crashed", "healthy"]
    crashed = desk.room.daemons.list_events("demo", actor=OPERATOR).items[1]
    assert "exit code 3" in crashed.text and crashed.run_id == first.id


async def crash(desk: Desk, keeper: DaemonKeeper, times: int, **values: Any) -> None:
    """Let the daemon's one instance end so often as soon as it is there."""
    for _ in range(times):
        while not desk.live():
            await settle(desk, keeper, 1)
        desk.end(desk.live()[0], **{"reason_text": "exit code 3", **values})
        await keeper.look()


async def test_daemon_when_it_crash_loops_then_it_is_told_once_with_its_trouble_and_so_is_its_recovery(
    desk: Desk,
) -> None:
    for events, values in ((("crash-loop",), {}), (("failure", "recovery"), {}), (("failure",), {"reasons": ("oom",)})):
        desk.rule(*events, **values)
    desk.catalogue.add("demo", daemon={"crash_loop": 3, "delay": "1s", "stable": "1m"})
    keeper = desk.keeper()
    await crash(desk, keeper, 2)
    assert desk.alerts() == [] and "exit code 3, after" in str(desk.view().trouble)
    await crash(desk, keeper, 2)
    view = desk.view()
    assert view.state == "crash-loop" and str(view.trouble).endswith("; 4 restarts within an hour")
    alerts = desk.alerts()
    assert [(alert.event, alert.facts["crashes"], alert.facts["restarts"]) for alert in alerts] == [
        ("crash-loop", 3, 3)
    ] * 2
    outbox = SqlAlertStore(desk.database).load_notifications(NotificationFilter(), before_id=None, limit=10)
    assert sorted(one.channel for one, _ in outbox) == ["ops0", "ops1"]
    await settle(desk, keeper, 20)
    (_, _, recovery) = after = desk.alerts()
    assert (recovery.event, recovery.facts["failures"]) == ("recovery", 4) and desk.view().trouble is None
    assert all(alert.resolved_at is not None for alert in after)


async def test_daemon_when_its_instances_end_with_0_and_1_by_turns_then_no_recovery_is_told_before_one_is_stable(
    desk: Desk,
) -> None:
    desk.store = SqlLeaseStore(desk.database, at_end=[EndAlerts()])
    desk.rule("failure", "recovery")
    desk.catalogue.add("demo", daemon={"crash_loop": 5, "delay": "1s", "max_delay": "2s", "stable": "1m"})
    keeper = desk.keeper()
    for values in ({}, {"status": RunStatus.SUCCESS, "reason": None}) * 2:
        await crash(desk, keeper, 1, **values)
    assert [alert.event for alert in desk.alerts()] == ["failure", "failure"]
    assert all(alert.resolved_at is None for alert in desk.alerts())
    await crash(desk, keeper, 4)  # the first of them makes it a loop, which is told instead of the others
    assert [alert.event for alert in desk.alerts()] == ["failure"] * 3 + ["crash-loop"]
    await settle(desk, keeper, 20)
    assert [alert.event for alert in desk.alerts()] == ["failure"] * 3 + ["crash-loop", "recovery"]
    assert all(alert.resolved_at is not None for alert in desk.alerts())


async def test_daemon_when_new_code_ends_its_crashes_before_they_are_a_loop_then_it_recovers(desk: Desk) -> None:
    desk.store = SqlLeaseStore(desk.database, at_end=[EndAlerts()])
    desk.rule("failure", "recovery")
    desk.catalogue.add("demo", daemon={"crash_loop": 5, "delay": "1s", "stable": "1m"})
    keeper = desk.keeper()
    await crash(desk, keeper, 2)
    desk.catalogue.tree_hash = "n" * 64
    await settle(desk, keeper, 20)
    assert [alert.event for alert in desk.alerts()] == ["failure", "failure", "recovery"]
    assert all(alert.resolved_at is not None for alert in desk.alerts())


async def test_daemon_when_a_looping_one_is_stopped_then_the_alert_is_over_without_a_recovery(desk: Desk) -> None:
    desk.rule("crash-loop", "recovery")
    desk.catalogue.add("demo", daemon={"crash_loop": 2})
    await crash(desk, desk.keeper(), 2)
    assert [alert.resolved_at for alert in desk.alerts()] == [None]
    desk.room.daemons.wish("demo", "stopped", actor=OPERATOR)
    (alert,) = desk.alerts()
    assert alert.resolved_at is not None and desk.view().daemon.crash_loop_since is None


async def test_keepers_when_two_look_after_one_daemon_then_there_is_one_instance(desk: Desk) -> None:
    desk.catalogue.add("demo", daemon={})
    keepers = [desk.keeper(owner) for owner in ("one", "two", "three")]
    await asyncio.gather(*(keeper.look() for keeper in keepers))
    await asyncio.gather(*(keeper.look() for keeper in keepers))
    assert len(desk.live()) == 1
    desk.clock.advance(60)  # the first one's lease is over: any other goes on
    await keepers[2].look()
    assert len(desk.live()) == 1


async def test_keeper_when_killed_between_deciding_and_submitting_then_the_next_one_submits_once(desk: Desk) -> None:
    desk.catalogue.add("demo", daemon={})
    keeper = desk.keeper()
    await keeper.look()
    (run,) = desk.live()
    with desk.database.write() as connection:  # as if the note of the submission had not been made
        connection.execute(text("UPDATE daemon_instance SET run_id = NULL, tree_hash = NULL"))
    desk.clock.advance(60)
    await desk.keeper("two").look()
    assert [each.id for each in desk.live()] == [run.id]
    assert [each.run.id for each in desk.view().instances if each.run] == [run.id]


async def test_keeper_when_killed_before_it_noted_a_run_of_a_daemon_that_is_stopped_then_the_run_is_stopped(
    desk: Desk,
) -> None:
    desk.catalogue.add("demo", daemon={})
    await settle(desk, desk.keeper(), 1)
    (run,) = desk.live()
    with desk.database.write() as connection:
        connection.execute(text("UPDATE daemon_instance SET run_id = NULL, tree_hash = NULL"))
    desk.room.daemons.wish("demo", "stopped", actor=OPERATOR)
    desk.clock.advance(60)
    await settle(desk, desk.keeper("two"), 2)
    assert desk.runs.get(run.id, actor=OPERATOR).cancel_requested_by == "system"


async def test_keeper_when_an_instance_was_given_up_while_it_submitted_then_its_run_is_stopped(desk: Desk) -> None:
    desk.catalogue.add("demo", daemon={})
    keeper = desk.keeper()
    submit = desk.runs.submit

    def slowly(*args: Any, **values: Any) -> Run:
        run = submit(*args, **values)
        with desk.database.write() as connection:  # as another server does under a daemon that was stopped
            connection.execute(text("DELETE FROM daemon_instance"))
        return run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desk.runs, "submit", slowly)
        await keeper.look()
    assert desk.live() == []


async def test_keeper_when_all_is_well_then_nothing_is_written(desk: Desk) -> None:
    desk.catalogue.add("demo", daemon={})
    keeper = desk.keeper()
    await settle(desk, keeper, 3)

    def refuse() -> Any:
        raise AssertionError("it wrote")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desk.database, "write", refuse)
        desk.clock.advance(6)
        await keeper.look()


async def test_keeper_when_killed_between_deciding_and_stopping_then_the_next_one_stops(desk: Desk) -> None:
    desk.catalogue.add("demo", daemon={})
    await settle(desk, desk.keeper(), 2)
    (run,) = desk.live()
    with desk.database.write() as connection:
        connection.execute(text("UPDATE daemon_instance SET stopping = 'it is replaced'"))
    desk.clock.advance(60)
    await desk.keeper("two").look()
    assert desk.runs.get(run.id, actor=OPERATOR).cancel_requested_by == "system"


async def test_code_when_it_changes_then_the_new_instance_is_well_before_the_old_one_is_stopped(desk: Desk) -> None:
    desk.catalogue.add("demo", daemon={"port": 9000, "health": "tcp"})
    keeper = desk.keeper()
    await settle(desk, keeper, 3)
    (old,) = desk.live()
    desk.catalogue.tree_hash = "n" * 64
    desk.probe.sick.add(9001)
    await settle(desk, keeper, 3)
    assert len(desk.live()) == 2 and desk.runs.get(old.id, actor=OPERATOR).cancel_requested_at is None
    desk.probe.sick.clear()
    await settle(desk, keeper, 3)
    assert desk.runs.get(old.id, actor=OPERATOR).cancel_requested_by == "system"
    desk.end(old, reason="cancelled")
    await settle(desk, keeper, 2)
    assert [run.capsule["tree_hash"] for run in desk.live()] == ["n" * 64] and desk.view().state == "running"


async def test_code_when_it_is_broken_then_what_runs_goes_on(desk: Desk) -> None:
    desk.catalogue.add("demo", daemon={})
    keeper = desk.keeper()
    await settle(desk, keeper, 3)
    desk.catalogue.add("demo", daemon={"nonsense": 1}, faults=(FAULT,))
    await settle(desk, keeper, 3)
    (run,) = desk.live()
    assert run.cancel_requested_at is None
    keeper = desk.keeper("one")  # a new process, which never saw it whole
    desk.catalogue.add("demo", daemon=None, faults=(FAULT,))
    await settle(desk, keeper, 3)
    assert desk.live()[0].cancel_requested_at is None
    desk.catalogue.remove("demo")
    await settle(desk, keeper, 2)
    assert desk.live()[0].cancel_requested_at is not None


async def test_instance_when_its_heart_stops_then_it_is_ended_as_a_crash(desk: Desk) -> None:
    desk.catalogue.add("demo", daemon={"heartbeat": "30s"})
    keeper = desk.keeper()
    await settle(desk, keeper, 1)
    (run,) = desk.live()
    key = RunKey(run_id=run.id, token=1)
    event = ToldEvent(key=key, offset=0, at=desk.clock.now(), kind="progress", data={"progress": 0.5})
    lease = command.Lease(run_id=run.id, token=1)
    desk.store.apply([command.RecordEvents(lease=lease, events=(event,))], desk.clock.now())
    await settle(desk, keeper, 2)
    assert desk.view().state == "running"
    desk.clock.advance(60)
    await settle(desk, keeper, 2)
    after = desk.runs.get(run.id, actor=OPERATOR)
    assert after.cancel_requested_at is not None
    desk.end(after, reason="cancelled")
    await settle(desk, keeper, 2)
    assert desk.events()[:3] == ["healthy", "unhealthy", "crashed"] and len(desk.live()) == 1


async def test_daemon_when_stopped_then_it_stays_so_across_servers_until_it_is_started(desk: Desk) -> None:
    desk.catalogue.add("demo", daemon={})
    await settle(desk, desk.keeper(), 2)
    (run,) = desk.live()
    desk.room.daemons.wish("demo", "stopped", actor=OPERATOR)
    assert desk.wakeup.to_runner[-1] == "daemons"
    await settle(desk, desk.keeper(), 1)
    desk.end(run, reason="cancelled")
    desk.clock.advance(60)
    await settle(desk, desk.keeper("another"), 3)
    assert desk.live() == [] and desk.view().state == "stopped"
    desk.room.daemons.wish("demo", "running", actor=OPERATOR)
    await settle(desk, desk.keeper("another"), 2)
    assert len(desk.live()) == 1
    with desk.database.read() as connection:
        actions = (
            connection.execute(text("SELECT action FROM audit WHERE action LIKE 'daemon%' ORDER BY id")).scalars().all()
        )
    assert actions == ["daemon.stop", "daemon.start"]


async def test_daemon_when_it_cannot_be_started_then_it_says_why_and_tries_again(desk: Desk) -> None:
    desk.catalogue.add("demo", daemon={}, executor="nowhere")
    keeper = desk.keeper()
    await settle(desk, keeper, 1)
    await settle(desk, keeper, 4, seconds=10.0)
    assert "There is no executor 'nowhere'" in str(desk.view().daemon.trouble) and desk.live() == []
    assert desk.events() == ["trouble"]  # the same again and again is told once
    desk.catalogue.add("demo", daemon={})
    await settle(desk, keeper, 4)
    assert len(desk.live()) == 1 and desk.view().daemon.trouble is None


def test_daemon_when_the_asker_may_not_then_it_is_refused(desk: Desk) -> None:
    desk.catalogue.add("demo", daemon={})
    daemons = desk.room.daemons
    with pytest.raises(Forbidden):
        daemons.wish("demo", "stopped", actor=Actor(name="user:vera", role=Role.VIEWER))
    stranger = replace(OPERATOR, pipelines=("other",))
    with pytest.raises(Forbidden):
        daemons.restart("demo", actor=stranger)
    assert daemons.list(actor=stranger).items == []
    with pytest.raises(DaemonNotFound, match=r"There is no pipeline 'dema'\. Did you mean 'demo'\?"):
        daemons.restart("dema", actor=OPERATOR)
    desk.catalogue.add("plain")
    with pytest.raises(DaemonNotFound, match="The pipeline 'plain' is no daemon"):
        daemons.get("plain", actor=OPERATOR)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_daemons_when_asked_for_over_http_then_they_are_shown(desk: Desk) -> None:
    desk.catalogue.add("demo", daemon={})
    desk.catalogue.add("second", daemon={})
    app = build_app([build_router(desk.room.daemons)], authenticate=lambda _request: OPERATOR)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        page = (await client.get("/daemons", params={"limit": 1})).json()
        rest = (await client.get("/daemons", params={"limit": 1, "cursor": page["next_cursor"]})).json()
        assert [each["pipeline_name"] for each in (*page["items"], *rest["items"])] == ["demo", "second"]
        for verb, wish in (("pause", "paused"), ("stop", "stopped"), ("restart", "running"), ("start", "running")):
            answer = await client.post(f"/daemons/demo/{verb}")
            assert (answer.status_code, answer.json()["wish"]) == (202, wish)
        events = (await client.get("/daemons/demo/events")).json()["items"]
        assert [event["kind"] for event in events] == ["start", "restart", "stop", "pause"]
        assert (await client.get("/daemons/none")).json()["code"] == "daemon_not_found"


# -- the real probe ----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server that answers 200 at `/`, and 503 elsewhere."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        words = (await reader.readline()).split()
        status = b"200 OK" if words[1:2] == [b"/"] else b"503 Away"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_probe_when_a_port_is_asked_then_it_says_whether_it_is_well(port: int) -> None:
    probe = PortProbe()
    assert await probe.ask(port, "/")
    assert not await probe.ask(port, "/away")
    assert await probe.ask(port, "tcp")
    assert not await probe.ask(1, "tcp")


def test_pause_when_lease_is_held_then_another_waits_for_its_end(desk: Desk) -> None:
    desk.room.store.declare(["demo"], desk.clock.now())

    def nothing(daemon: Any, _instances: Any) -> Any:
        from fastflow.kernel.daemons.domain.deciding import Decision

        return Decision(daemon=daemon)

    advance = desk.room.store.advance
    assert advance("demo", "one", nothing, desk.clock.now()) is not None
    assert advance("demo", "two", nothing, desk.clock.now()) is None
    assert advance("demo", "two", nothing, desk.clock.now() + timedelta(seconds=16)) is not None
