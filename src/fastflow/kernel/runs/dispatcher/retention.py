"""Removes logs and artifacts that have outlived their time; the runs themselves stay in the history."""

import logging
from datetime import datetime

from fastflow.kernel.runs.ports import RetentionStore, RunFiles
from fastflow.kit.clock import Clock

logger = logging.getLogger(__name__)

_BATCH = 200


class Retention:
    """Sweeps in batches; a crash between removing and noting repeats the removal, which then finds nothing."""

    def __init__(self, store: RetentionStore, files: RunFiles, clock: Clock) -> None:
        self._store = store
        self._files = files
        self._clock = clock

    def sweep(self, keep_runs: int | None, before: datetime | None) -> bool:
        """Remove one batch.

        Args:
            keep_runs: newest ended runs of each pipeline whose logs stay; None means all.
            before: logs of runs that ended earlier go; None means none.

        Returns:
            Whether another batch may follow.
        """
        removed = []
        found = self._store.find_expired(keep_runs=keep_runs, before=before, limit=_BATCH)
        for run_id in found:
            try:
                self._files.remove(run_id)
            except OSError as error:
                logger.warning("log.not_removed", extra={"fields": {"run_id": run_id, "error": error}})
                continue
            removed.append(run_id)
        if removed:
            self._store.mark_log_deleted(removed, self._clock.now())
            logger.info("logs.removed", extra={"fields": {"count": len(removed)}})
        return len(found) == _BATCH and bool(removed)
