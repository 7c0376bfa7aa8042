"""Building the environments of pipelines ahead of their first run, and telling how far each one is."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from fastflow.kernel.environments.domain.environment import EnvironmentRequest, Readiness
from fastflow.kernel.environments.ports import GENTLY
from fastflow.kernel.environments.service import EnvironmentService
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.pipelines.service.catalog import PipelineCatalog
from fastflow.kit.errors import FastFlowError, Unavailable

logger = logging.getLogger(__name__)
_LOOK_SECONDS = 10.0
_FIRST_RETRY_SECONDS = 60.0
_LAST_RETRY_SECONDS = 3600.0
_MAX_REASON = 500


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


@dataclass(frozen=True)
class _Tried:
    """What was asked for when a pipeline was last warmed, and when to try again: in how many seconds, and from when on
    (monotonic); None: it succeeded."""

    input_hash: str
    pause: float = 0.0
    again_at: float | None = None


class WarmUp:
    """Makes environments ready before somebody waits for them, gently: one at a time, and behind the runs.

    Args:
        catalog: the pipelines.
        environments: their environments.
        at_once: builds at a time, so that runs keep most of the machine.
        clock: seconds, monotonic.
        is_elsewhere: tells the pipelines whose environments are not this machine's, but made where their runs are, by the
            first run that needs them: inside an image, or on a cluster's node.
        why_not: what speaks against building anything now, such as a disk that is nearly full; None: nothing.
    """

    def __init__(
        self,
        catalog: PipelineCatalog,
        environments: EnvironmentService,
        *,
        at_once: int = 1,
        clock: Callable[[], float] = time.monotonic,
        is_elsewhere: Callable[[Pipeline], bool] = lambda _pipeline: False,
        why_not: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._why_not = why_not
        self._catalog = catalog
        self._environments = environments
        self._at_once = at_once
        self._clock = clock
        self._is_elsewhere = is_elsewhere
        self._tried: dict[str, _Tried] = {}
        self._complaint = ""
        self._left: set[str] = set()
        """Names of those whose environments are made elsewhere, as last told in the log."""

    async def warm(self, names: Collection[str] | None = None) -> list[Warmed]:
        """Make the environments of the named pipelines, or of all, ready. Broken pipelines are left out; one that
        cannot be set up does not keep the others from it.

        Raises:
            PipelinesDirUnavailable: PIPELINES_DIR is missing or cannot be read.
        """
        return await self._warm_all(await asyncio.to_thread(self._healthy, names))

    async def keep_warm(self) -> None:
        """Until cancelled: make ready what is not, at the start and whenever requirements change; what failed is tried
        again after a minute, later after an hour. What was collected as unused is left alone until then."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> Sequence[Warmed]:
        """Make ready what is new, has changed or is to be tried again; what came of it. Never fails: it is told in the
        log."""
        try:
            due = await asyncio.to_thread(self._due)
            self._complaint = ""
        except FastFlowError as error:
            if error.message != self._complaint:
                logger.warning("preheat.waits", extra={"fields": {"error": error.message}})
            self._complaint = error.message
            return []
        except Exception:
            logger.exception("preheat.failed")
            return []
        if not due:
            return []
        started = self._clock()
        logger.info("preheat.begun", extra={"fields": {"pipelines": len(due)}})
        warmed = await self._warm_all([pipeline for pipeline, _ in due])
        for (pipeline, request), result in zip(due, warmed, strict=True):
            self._note(pipeline.name, request.input_hash, failed=result.problem is not None)
        fields = {
            "ready": sum(one.problem is None for one in warmed),
            "failed": sum(one.problem is not None for one in warmed),
            "seconds": round(self._clock() - started, 1),
        }
        logger.info("preheat.over", extra={"fields": fields})
        return warmed

    def states(self, pipelines: Sequence[Pipeline]) -> Mapping[str, Readiness]:
        """How far the environment of each pipeline is, by name; those that ask for none here are left out: broken ones, and those
        whose environments are made where their runs are."""
        asked = self._requests(pipelines)
        found = self._environments.readiness([request for _, request in asked])
        return {pipeline.name: state for (pipeline, _), state in zip(asked, found, strict=True)}

    # --- what is to be done ------------------------------------------------------------------------------------------

    def _healthy(self, names: Collection[str] | None) -> list[Pipeline]:
        pipelines = (
            self._catalog.list() if names is None else [one for one in self._catalog.list_all() if one.name in names]
        )
        self._catalog.remember(pipelines)
        healthy = [pipeline for pipeline in pipelines if pipeline.is_healthy]
        left = {pipeline.name for pipeline in healthy if self._is_elsewhere(pipeline)}
        if names is None and left != self._left:
            logger.info("preheat.left_to_runs", extra={"fields": {"pipelines": len(left)}})
            self._left = left
        return [pipeline for pipeline in healthy if pipeline.name not in left]

    def _requests(self, pipelines: Sequence[Pipeline]) -> list[tuple[Pipeline, EnvironmentRequest]]:
        asked = []
        for pipeline in pipelines:
            if not pipeline.is_healthy or self._is_elsewhere(pipeline):
                continue
            try:
                asked.append((pipeline, self._catalog.environment(pipeline)))
            except FastFlowError as error:  # it went or broke this moment
                logger.debug("pipeline.changed", extra={"fields": {"pipeline": pipeline.name, "error": error.message}})
        return asked

    def _due(self) -> list[tuple[Pipeline, EnvironmentRequest]]:
        """Pipelines whose environment is not ready and was not tried, or is to be tried again."""
        asked = self._requests(self._healthy(None))
        names = {pipeline.name for pipeline, _ in asked}
        self._tried = {name: tried for name, tried in self._tried.items() if name in names}
        fresh = [one for one in asked if self._is_due(*one)]
        states = self._environments.readiness([request for _, request in fresh])
        for (pipeline, request), state in zip(fresh, states, strict=True):
            if state.state == "ready":
                self._tried[pipeline.name] = _Tried(request.input_hash)
        return [one for one, state in zip(fresh, states, strict=True) if state.state != "ready"]

    def _is_due(self, pipeline: Pipeline, request: EnvironmentRequest) -> bool:
        tried = self._tried.get(pipeline.name)
        if tried is None or tried.input_hash != request.input_hash:
            return True
        return tried.again_at is not None and self._clock() >= tried.again_at

    def _note(self, name: str, input_hash: str, *, failed: bool) -> None:
        before = self._tried.get(name)
        pause = before.pause if before is not None and before.input_hash == input_hash else 0.0
        pause = min(_LAST_RETRY_SECONDS, pause * 4 or _FIRST_RETRY_SECONDS)
        self._tried[name] = _Tried(input_hash, pause, self._clock() + pause) if failed else _Tried(input_hash)

    # --- doing it ----------------------------------------------------------------------------------------------------

    async def _warm_all(self, pipelines: Sequence[Pipeline]) -> list[Warmed]:
        slots = asyncio.Semaphore(self._at_once)
        return list(await asyncio.gather(*(self._warm_one(pipeline, slots) for pipeline in pipelines)))

    async def _warm_one(self, pipeline: Pipeline, slots: asyncio.Semaphore) -> Warmed:
        async with slots:
            started = self._clock()
            try:
                warmed = await self._make_ready(pipeline)
            except FastFlowError as error:
                fields = {"pipeline": pipeline.name, "reason": error.message[:_MAX_REASON]}
                logger.warning("preheat.not_ready", extra={"fields": fields})
                return Warmed(pipeline=pipeline.name, problem=error.message)
            except Exception as error:
                logger.exception("preheat.failed", extra={"fields": {"pipeline": pipeline.name}})
                return Warmed(pipeline=pipeline.name, problem=type(error).__name__)
        told = {
            "pipeline": pipeline.name,
            "environment": warmed.environment,
            "built": warmed.built,
            "seconds": round(self._clock() - started, 1),
        }
        logger.info("preheat.ready", extra={"fields": told})
        return warmed

    async def _make_ready(self, pipeline: Pipeline) -> Warmed:
        GENTLY.set(True)  # in the context of this task alone
        request = await asyncio.to_thread(self._buildable, pipeline)
        held = await asyncio.to_thread(self._why_not)
        if held is not None and self._environments.readiness([request])[0].state != "ready":
            raise Unavailable(f"Nothing is built ahead: {held}.", code="disk_low", hint="Free space there.")
        environment = await self._environments.ensure(request, _tell(pipeline.name))
        await asyncio.to_thread(self._catalog.mark_warm, pipeline.name)
        return Warmed(pipeline=pipeline.name, environment=environment.hash, built=environment.built)

    def _buildable(self, pipeline: Pipeline) -> EnvironmentRequest:
        if pipeline.environment_needs_code:
            return self._catalog.freeze(pipeline.name).environment
        return self._catalog.environment(pipeline)


def _tell(name: str) -> Callable[[str], None]:
    """What uv says, for the log when it is to tell everything: dozens of lines for each environment."""
    return lambda line: logger.debug("preheat.uv", extra={"fields": {"pipeline": name, "line": line}})
