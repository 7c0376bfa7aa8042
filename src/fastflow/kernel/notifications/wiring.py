"""Assembles notifications: the services for the web process and the command line, the worker for the runner process."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fastflow.kernel.db.engine import Database
from fastflow.kernel.notifications.infra.alert_store import SqlAlertStore
from fastflow.kernel.notifications.infra.channel_store import SqlChannelStore
from fastflow.kernel.notifications.infra.log_tail import RunLogTail
from fastflow.kernel.notifications.infra.outbox_store import SqlOutbox
from fastflow.kernel.notifications.infra.rule_store import SqlRuleStore
from fastflow.kernel.notifications.infra.sending import AppriseSender
from fastflow.kernel.notifications.infra.sights import SqlSights
from fastflow.kernel.notifications.ports import Cipher, Pipelines, Sender
from fastflow.kernel.notifications.service import (
    LOW_DISK_BYTES,
    AlertService,
    ChannelService,
    DeclaredRules,
    Deliverer,
    Notifier,
    NotifierRules,
    RuleService,
    Watcher,
)
from fastflow.kernel.runs.wiring import read_host_id
from fastflow.kit.clock import Clock, SystemClock
from fastflow.kit.ids import new_id


@dataclass(frozen=True, kw_only=True)
class NotificationsRoom:
    """The services of the room, and what makes its worker."""

    channels: ChannelService
    rules: RuleService
    alerts: AlertService
    declared: DeclaredRules
    make_notifier: Callable[[], Notifier]


def build_notifications(
    database: Database,
    *,
    pipelines: Pipelines,
    cipher: Cipher,
    data_dir: Path,
    logs_dir: Path,
    url: str | None = None,
    alert_days: float | None = 90.0,
    low_disk_bytes: int | None = None,
    sender: Sender | None = None,
    clock: Clock | None = None,
) -> NotificationsRoom:
    """Notifications on the product's database.

    Args:
        database: migrated.
        pipelines: what can be run.
        cipher: encrypts addresses.
        data_dir: its id tells this server from others.
        logs_dir: where the last lines of a run are read.
        url: where people reach the server, for links; None: there are none.
        alert_days: days an alert is kept; None: for ever.
        low_disk_bytes: free space below which it is told; None: 512 MB.
        sender: None: Apprise.
        clock: None: the machine's own.
    """
    clock = clock or SystemClock()
    sender = sender or AppriseSender()
    store, rule_store = SqlChannelStore(database), SqlRuleStore(database)
    channels = ChannelService(store=store, rules=rule_store, cipher=cipher, sender=sender, clock=clock, url=url)
    declared = DeclaredRules(rule_store, pipelines, clock)
    host = read_host_id(data_dir)

    def free_space() -> Mapping[str, int]:
        folders = {"DATA_DIR": data_dir, "LOGS_DIR": logs_dir}
        return {name: shutil.disk_usage(folder).free for name, folder in folders.items() if folder.exists()}

    def make_notifier() -> Notifier:
        sights = SqlSights(database, host=host)
        deliverer = Deliverer(
            outbox=SqlOutbox(database, owner=f"{host}/{new_id()}"),
            sender=sender,
            reveal=channels.reveal,
            logs=RunLogTail(database, logs_dir),
            clock=clock,
            url=url,
        )
        watcher = Watcher(
            sights=sights, disk=free_space, host=host, clock=clock, low_disk_bytes=low_disk_bytes or LOW_DISK_BYTES
        )
        rules = NotifierRules(alert_days=alert_days)
        return Notifier(
            deliverer=deliverer, watcher=watcher, declared=declared, sights=sights, rules=rules, clock=clock
        )

    return NotificationsRoom(
        channels=channels,
        rules=RuleService(store=rule_store, channels=store, pipelines=pipelines, clock=clock),
        alerts=AlertService(SqlAlertStore(database), clock, url=url),
        declared=declared,
        make_notifier=make_notifier,
    )
