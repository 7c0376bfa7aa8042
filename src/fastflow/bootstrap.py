"""The composition root: settings in, running product out. Tests call it with settings of their own."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import select

from fastflow.kernel.audit.service import AuditLog
from fastflow.kernel.audit.wiring import build_audit
from fastflow.kernel.daemons.service import DaemonKeeper
from fastflow.kernel.daemons.wiring import DaemonsRoom, build_daemons
from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.migrate import migrate
from fastflow.kernel.environments.infra.uv_builder import LinkMode
from fastflow.kernel.environments.service import EnvironmentService
from fastflow.kernel.environments.wiring import build_environments
from fastflow.kernel.executors.port import Executor
from fastflow.kernel.executors.process.builder import (
    are_files_guarded,
    find_build_user,
    hand_over,
    installations_on,
)
from fastflow.kernel.executors.registry import (
    kinds,
    make_executor,
)
from fastflow.kernel.failures.infra.keeping import DeadLetters
from fastflow.kernel.failures.service import FailureSorter
from fastflow.kernel.failures.wiring import FailuresRoom, build_failures
from fastflow.kernel.flows.infra.engine import FlowEngine
from fastflow.kernel.flows.service import FlowKeeper
from fastflow.kernel.flows.wiring import FlowsRoom, build_flows, flows_at_end
from fastflow.kernel.judges import GRAPH_JUDGES, JUDGES, find_followers
from fastflow.kernel.notifications.infra.channel_store import SqlChannelStore
from fastflow.kernel.notifications.infra.deciding import EndAlerts
from fastflow.kernel.notifications.service import Notifier
from fastflow.kernel.notifications.wiring import NotificationsRoom, build_notifications
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.pipelines.service import PipelineCatalog, WarmUp
from fastflow.kernel.pipelines.wiring import build_pipelines, open_snapshots, preview_pipelines
from fastflow.kernel.runs.dispatcher import Dispatcher
from fastflow.kernel.runs.infra.at_end import AtEnd
from fastflow.kernel.runs.infra.retrying import Retries
from fastflow.kernel.runs.infra.tables import RunRow
from fastflow.kernel.runs.log_service import LogService
from fastflow.kernel.runs.log_wiring import build_log_service
from fastflow.kernel.runs.service import RunService
from fastflow.kernel.runs.wiring import RunsRoom, build_dispatcher, build_runs, read_host_id
from fastflow.kernel.schedules.service import Scheduler
from fastflow.kernel.schedules.wiring import SchedulesRoom, build_schedules
from fastflow.kernel.secrets.service import SecretService
from fastflow.kernel.secrets.wiring import build_secrets
from fastflow.kernel.sync.service import Syncer
from fastflow.kernel.sync.wiring import SyncRoom, build_sources, build_sync
from fastflow.kernel.upkeep.domain.bounds import Bounds
from fastflow.kernel.upkeep.service import Upkeep
from fastflow.kernel.upkeep.wiring import build_upkeep
from fastflow.kernel.users.service import FederatedLogins, LoginService, TokenService, UserService
from fastflow.kernel.users.wiring import OidcSetup, build_users
from fastflow.kernel.webhooks.infra.store import SqlWebhookStore
from fastflow.kernel.webhooks.service import WebhookService
from fastflow.kernel.webhooks.wiring import build_webhooks
from fastflow.kit.clock import Clock, SystemClock
from fastflow.kit.errors import Unavailable
from fastflow.settings import Settings
from fastflow.terms import (
    MEGABYTE,
    docker_settings,
    executor_settings,
    run_policy,
    settings_repository,
    starts_from_image,
    sync_rules,
    uv_binary,
)


@dataclass(frozen=True, kw_only=True)
class Product:
    """The product's services; each process builds one from the same settings.

    Attributes:
        at_end: the features that act inside the transaction that ends a run, in the order in which they act.
        made_key_file: the encryption key file that was made just now; None when there was a key already.
    """

    settings: Settings
    database: Database
    audit: AuditLog
    users: UserService
    logins: LoginService
    federated: FederatedLogins | None
    tokens: TokenService
    secrets: SecretService
    pipelines: PipelineCatalog
    environments: EnvironmentService
    runs: RunService
    runs_room: RunsRoom
    schedules: SchedulesRoom
    failures: FailuresRoom
    daemons: DaemonsRoom
    notifications: NotificationsRoom
    webhooks: WebhookService
    flows: FlowsRoom
    sync: SyncRoom
    logs: LogService
    at_end: Sequence[AtEnd]
    made_key_file: Path | None
    clock: Clock

    def environments_in_use(self) -> Collection[str]:
        """Hashes of the environments of unfinished runs."""
        unfinished = RunRow.__table__.c.status.in_(("PENDING", "RUNNING"))  # type: ignore[attr-defined]
        with self.database.read() as connection:
            found = connection.scalars(select(RunRow.__table__.c.environment).where(unfinished))  # type: ignore[attr-defined]
            return {environment for environment in found if environment}

    def make_executors(self, *, ahead: bool = True) -> Mapping[str, Executor]:
        """The executors by kind, not open yet.

        Args:
            ahead: prepare containers for runs to come; False for a process that sees a single run through.
        """
        given = executor_settings(self.settings, ahead=ahead)
        return {kind: make_executor(kind, given) for kind in kinds()}

    def make_dispatcher(self, executors: Mapping[str, Executor]) -> Dispatcher:
        """The dispatcher over the executors.

        Raises:
            Unavailable: logs cannot be written, so every run would fail.
        """
        settings = self.settings
        _require_writable(settings.logs_dir, "LOGS_DIR")
        limit = settings.log_max_size_mb
        return build_dispatcher(
            self.database,
            snapshots=self.pipelines,
            environments=self.environments,
            secrets=self.secrets,
            executors=executors,
            data_dir=settings.data_dir,
            logs_dir=settings.logs_dir,
            max_concurrent_runs=settings.max_concurrent_runs,
            log_max_bytes=None if limit is None else int(limit * MEGABYTE),
            log_retention_runs=settings.log_retention_runs,
            log_retention_days=settings.log_retention_days,
            code_retention_days=settings.environment_retention_days,
            lost_after=settings.lost_after,
            url=settings.server_url,
            min_free_disk_mb=settings.min_free_disk_mb,
            at_end=self.at_end,
            handing=self.flows.handing,
            is_code_needed=self.flows.store.find_needed_code,
            clock=self.clock,
        )

    def make_flow_keeper(self) -> FlowKeeper:
        """What looks at flows that are due."""
        return self.flows.make_keeper()

    def make_scheduler(self) -> Scheduler:
        """What starts runs at their schedules' due times."""
        return self.schedules.make_scheduler()

    def make_daemon_keeper(self) -> DaemonKeeper:
        """What keeps daemons running."""
        return self.daemons.make_keeper()

    def make_failure_sorter(self) -> FailureSorter:
        """What puts failed runs into groups."""
        return self.failures.sorter

    def make_notifier(self) -> Notifier:
        """What watches for alerts and sends them."""
        return self.notifications.make_notifier()

    def make_syncer(self) -> Syncer:
        """What makes commits of repositories active."""
        return self.sync.make_syncer()

    def make_upkeep(self) -> Upkeep:
        """What removes what has outlived its time."""
        settings = self.settings
        return build_upkeep(
            self.database,
            Bounds(
                run_days=settings.run_retention_days,
                run_count=settings.run_retention_runs,
                environment_days=settings.environment_retention_days,
            ),
            environments=self.environments,
            in_use=self.environments_in_use,
            data_dir=settings.data_dir,
            logs_dir=settings.logs_dir,
            clock=self.clock,
        )

    def make_warm_up(self) -> WarmUp:
        """Builds environments ahead of runs."""
        return WarmUp(self.pipelines, self.environments, is_elsewhere=self.starts_from_image)

    def starts_from_image(self, pipeline: Pipeline) -> bool:
        """Whether the pipeline's runs start from an image, unless a run says otherwise."""
        return starts_from_image(self.settings, pipeline)

    def close(self) -> None:
        """Give back what the services hold."""
        self.runs_room.sender.close()
        self.database.close()


def build_product(settings: Settings, *, clock: Clock | None = None, with_repositories: bool = True) -> Product:
    """The product on these settings: folders made, schema brought up to date, every service assembled.

    Args:
        settings: checked.
        clock: None: the machine's own.
        with_repositories: False: the catalogue is PIPELINES_DIR alone, whatever is active of repositories.

    Raises:
        InvalidInput: a setting cannot be used.
        Unavailable: a folder cannot be made, or the database is away or of a newer schema.
    """
    clock, described = clock or SystemClock(), settings_repository(settings)
    _make_folders(settings)
    database = Database(settings.effective_database_url)
    migrate(database)
    users = build_users(database, oidc=OidcSetup.of(settings.oidc), clock=clock, **settings.sessions)
    key = settings.encryption_key
    secrets = build_secrets(
        database,
        encryption_key=None if key is None else key.get_secret_value(),
        data_dir=settings.data_dir,
        holders=(SqlChannelStore(database), SqlWebhookStore(database)),
        clock=clock,
    )
    environments = _environments(settings, database, clock)
    sources = build_sources(database, is_hidden=not with_repositories)
    snapshots = open_snapshots(database, settings.data_dir, clock)
    pipelines = build_pipelines(
        database,
        pipelines_dir=settings.pipelines_dir,
        data_dir=settings.data_dir,
        known_executors=kinds(),
        judges=JUDGES,
        graph_judges=GRAPH_JUDGES,
        sources=sources,
        snapshots=snapshots,
        clock=clock,
    )
    engine = FlowEngine()
    # the retries first: the others see whether a failure is the last word
    at_end: tuple[AtEnd, ...] = (Retries(), DeadLetters(), flows_at_end(engine), EndAlerts())
    runs = build_runs(
        database,
        catalogue=pipelines,
        environments=environments,
        secrets=secrets.secrets,
        data_dir=settings.data_dir,
        policy=run_policy(settings),
        at_end=at_end,
        clock=clock,
    )
    schedules = build_schedules(
        database,
        pipelines=pipelines,
        runs=runs.runs,
        wakeup=runs.sender,
        data_dir=settings.data_dir,
        grace=settings.schedule_grace,
        ledger_days=settings.schedule_ledger_days,
        clock=clock,
    )
    notifications = build_notifications(
        database,
        pipelines=pipelines,
        cipher=secrets.cipher,
        data_dir=settings.data_dir,
        logs_dir=settings.logs_dir,
        url=settings.public_url,
        alert_days=settings.alert_retention_days,
        clock=clock,
    )
    flows = build_flows(
        database,
        engine=engine,
        at_end=at_end,
        pipelines=pipelines,
        runs=runs.runs,
        wakeup=runs.sender,
        artifacts_dir=settings.data_dir / "artifacts",
        clock=clock,
    )
    sync = build_sync(
        database,
        sources=sources,
        snapshots=snapshots,
        pipelines=pipelines,
        preview=partial(
            preview_pipelines,
            pipelines_dir=settings.pipelines_dir,
            snapshots=snapshots,
            known_executors=kinds(),
            judges=JUDGES,
        ),
        environments=environments,
        schedules=schedules.declared,
        runs=runs.runs,
        secrets=secrets.secrets,
        wakeup=runs.sender,
        expect=runs.signals.expect,
        data_dir=settings.data_dir,
        rules=sync_rules(settings),
        graph_judges=GRAPH_JUDGES,
        followers=find_followers,
        is_elsewhere=partial(starts_from_image, settings),
        clock=clock,
    )
    sync.adopt(described)
    return Product(
        settings=settings,
        database=database,
        audit=build_audit(database, retention_days=settings.audit_retention_days, clock=clock),
        users=users.users,
        logins=users.logins,
        federated=users.federated,
        tokens=users.tokens,
        secrets=secrets.secrets,
        pipelines=pipelines,
        environments=environments,
        runs=runs.runs,
        runs_room=runs,
        schedules=schedules,
        daemons=build_daemons(
            database,
            runs=runs.runs,
            pipelines=pipelines,
            wakeup=runs.sender,
            host=read_host_id(settings.data_dir),
            clock=clock,
        ),
        failures=build_failures(
            database,
            runs=runs.runs,
            pipelines_dir=settings.pipelines_dir,
            logs_dir=settings.logs_dir,
            host=read_host_id(settings.data_dir),
            clock=clock,
        ),
        notifications=notifications,
        webhooks=build_webhooks(database, pipelines=pipelines, runs=runs.runs, cipher=secrets.cipher, clock=clock),
        flows=flows,
        sync=sync,
        logs=build_log_service(
            database,
            logs_dir=settings.logs_dir,
            artifacts_dir=settings.data_dir / "artifacts",
            stream_rate=settings.log_stream_rate_limit,
        ),
        at_end=at_end,
        made_key_file=secrets.made_key_file,
        clock=clock,
    )


def _make_folders(settings: Settings) -> None:
    for folder, mode in ((settings.data_dir, 0o711), (settings.logs_dir, 0o750), (settings.data_dir / "run", 0o700)):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=mode)
        except OSError as error:
            raise Unavailable(
                f"{folder} cannot be made: {error.strerror}.",
                code="folder_unusable",
                hint="Give the server's user a folder it may write: set DATA_DIR and LOGS_DIR.",
            ) from error


def _require_writable(folder: Path, setting: str) -> None:
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise Unavailable(
            f"{folder} ({setting}) cannot be written by this user.",
            code="folder_unusable",
            hint=f"Make it writable for the user the server runs as, or set {setting} to a folder that is.",
        )


def _environments(settings: Settings, database: Database, clock: Clock) -> EnvironmentService:
    data_dir, cache = settings.data_dir, settings.uv_cache_dir or settings.data_dir / "uv_cache"
    pythons = installations_on(os.environ.get("PATH", os.defpath))  # noqa: TID251 - where uv finds them
    builder = find_build_user(run_user=settings.run_user, reach=[data_dir, cache, Path(uv_binary()).parent, *pythons])
    for folder in (data_dir / "python", cache):
        hand_over(folder, builder)

    async def link_mode() -> LinkMode:
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
