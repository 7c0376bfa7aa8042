"""What the settings mean in the terms of the parts: each part below takes plain values of its own, made here.

Rooms are imported where they are asked for: a process pays for those it uses."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from fastflow import __version__
from fastflow.kernel.executors.registry import (
    DockerSettings,
    ExecutorSettings,
    RaySettings,
    image_kinds,
    kinds,
    node_kinds,
)
from fastflow.kit.errors import InvalidInput
from fastflow.settings import Settings

if TYPE_CHECKING:
    from fastflow.kernel.pipelines.domain.pipeline import Pipeline
    from fastflow.kernel.runs.ports import WhyNot
    from fastflow.kernel.runs.service import RunPolicy
    from fastflow.kernel.sync.domain.repository import Auth, Definition
    from fastflow.kernel.sync.wiring import SyncRules
    from fastflow.kernel.tracing.wiring import TracingSettings

MEGABYTE = 2**20
_USUAL_MIN_FREE_MB = 256


def run_policy(settings: Settings) -> "RunPolicy":
    """What a run gets of which its pipeline says nothing."""
    from fastflow.kernel.executors.port import Limits
    from fastflow.kernel.runs.service.policy import RunPolicy

    return RunPolicy(
        logs_dir=settings.logs_dir,
        max_concurrent_runs=settings.max_concurrent_runs,
        queue_when_full=settings.queue_when_full,
        default_executor=settings.executor,
        executors=kinds(),
        image_executors=image_kinds(),
        node_executors=node_kinds(),
        default_limits=Limits(memory_bytes=settings.run_memory, pids=settings.run_pids),
        default_run_timeout=settings.container_timeout,
        default_grace=settings.stop_grace,
        default_retries=settings.retry_attempts,
    )


def disk_floor(settings: Settings) -> "WhyNot":
    """Why nothing new may begin on the disks of DATA_DIR and LOGS_DIR now; None: it may."""
    from fastflow.kernel.runs.infra.disk import DiskFloor

    return DiskFloor({"DATA_DIR": settings.data_dir, "LOGS_DIR": settings.logs_dir}, settings.min_free_disk_mb)


def low_disk_bytes(settings: Settings) -> int:
    """Free space below which people are warned: twice what is kept free."""
    return 2 * (settings.min_free_disk_mb or _USUAL_MIN_FREE_MB) * MEGABYTE


def starts_from_image(settings: Settings, pipeline: "Pipeline") -> bool:
    """Whether the pipeline's runs start from an image, unless a run says otherwise."""
    return (pipeline.executor or settings.executor) in image_kinds()


def runs_on_nodes(settings: Settings, pipeline: "Pipeline") -> bool:
    """Whether the nodes of a cluster make the environment of the pipeline's runs, unless a run says otherwise."""
    return (pipeline.executor or settings.executor) in node_kinds()


def executor_settings(settings: Settings, *, ahead: bool = True) -> ExecutorSettings:
    """How the executors work.

    Args:
        settings: checked.
        ahead: prepare containers for runs to come; False for a process that sees a single run through.
    """
    docker = docker_settings(settings)
    return ExecutorSettings(
        data_dir=settings.data_dir,
        run_user=settings.run_user,
        warm_environments=settings.warm_environments,
        warm_idle=settings.warm_idle,
        hidden=_hidden(settings),
        readable=settings.run_readable_paths,
        writable=settings.run_writable_paths,
        default_kind=settings.executor,
        docker=docker if ahead else replace(docker, pool=0),
        ray=ray_settings(settings),
    )


def docker_settings(settings: Settings) -> DockerSettings:
    """How containers are made."""
    return DockerSettings(
        host=settings.docker_host,
        image=settings.worker_base_image,
        network=settings.docker_network,
        pool=settings.docker_pool,
        pool_idle=settings.warm_idle,
        engine_data_dir=settings.docker_data_dir,
    )


def ray_settings(settings: Settings) -> RaySettings:
    """Which cluster, and on what terms its nodes work for us."""
    token = settings.ray_auth_token
    return RaySettings(
        address=settings.ray_address,
        token=None if token is None else token.get_secret_value(),
        server_url=settings.server_url,
        uv=Path(uv_binary()),
        cpus=settings.ray_cpus,
        node_dir=settings.ray_node_dir,
        chunk_bytes=int(min(4.0, settings.max_body_mb * 0.8) * MEGABYTE),
        artifacts_max_bytes=int(settings.ray_artifacts_max_mb * MEGABYTE),
        environment_days=settings.environment_retention_days,
    )


def _hidden(settings: Settings) -> tuple[Path, ...]:
    """Folders and files of the server's own, outside DATA_DIR, that no run may see."""
    return (settings.logs_dir, Path(".env").absolute())


def sync_rules(settings: Settings) -> "SyncRules":
    """How repositories are fetched, and what becomes of their commits."""
    from fastflow.kernel.sync.wiring import SyncRules

    return SyncRules(
        protocols=tuple(settings.git_protocols),
        seconds=settings.git_timeout,
        max_bytes=int(settings.git_max_mb * MEGABYTE),
        interval=settings.auto_sync_interval,
        preheat=settings.uv_pre_heat,
        github_api_url=settings.github_api_url,
        github_app_id=settings.github_app_id,
        github_installation_id=settings.github_installation_id,
        github_private_key_path=settings.github_private_key_path,
    )


def settings_repository(settings: Settings) -> "Definition | None":
    """The repository that the settings describe; None: none.

    Raises:
        InvalidInput: it cannot be used; names the variable.
    """
    if settings.git_url is None:
        return None
    from fastflow.kernel.sync.domain.repository import SETTINGS_NAME, Definition
    from fastflow.kernel.sync.service.repositories import require_usable

    implied: Auth = "password" if settings.git_secret else "github-app" if settings.github_app_id else "none"
    described = Definition(
        name=SETTINGS_NAME,
        url=settings.git_url,
        branch=settings.git_branch,
        subfolder=settings.git_subfolder,
        prefix=settings.git_prefix,
        auth=settings.git_auth or implied,
        username=settings.git_username,
        secret=settings.git_secret,
        host_keys=settings.git_host_keys,
        webhook_secret=settings.git_webhook_secret,
    )
    return require_usable(described, tuple(settings.git_protocols))


def uv_binary() -> str:
    """The uv that was installed with the product."""
    from uv import find_uv_bin  # a package of one function, needed here alone

    return find_uv_bin()


def tracing_settings(settings: Settings) -> "TracingSettings":
    """Where traces go.

    Raises:
        InvalidInput: the headers cannot be read.
    """
    from fastflow.kernel.tracing.wiring import TracingSettings

    given = settings.otel_exporter_otlp_headers
    pairs = [part for part in (given.get_secret_value() if given else "").split(",") if part.strip()]
    headers = dict(part.split("=", 1) for part in pairs if "=" in part)
    if len(headers) != len(pairs):
        raise InvalidInput(
            "OTEL_EXPORTER_OTLP_HEADERS cannot be read.",
            code="invalid_setting",
            hint="Write name=value, separated by commas, each name once.",
            fields={"OTEL_EXPORTER_OTLP_HEADERS": "is not name=value, separated by commas"},
        )
    return TracingSettings(
        endpoint=settings.otel_exporter_otlp_endpoint,
        headers={name.strip(): unquote(value.strip()) for name, value in headers.items()},
        service=settings.otel_service_name,
        share=settings.otel_traces_sampler_arg,
        version=__version__,
    )
