"""Whether the engine serves, for `fastflow doctor`: asks, and changes nothing."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastflow.kernel.executors.docker.engine import Engine, EngineError, NotThere
from fastflow.kernel.executors.registry import DockerSettings


@dataclass(frozen=True, kw_only=True)
class EngineReport:
    """What was found.

    Attributes:
        version: of the engine; None when it cannot be reached.
        why: why it does not serve; None when it does.
        has_image: whether it holds the image that runs start from.
        limits: limits of ours that it cannot enforce.
    """

    version: str | None
    why: str | None
    has_image: bool = False
    limits: tuple[str, ...] = ()


def examine(settings: DockerSettings) -> EngineReport:
    """Ask the engine."""
    return asyncio.run(_examine(settings))


async def _examine(settings: DockerSettings) -> EngineReport:
    engine = Engine(settings.host)
    try:
        await engine.ping()
        info = await engine.info()
        try:
            await engine.image(settings.image)
            has_image = True
        except NotThere:
            has_image = False
    except EngineError as error:
        return EngineReport(version=engine.version, why=str(error))
    finally:
        engine.close()
    return EngineReport(
        version=engine.version, why=unfit_because(info), has_image=has_image, limits=unenforced_limits(info)
    )


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
