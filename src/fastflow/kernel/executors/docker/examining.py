"""Whether the engine serves, for `fastflow doctor`: asks, and changes nothing."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastflow.kernel.executors.docker.container import GIVEN, LABEL_OWNER, Bind, ContainerSpec, container_user
from fastflow.kernel.executors.docker.engine import Engine, EngineError, NotThere
from fastflow.kernel.executors.docker.maker import Place
from fastflow.kernel.executors.registry import DockerSettings, ExecutorSettings


@dataclass(frozen=True, kw_only=True)
class EngineReport:
    """What was found.

    Attributes:
        version: of the engine; None when it cannot be reached.
        why: why it does not serve; None when it does.
        has_image: whether it holds the image that runs start from.
        limits: limits of ours that it cannot enforce.
        refusal: why no container for a run could be made there, or by what stands before it; None when one could.
    """

    version: str | None
    why: str | None
    has_image: bool = False
    limits: tuple[str, ...] = ()
    refusal: str | None = None


def examine(settings: ExecutorSettings) -> EngineReport:
    """Ask the engine of the settings, which have one."""
    assert settings.docker is not None
    return asyncio.run(_examine(settings, settings.docker))


async def _examine(settings: ExecutorSettings, docker: DockerSettings) -> EngineReport:
    engine = Engine(docker.host)
    image = refusal = None
    try:
        await engine.ping()
        info = await engine.info()
        try:
            image = str((await engine.image(docker.image))["Id"])
            refusal = await engine.why_not_made(_any_container(settings, docker, image))
        except NotThere:
            image = None
    except EngineError as error:
        return EngineReport(version=engine.version, why=str(error))
    finally:
        engine.close()
    return EngineReport(
        version=engine.version,
        why=unfit_because(info),
        has_image=image is not None,
        limits=unenforced_limits(info),
        refusal=refusal,
    )


def _any_container(settings: ExecutorSettings, docker: DockerSettings, image: str) -> Mapping[str, Any]:
    """What the engine is asked for when a run starts, as far as every run has it."""
    place = Place(
        owner="doctor", data_dir=settings.data_dir, engine_data_dir=docker.engine_data_dir or settings.data_dir
    )
    binds = [Bind(source=settings.data_dir, target=GIVEN)] if settings.data_dir.is_dir() else []
    binds += [Bind(source=path, target=path) for path in settings.readable]
    binds += [Bind(source=path, target=path, writable=True) for path in settings.writable]
    return ContainerSpec(
        image=image,
        command=("python3",),
        binds=[place.seen_by_engine(bind) for bind in binds],
        user=container_user(settings.run_user),
        network=docker.network,
        labels={LABEL_OWNER: place.owner},
    ).as_api()


def unfit_because(info: Mapping[str, Any]) -> str | None:
    """Why an engine that answers cannot serve us; None when it can."""
    if any("rootless" in str(option) for option in info.get("SecurityOptions") or ()):
        return "The container engine is rootless: it gives runs other users than the folders they work in have."
    if info.get("OSType", "linux") != "linux":
        return f"The container engine runs {info['OSType']} containers; runs need Linux."
    return None


def unenforced_limits(info: Mapping[str, Any]) -> tuple[str, ...]:
    """The limits that its kernel does not let it enforce."""
    names = {"memory": "MemoryLimit", "cpu": "CpuCfsQuota", "pids": "PidsLimit"}
    return tuple(limit for limit, key in names.items() if info.get(key) is False)
