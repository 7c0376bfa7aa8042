"""Brings the engine's containers and our slots together, after a crash of ours or a restart of the engine."""

import asyncio
import logging

from fastflow.kernel.executors.docker.container import LABEL_OWNER, LABEL_SLOT
from fastflow.kernel.executors.docker.engine import Engine
from fastflow.kernel.executors.docker.images import Images
from fastflow.kernel.executors.docker.slots import Slots

log = logging.getLogger(__name__)


async def reconcile(engine: Engine, slots: Slots, images: Images, owner: str) -> int:
    """Remove every container of this data folder that no slot stands behind; how many.

    Containers of runs stay, alive or ended, until their attempt is discarded: alive they are found again by their
    control folder, ended they are closed with the exit that their supervisor recorded or the engine knows.

    Raises:
        EngineError: the engine is away or refuses; nothing is decided then.
    """
    containers = await engine.containers([f"{LABEL_OWNER}={owner}"])  # first: a slot is made before its container
    needed = await asyncio.to_thread(slots.live)
    removed = 0
    for container in containers:
        if (container.get("Labels") or {}).get(LABEL_SLOT) not in needed:
            await engine.remove(str(container["Id"]))
            removed += 1
    if removed:
        log.info("executor.containers_removed", extra={"fields": {"count": removed}})
    await asyncio.to_thread(images.sweep, await engine.image_ids())
    return removed
