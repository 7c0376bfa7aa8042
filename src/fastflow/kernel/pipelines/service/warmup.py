"""Building the environments of pipelines ahead of their first run."""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass

from fastflow.kernel.environments.service import EnvironmentService
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.pipelines.service.catalog import PipelineCatalog
from fastflow.kit.errors import FastFlowError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Warmed:
    """What warming one pipeline came to.

    Attributes:
        environment: hash of its environment; None when it could not be made ready.
        built: whether it was built now.
        problem: what kept it from being made ready, in words.
    """

    pipeline: str
    environment: str | None = None
    built: bool = False
    problem: str | None = None


class WarmUp:
    """Makes environments ready before somebody waits for them.

    Args:
        catalog: the pipelines.
        environments: their environments.
        at_once: builds at a time, so that runs keep most of the machine.
    """

    def __init__(self, catalog: PipelineCatalog, environments: EnvironmentService, *, at_once: int = 2) -> None:
        self._catalog = catalog
        self._environments = environments
        self._at_once = at_once

    async def warm(self, names: Collection[str] | None = None) -> list[Warmed]:
        """Make the environments of the named pipelines, or of all, ready. Broken pipelines are left out; one that
        cannot be set up does not keep the others from it.

        Raises:
            PipelinesDirUnavailable: PIPELINES_DIR is missing or cannot be read.
        """
        pipelines = await asyncio.to_thread(self._healthy, names)
        slots = asyncio.Semaphore(self._at_once)
        return list(await asyncio.gather(*(self._warm_one(pipeline, slots) for pipeline in pipelines)))

    def _healthy(self, names: Collection[str] | None) -> list[Pipeline]:
        pipelines = [one for one in self._catalog.list() if names is None or one.name in names]
        self._catalog.remember(pipelines)
        return [pipeline for pipeline in pipelines if pipeline.is_healthy]

    async def _warm_one(self, pipeline: Pipeline, slots: asyncio.Semaphore) -> Warmed:
        async with slots:
            try:
                frozen = await asyncio.to_thread(self._catalog.freeze, pipeline.name)
                environment = await self._environments.ensure(frozen.environment)
                await asyncio.to_thread(self._catalog.mark_warm, pipeline.name)
            except FastFlowError as error:
                _LOG.warning("warm_up_failed", extra={"pipeline": pipeline.name, "reason": error.message})
                return Warmed(pipeline=pipeline.name, problem=error.message)
        return Warmed(pipeline=pipeline.name, environment=environment.hash, built=environment.built)
