"""Keeps what an installation gathers within its bounds: runs, flows, groups of failures, syncs, environments."""

import asyncio
import logging
from collections.abc import Callable

from fastflow.kernel.upkeep.domain.bounds import SYNCS_KEPT, Bounds
from fastflow.kernel.upkeep.ports import Environments, HistoryStore, InUse, RunFiles
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError
from fastflow.kit.identity import SYSTEM

logger = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0
_BATCH = 200


class Upkeep:
    """Sweeps once an hour, in small transactions. A crash in the middle leaves what the next sweep removes.

    Args:
        bounds: what may go.
        history: in the database.
        files: of this server's runs.
        environments: of this machine.
        in_use: environments that stay.
        clock: the time.
    """

    def __init__(
        self,
        bounds: Bounds,
        *,
        history: HistoryStore,
        files: RunFiles,
        environments: Environments,
        in_use: InUse,
        clock: Clock,
    ) -> None:
        self._bounds = bounds
        self._history = history
        self._files = files
        self._environments = environments
        self._in_use = in_use
        self._clock = clock

    async def run(self) -> None:
        """Sweep at the start and once an hour, until cancelled. What fails is logged and tried again at the next sweep."""
        while True:
            await asyncio.to_thread(self.sweep)
            await asyncio.sleep(EVERY_SECONDS)

    def sweep(self) -> None:
        """Remove all that may go now. One part that fails does not keep the others from it."""
        for part in (self._sweep_flows, self._sweep_runs, self._sweep_rest, self._sweep_environments):
            self._guarded(part)

    def _guarded(self, part: Callable[[], None]) -> None:
        try:
            part()
        except FastFlowError as error:
            logger.warning("upkeep.waits", extra={"fields": {"why": error.message}})
        except Exception:
            logger.exception("upkeep.failed")

    def _sweep_flows(self) -> None:
        """The flows first: while one is there, its runs stay."""
        bounds, total = self._bounds, 0
        if not bounds.has_history:
            return
        before = bounds.ended_before(self._clock.now())
        while removed := self._history.remove_flows(before=before, keep=bounds.run_count, limit=_BATCH):
            total += removed
        _tell("flows.removed", total)

    def _sweep_runs(self) -> None:
        bounds, total = self._bounds, 0
        if not bounds.has_history:
            return
        before = bounds.ended_before(self._clock.now())
        while found := self._history.find_runs(before=before, keep=bounds.run_count, limit=_BATCH):
            cleared = [run_id for run_id in found if self._is_cleared(run_id)]
            removed = self._history.remove_runs(cleared) if cleared else 0
            total += removed
            if removed < len(found):
                break  # what could not be removed would be found again at once
        _tell("runs.removed", total)

    def _is_cleared(self, run_id: str) -> bool:
        """Whether its files are gone; only then its row may go, which is the only thing that names them."""
        try:
            self._files.remove(run_id)
        except OSError as error:
            logger.warning("log.not_removed", extra={"fields": {"run_id": run_id, "error": error}})
            return False
        return True

    def _sweep_rest(self) -> None:
        now = self._clock.now()
        if self._bounds.has_history:
            _tell("failure_groups.removed", self._history.remove_groups(self._bounds.unseen_since(now)))
        before = self._bounds.ended_before(now)
        if before is not None:
            _tell("syncs.removed", self._history.remove_syncs(before, keep=SYNCS_KEPT))

    def _sweep_environments(self) -> None:
        days, keep = self._bounds.environment_days, self._in_use()
        if not self._environments.collect_garbage(days, True, keep, SYSTEM).hashes:
            return  # a collection is audited, also an empty one
        collected = self._environments.collect_garbage(days, False, self._in_use(), SYSTEM)
        fields = {"count": len(collected.hashes), "freed_bytes": collected.freed_bytes}
        logger.info("environments.removed", extra={"fields": fields})


def _tell(what: str, count: int) -> None:
    if count:
        logger.info(what, extra={"fields": {"count": count}})
