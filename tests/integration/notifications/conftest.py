"""Notifications on a real database under a clock that the test moves, with a sender that remembers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from fastflow.kernel.db.engine import Database
from fastflow.kernel.notifications.domain.channel import Channel, ChannelSettings
from fastflow.kernel.notifications.domain.outbox import Alert, Notification
from fastflow.kernel.notifications.domain.rule import Rule, RuleDefinition
from fastflow.kernel.notifications.infra.alert_store import SqlAlertStore
from fastflow.kernel.notifications.infra.deciding import EndAlerts
from fastflow.kernel.notifications.infra.outbox_store import SqlOutbox
from fastflow.kernel.notifications.infra.sights import SqlSights
from fastflow.kernel.notifications.ports import AlertFilter, NotificationFilter
from fastflow.kernel.notifications.service import Deliverer, Watcher
from fastflow.kernel.notifications.wiring import NotificationsRoom, build_notifications
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.at_end import Ends, ended_on_arrival
from fastflow.kernel.runs.infra.rows import RUN, values_of
from fastflow.kit.identity import Actor, Role
from fastflow.kit.secret_text import SecretText
from fastflow.testing.clock import FakeClock
from fastflow.testing.notification_doubles import MemoryLogTail, MemorySender, PlainCipher
from fastflow.testing.run_doubles import make_run
from fastflow.testing.schedule_doubles import MemoryPipelines

OPERATOR = Actor(name="user:olga", role=Role.OPERATOR)
ADMIN = Actor(name="user:ada", role=Role.ADMIN)
URL = "json://example.org/hook-secret"


@dataclass
class Desk:
    """The services, what they stand on, and workers of any number of servers."""

    database: Database
    folder: Path
    clock: FakeClock
    pipelines: MemoryPipelines = field(default_factory=MemoryPipelines)
    sender: MemorySender = field(default_factory=MemorySender)
    logs: MemoryLogTail = field(default_factory=MemoryLogTail)
    free: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.room: NotificationsRoom = build_notifications(
            self.database,
            pipelines=self.pipelines,
            cipher=PlainCipher(),
            data_dir=self.folder,
            logs_dir=self.folder,
            sender=self.sender,
            url="https://flow.example.org",
            clock=self.clock,
        )
        self.sights = SqlSights(self.database, host="host-1")
        self.watcher = Watcher(sights=self.sights, disk=lambda: self.free, host="host-1", clock=self.clock)

    def channel(self, name: str = "ops", *urls: str, **settings: Any) -> Channel:
        addresses = [SecretText(url) for url in urls or (URL,)]
        return self.room.channels.create(name, addresses, ChannelSettings(**settings), actor=ADMIN)

    def rule(self, *events: Any, **values: Any) -> Rule:
        given = {"pipeline_name": "demo", "channels": ("ops",), "events": events or ("failure",)}
        return self.room.rules.create(RuleDefinition(**{**given, **values}), actor=OPERATOR).rule

    def worker(self, owner: str = "host-1/1") -> Deliverer:
        return Deliverer(
            outbox=SqlOutbox(self.database, owner=owner),
            sender=self.sender,
            reveal=self.room.channels.reveal,
            logs=self.logs,
            clock=self.clock,
            url="https://flow.example.org",
        )

    def deliver(self, owner: str = "host-1/1") -> int:
        """Send what is due; how many messages."""
        worker = self.worker(owner)
        batches = worker.claim()
        for batch in batches:
            worker.deliver(batch)
        return len(batches)

    def keep(self, run: Run) -> Run:
        with self.database.write() as connection:
            connection.execute(insert(RUN), values_of(run))
        return run

    def end(self, status: str = "FAILED", *, took: float = 10.0, **values: Any) -> Run:
        """A run that ends now, with what follows from it, in one transaction."""
        now = self.clock.now()
        given: dict[str, Any] = {
            "status": RunStatus(status),
            "started_at": now - timedelta(seconds=took),
            "finished_at": now,
            "queued_at": now - timedelta(seconds=took),
            "exit_code": 0,
        }
        if status == "FAILED":
            given |= {"reason": "exit", "reason_text": "exit code 3", "exit_code": 3}
        run = make_run(**{**given, **values})
        with self.database.write() as connection:
            connection.execute(insert(RUN), values_of(run))
            Ends([EndAlerts()]).tell(connection, ended_on_arrival(run), now, guarded=False)
        return run

    def alerts(self) -> list[Alert]:
        """Every alert, earliest first."""
        found = SqlAlertStore(self.database).load_alerts(AlertFilter(), before_id=None, limit=500)
        return list(reversed(found))

    def outbox(self) -> list[Notification]:
        """Every row, earliest first."""
        found = SqlAlertStore(self.database).load_notifications(NotificationFilter(), before_id=None, limit=500)
        return [one for one, _ in reversed(found)]

    def states(self) -> list[str]:
        return [one.state.value for one in self.outbox()]

    def at(self, moment: datetime) -> None:
        self.clock.set(moment)


@pytest.fixture
def desk(database: Database, data_dir: Path, clock: FakeClock) -> Desk:
    return Desk(database, data_dir, clock)


@pytest.fixture
def desk_of(data_dir: Path, clock: FakeClock) -> Callable[[Database], Desk]:
    """A desk on another connection pool, as another server has one."""
    return lambda database: Desk(database, data_dir, clock)
