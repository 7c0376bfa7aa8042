"""The rooms of the product: each assembled from the settings and the rooms below it.

Rooms are imported and assembled where they are first used: a server uses all of them from its start, a command of the
command line only those it speaks to, as each start pays for what it imports.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from fastflow.kernel.db.engine import Database
from fastflow.kit.clock import Clock
from fastflow.kit.deferred import deferred
from fastflow.settings import Settings
from fastflow.terms import (
    disk_floor,
    docker_settings,
    low_disk_bytes,
    run_policy,
    runs_on_nodes,
    settings_repository,
    starts_from_image,
    sync_rules,
    tracing_settings,
    uv_binary,
)

if TYPE_CHECKING:
    from fastflow.apps.churn.manifest import ChurnRoom
    from fastflow.kernel.audit.service import AuditLog
    from fastflow.kernel.daemons.wiring import DaemonsRoom
    from fastflow.kernel.environments.infra.uv_builder import LinkMode
    from fastflow.kernel.environments.service import EnvironmentService
    from fastflow.kernel.failures.wiring import FailuresRoom
    from fastflow.kernel.flows.infra.engine import FlowEngine
    from fastflow.kernel.flows.wiring import FlowsRoom
    from fastflow.kernel.metrics.wiring import MetricsRoom
    from fastflow.kernel.notifications.wiring import NotificationsRoom
    from fastflow.kernel.pipelines.infra.archives import SharedSnapshots
    from fastflow.kernel.pipelines.infra.snapshots import DiskSnapshots
    from fastflow.kernel.pipelines.service import PipelineCatalog
    from fastflow.kernel.runs.domain.run import Run
    from fastflow.kernel.runs.infra.at_end import AtEnd
    from fastflow.kernel.runs.log_service import LogService
    from fastflow.kernel.runs.ports import Beside
    from fastflow.kernel.runs.service import RunService
    from fastflow.kernel.runs.wiring import RunsRoom
    from fastflow.kernel.schedules.wiring import SchedulesRoom
    from fastflow.kernel.secrets.service import SecretService
    from fastflow.kernel.secrets.wiring import SecretsRoom
    from fastflow.kernel.sync.infra.active import ActiveSources
    from fastflow.kernel.sync.wiring import SyncRoom
    from fastflow.kernel.tracing.wiring import TracingRoom
    from fastflow.kernel.users.service import FederatedLogins, LoginService, TokenService, UserService
    from fastflow.kernel.users.wiring import UsersRoom
    from fastflow.kernel.webhooks.service import WebhookService

T = TypeVar("T")

ROOMS = (
    "users_room", "secrets_room", "environments", "pipelines", "runs_room", "schedules", "notifications", "flows", "sync",
    "audit", "daemons", "failures", "webhooks", "logs", "metrics", "tracing", "churn",
)  # fmt: skip
"""What a server has from its start."""


class Rooms:
    """The product's services; each process assembles them from the same settings.

    Args:
        settings: checked.
        database: migrated.
        clock: tells the time.
        with_repositories: False: the catalogue is PIPELINES_DIR alone, whatever is active of repositories.
        at_need: a room is assembled when it is first used, for one thread at a time; False: all of them now.

    Raises:
        InvalidInput: a setting cannot be used (`at_need`: whatever first uses its room raises).
    """

    def __init__(
        self, settings: Settings, database: Database, clock: Clock, *, with_repositories: bool, at_need: bool
    ) -> None:
        self.settings = settings
        self.database = database
        self.clock = clock
        self._with_repositories = with_repositories
        self._at_need = at_need
        needed_now = ("sync",) if settings.git_url is not None else ()  # its repository may be new
        for room in needed_now if at_need else ROOMS:
            getattr(self, room)

    def has(self, room: str) -> bool:
        """Whether the room is assembled already."""
        return room in vars(self)

    def _later(self, make: Callable[[], T]) -> T:
        """What a room needs of another one."""
        return deferred(make) if self._at_need else make()

    # -- access -----------------------------------------------------------------------------------------------------------

    @cached_property
    def users_room(self) -> "UsersRoom":
        """Users, logins and tokens."""
        from fastflow.kernel.users.wiring import OidcSetup, build_users

        settings = self.settings
        return build_users(self.database, oidc=OidcSetup.of(settings.oidc), clock=self.clock, **settings.sessions)

    @property
    def users(self) -> "UserService":
        """Users."""
        return self.users_room.users

    @property
    def logins(self) -> "LoginService":
        """Logins and sessions."""
        return self.users_room.logins

    @property
    def federated(self) -> "FederatedLogins | None":
        """Logins with a provider; None: there is none."""
        return self.users_room.federated

    @property
    def tokens(self) -> "TokenService":
        """Tokens."""
        return self.users_room.tokens

    @cached_property
    def secrets_room(self) -> "SecretsRoom":
        """Secrets and what encrypts them."""
        from fastflow.kernel.notifications.infra.channel_store import SqlChannelStore
        from fastflow.kernel.secrets.wiring import build_secrets
        from fastflow.kernel.webhooks.infra.store import SqlWebhookStore

        key = self.settings.encryption_key
        return build_secrets(
            self.database,
            encryption_key=None if key is None else key.get_secret_value(),
            data_dir=self.settings.data_dir,
            holders=(SqlChannelStore(self.database), SqlWebhookStore(self.database)),
            clock=self.clock,
        )

    @property
    def secrets(self) -> "SecretService":
        """Secrets."""
        return self.secrets_room.secrets

    @property
    def made_key_file(self) -> Path | None:
        """The encryption key file that was made just now; None when there was a key already."""
        return self.secrets_room.made_key_file

    @cached_property
    def audit(self) -> "AuditLog":
        """The audit log."""
        from fastflow.kernel.audit.wiring import build_audit

        return build_audit(self.database, retention_days=self.settings.audit_retention_days, clock=self.clock)

    # -- pipelines --------------------------------------------------------------------------------------------------------

    @cached_property
    def environments(self) -> "EnvironmentService":
        """Environments."""
        return _environments(self.settings, self.database, self.clock)

    @cached_property
    def _sources(self) -> "ActiveSources":
        from fastflow.kernel.sync.wiring import build_sources

        return build_sources(self.database, is_hidden=not self._with_repositories)

    @cached_property
    def _snapshots(self) -> "DiskSnapshots | SharedSnapshots":
        from fastflow.kernel.pipelines.wiring import open_snapshots

        return open_snapshots(self.database, self.settings.data_dir, self.clock)

    @cached_property
    def pipelines(self) -> "PipelineCatalog":
        """The catalogue."""
        from fastflow.kernel.executors.registry import kinds
        from fastflow.kernel.judges import GRAPH_JUDGES, JUDGES
        from fastflow.kernel.pipelines.wiring import build_pipelines
        from fastflow.workbenches import SHIPPED

        return build_pipelines(
            self.database,
            pipelines_dir=self.settings.pipelines_dir,
            data_dir=self.settings.data_dir,
            known_executors=kinds(),
            judges=JUDGES,
            graph_judges=GRAPH_JUDGES,
            sources=self._sources,
            snapshots=self._snapshots,
            shipped=SHIPPED,
            clock=self.clock,
        )

    @cached_property
    def sync(self) -> "SyncRoom":
        """Repositories."""
        from fastflow.kernel.executors.registry import kinds
        from fastflow.kernel.judges import GRAPH_JUDGES, JUDGES, find_followers
        from fastflow.kernel.pipelines.wiring import preview_pipelines
        from fastflow.kernel.sync.wiring import build_sync

        settings, snapshots = self.settings, self._snapshots
        room = build_sync(
            self.database,
            sources=self._sources,
            snapshots=snapshots,
            pipelines=self.pipelines,
            preview=partial(
                preview_pipelines,
                pipelines_dir=settings.pipelines_dir,
                snapshots=snapshots,
                known_executors=kinds(),
                judges=JUDGES,
            ),
            environments=self._later(lambda: self.environments),
            schedules=self._later(lambda: self.schedules.declared),
            runs=self._later(lambda: self.runs),
            flows=self._later(lambda: self.flows.flows),
            secrets=self._later(lambda: self.secrets),
            wakeup=self.runs_room.sender,
            expect=self.runs_room.signals.expect,
            data_dir=settings.data_dir,
            rules=sync_rules(settings),
            graph_judges=GRAPH_JUDGES,
            followers=find_followers,
            left_behind=partial(_left_behind, self.database),
            is_elsewhere=partial(starts_from_image, settings),
            why_not=disk_floor(settings),
            is_on_nodes=partial(runs_on_nodes, settings),
            clock=self.clock,
        )
        room.adopt(settings_repository(settings))
        return room

    # -- runs -------------------------------------------------------------------------------------------------------------

    @cached_property
    def _engine(self) -> "FlowEngine":
        from fastflow.kernel.flows.infra.engine import FlowEngine
        from fastflow.kernel.notifications.infra.approval_alerts import ApprovalAlerts

        return FlowEngine(ApprovalAlerts())

    @cached_property
    def at_end(self) -> "Sequence[AtEnd]":
        """The features that act inside the transaction that ends a run, in the order in which they act."""
        from fastflow.kernel.failures.infra.keeping import DeadLetters
        from fastflow.kernel.flows.wiring import flows_at_end
        from fastflow.kernel.metrics.infra.at_end import CountedEnds
        from fastflow.kernel.notifications.infra.deciding import EndAlerts
        from fastflow.kernel.runs.infra.retrying import Retries

        # the retries first: the others see whether a failure is the last word
        return (Retries(), DeadLetters(), flows_at_end(self._engine), EndAlerts(), CountedEnds(), *self.tracing.at_end)

    @cached_property
    def runs_room(self) -> "RunsRoom":
        """Runs, and how they are heard of."""
        from fastflow.kernel.runs.wiring import build_runs

        room = build_runs(
            self.database,
            catalogue=self._later(lambda: self.pipelines),
            environments=self._later(lambda: self.environments),
            secrets=self._later(lambda: self.secrets),
            data_dir=self.settings.data_dir,
            policy=run_policy(self.settings),
            at_end=self._later(lambda: self.at_end),
            clock=self.clock,
        )
        room.runs.follow(self._find_followers)
        return room

    def _find_followers(self, pipeline_name: str) -> "Beside | None":
        return self.flows.find_followers(pipeline_name)

    @property
    def runs(self) -> "RunService":
        """Runs."""
        return self.runs_room.runs

    @cached_property
    def logs(self) -> "LogService":
        """Logs, events and artifacts."""
        from fastflow.kernel.runs.log_wiring import build_log_service

        return build_log_service(
            self.database,
            logs_dir=self.settings.logs_dir,
            artifacts_dir=self._artifacts_dir,
            stream_rate=self.settings.log_stream_rate_limit,
        )

    @property
    def _artifacts_dir(self) -> Path:
        return self.settings.data_dir / "artifacts"

    # -- around runs ------------------------------------------------------------------------------------------------------

    @cached_property
    def schedules(self) -> "SchedulesRoom":
        """Schedules."""
        from fastflow.kernel.schedules.wiring import build_schedules

        return build_schedules(
            self.database,
            pipelines=self._later(lambda: self.pipelines),
            runs=self._later(lambda: self.runs),
            wakeup=self.runs_room.sender,
            data_dir=self.settings.data_dir,
            grace=self.settings.schedule_grace,
            ledger_days=self.settings.schedule_ledger_days,
            clock=self.clock,
        )

    @cached_property
    def daemons(self) -> "DaemonsRoom":
        """Daemons."""
        from fastflow.kernel.daemons.wiring import build_daemons
        from fastflow.kernel.notifications.infra.daemon_alerts import DaemonAlerts
        from fastflow.kernel.runs.wiring import read_host_id

        return build_daemons(
            self.database,
            runs=self._later(lambda: self.runs),
            pipelines=self._later(lambda: self.pipelines),
            wakeup=self.runs_room.sender,
            alarm=DaemonAlerts(),
            host=read_host_id(self.settings.data_dir),
            clock=self.clock,
        )

    @cached_property
    def failures(self) -> "FailuresRoom":
        """Groups of failures, and dead letters."""
        from fastflow.kernel.failures.wiring import build_failures
        from fastflow.kernel.runs.wiring import read_host_id

        def handed(runs: "Sequence[Run]") -> Mapping[str, int]:
            return self.flows.store.load_handed_bytes(runs)  # built when it is asked

        return build_failures(
            self.database,
            runs=self._later(lambda: self.runs),
            handed=handed,
            pipelines_dir=self.settings.pipelines_dir,
            logs_dir=self.settings.logs_dir,
            host=read_host_id(self.settings.data_dir),
            clock=self.clock,
        )

    @cached_property
    def notifications(self) -> "NotificationsRoom":
        """Channels and alerts."""
        from fastflow.kernel.notifications.wiring import build_notifications

        return build_notifications(
            self.database,
            pipelines=self._later(lambda: self.pipelines),
            cipher=self._later(lambda: self.secrets_room.cipher),
            data_dir=self.settings.data_dir,
            logs_dir=self.settings.logs_dir,
            url=self.settings.public_url,
            alert_days=self.settings.alert_retention_days,
            low_disk_bytes=low_disk_bytes(self.settings),
            clock=self.clock,
        )

    @cached_property
    def webhooks(self) -> "WebhookService":
        """Webhooks."""
        from fastflow.kernel.webhooks.wiring import build_webhooks

        return build_webhooks(
            self.database,
            pipelines=self._later(lambda: self.pipelines),
            runs=self._later(lambda: self.runs),
            cipher=self._later(lambda: self.secrets_room.cipher),
            clock=self.clock,
        )

    @cached_property
    def flows(self) -> "FlowsRoom":
        """Flows and backfills."""
        from fastflow.kernel.flows.wiring import build_flows

        return build_flows(
            self.database,
            engine=self._engine,
            at_end=self.at_end,
            pipelines=self.pipelines,
            runs=self.runs,
            wakeup=self.runs_room.sender,
            artifacts_dir=self._artifacts_dir,
            clock=self.clock,
        )

    # -- figures ----------------------------------------------------------------------------------------------------------

    @cached_property
    def metrics(self) -> "MetricsRoom":
        """Figures for Prometheus."""
        from fastflow.kernel.metrics.wiring import build_metrics

        return build_metrics(
            self.database,
            data_dir=self.settings.data_dir,
            logs_dir=self.settings.logs_dir,
            max_pipelines=self.settings.metrics_max_pipelines,
            schedule_grace=self.settings.schedule_grace,
            clock=self.clock,
        )

    @cached_property
    def tracing(self) -> "TracingRoom":
        """Traces of ended runs."""
        from fastflow.kernel.tracing.wiring import build_tracing

        return build_tracing(self.database, tracing_settings(self.settings), self.clock)

    # -- workbenches ------------------------------------------------------------------------------------------------------

    @cached_property
    def churn(self) -> "ChurnRoom":
        """The churn workbench."""
        from fastflow.workbenches import make_churn

        return make_churn(self.settings, self.database, self._later(lambda: self.runs), self.clock)


def _environments(settings: Settings, database: Database, clock: Clock) -> "EnvironmentService":
    from fastflow.kernel.environments.wiring import build_environments
    from fastflow.kernel.executors.process.builder import (
        are_files_guarded,
        find_build_user,
        hand_over,
        installations_on,
    )

    data_dir, cache = settings.data_dir, settings.uv_cache_dir or settings.data_dir / "uv_cache"
    pythons = installations_on(os.environ.get("PATH", os.defpath))  # noqa: TID251 - where uv finds them
    builder = find_build_user(run_user=settings.run_user, reach=[data_dir, cache, Path(uv_binary()).parent, *pythons])
    for folder in (data_dir / "python", cache):
        hand_over(folder, builder)

    async def link_mode() -> "LinkMode":
        guarded = await are_files_guarded(run_user=settings.run_user, tmp=data_dir / "run")
        return "hardlink" if guarded else "copy"

    return build_environments(
        database,
        data_dir=data_dir,
        uv_cache_dir=cache,
        clock=clock,
        link_mode=link_mode,
        command_prefix=builder.prefix,
        owner_uid=builder.uid,
        engine=docker_settings(settings),
    )


def _left_behind(database: Database, gone: Sequence[str]) -> Sequence[str]:
    """What hangs on pipelines that go: what people made for them, and flows under way."""
    from fastflow.kernel.flows.infra.removed import find_flows_with
    from fastflow.kernel.notifications.infra.rule_store import SqlRuleStore
    from fastflow.kernel.webhooks.infra.store import SqlWebhookStore
    from fastflow.kernel.webhooks.ports import WebhookFilter

    if not gone:
        return ()
    hooks = SqlWebhookStore(database).load_page(WebhookFilter(pipelines=gone), after_id="", limit=100)
    rules = SqlRuleStore(database).load_all()
    with database.read() as connection:
        flows = find_flows_with(connection, gone, limit=100)
    return [
        *(
            f"The flow {flow} still has to run a pipeline that goes: it does so with the code it began with, unless the "
            "removal is forced, which ends that step."
            for flow in flows
        ),
        *(f"The webhook {hook.name} of {hook.pipeline_name} would start nothing any more." for hook in hooks),
        *(
            f"The alert rule {rule.name} of {rule.pipeline_name} would watch nothing any more."
            for rule in rules
            if rule.origin == "user" and rule.pipeline_name in gone
        ),
    ]
