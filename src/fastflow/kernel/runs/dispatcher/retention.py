"""Removes logs, artifacts and copies of code that have outlived their time; the runs themselves stay in the history."""

import logging
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from fastflow.kernel.runs.ports import CodeCopies, InputStore, NeededCode, RetentionStore, RunFiles
from fastflow.kit.clock import Clock

logger = logging.getLogger(__name__)

_BATCH = 200
_CODE_EVERY = timedelta(hours=1)


class Retention:
    """Sweeps in batches; a crash between removing and noting repeats the removal, which then finds nothing.

    Args:
        store: which runs there are.
        files: their logs and artifacts.
        clock: the time.
        code: the copies of pipelines' code; None: they are left alone.
        code_unused: how long a copy that no run needs stays after its last use.
        also_needed: what something else than runs needs.
        inputs: what rooms handed to runs; None: nothing is.
    """

    def __init__(
        self,
        store: RetentionStore,
        files: RunFiles,
        clock: Clock,
        *,
        code: CodeCopies | None = None,
        code_unused: timedelta = timedelta(days=30),
        also_needed: NeededCode | None = None,
        inputs: InputStore | None = None,
    ) -> None:
        self._store = store
        self._files = files
        self._clock = clock
        self._code = code
        self._code_unused = code_unused
        self._also_needed = also_needed
        self._inputs = inputs
        self._code_due_at: datetime | None = None

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

    def collect_code(self) -> None:
        """Once an hour: remove copies of code, and inputs, that no run needs.

        A run needs its own until it is over, and then for as long as its log and artifacts are kept: so what can be
        looked at can also be repeated exactly.
        """
        now = self._clock.now()
        if self._code is None or (self._code_due_at is not None and now < self._code_due_at):
            return
        self._code_due_at = now + _CODE_EVERY
        removed = self._code.collect_snapshots(self._find_needed, self._code_unused.total_seconds())
        if removed:
            logger.info("code.removed", extra={"fields": {"count": len(removed)}})
        if self._inputs is not None:
            gone = self._inputs.remove_unused(self._store.find_needed_inputs, 0.0)
            if gone:
                logger.info("inputs.removed", extra={"fields": {"count": len(gone)}})

    def _find_needed(self, tree_hashes: Sequence[str]) -> Collection[str]:
        needed = self._store.find_needed_code(tree_hashes)
        return needed if self._also_needed is None else {*needed, *self._also_needed(tree_hashes)}
