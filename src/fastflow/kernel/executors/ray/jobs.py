"""Looks at the cluster's jobs: tells attempts what became of theirs, and tidies away those that nobody waits for."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from fastflow.kernel.executors.ray.attempt import RayAttempt
from fastflow.kernel.executors.ray.cluster import (
    OWNER_KEY,
    Cluster,
    ClusterAway,
    ClusterError,
    Job,
    Node,
    NoSuchJob,
)
from fastflow.kernel.executors.ray.verdict import Seen, judge

log = logging.getLogger(__name__)

BUSY_SECONDS = 1.0
"""Between two looks while there are attempts or jobs to tidy away."""
IDLE_SECONDS = 15.0
SLOW_SECONDS = 2.0
RETIRED_SECONDS = 10.0
"""How long the job of an ended attempt may take to end by itself."""


class JobWatch:
    """The jobs of one server on one cluster.

    Args:
        cluster: which.
        owner: what our jobs name as their server.
        attempts: those that are watched now.
        known: ids of the jobs that any attempt of ours stands behind.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        owner: str,
        attempts: Callable[[], Collection[RayAttempt]],
        known: Callable[[], Collection[str]],
    ) -> None:
        self._cluster = cluster
        self._owner = owner
        self._attempts = attempts
        self._known = known
        self._retired: dict[str, float] = {}
        self._wake = asyncio.Event()
        self.nodes: Sequence[Node] = ()
        self._nodes_at = 0.0
        self.version: str | None = None
        self.away_because: str | None = "not asked yet"
        self.looked = asyncio.Event()
        """Set after the first look, whatever it came to."""

    def wake(self) -> None:
        """Look soon."""
        self._wake.set()

    def retire(self, job_id: str, *, at_once: bool) -> None:
        """Nobody waits for the job: have it ended (`at_once`, or when it does not end by itself) and forgotten."""
        self._retired[job_id] = time.monotonic() + (0 if at_once else RETIRED_SECONDS)
        self.wake()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except ClusterError as error:
                if self.away_because != str(error):
                    log.warning("executor.cluster_away", extra={"fields": {"error": str(error)}})
                self.away_because = str(error)
            except Exception:
                log.exception("executor.look_failed")
            self.looked.set()
            is_busy = bool(self._retired or self._attempts())
            pause = IDLE_SECONDS if not is_busy else (SLOW_SECONDS if self.away_because else BUSY_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            self._wake.clear()

    async def look(self) -> None:
        """One look.

        Raises:
            ClusterError: the cluster cannot be asked.
        """
        begun = time.monotonic()
        if self.version is None or self.away_because is not None:
            self.version = await self._cluster.version()
        jobs = {job.id: job for job in await self._cluster.jobs()}
        is_idle = self.away_because is not None or not self._attempts()
        if is_idle or begun - self._nodes_at >= IDLE_SECONDS:
            self.nodes = await self._cluster.nodes()
            self._nodes_at = begun
        self.away_because = None
        for attempt in list(self._attempts()):
            await self._judge(attempt, jobs, begun)
        await self._tidy(jobs)

    async def _judge(self, attempt: RayAttempt, jobs: Mapping[str, Job], begun: float) -> None:
        if attempt.exit.done() or attempt.submission is None or attempt.submitted_at >= begun:
            return
        claim = attempt.place.claim()
        job = jobs.get(attempt.submission if claim is None else claim.submission)
        if not attempt.place.has_begun():
            if job is None or job.is_over:
                attempt.tell_job(job)
            return
        if job is not None and not job.is_over:
            return
        seen = Seen(
            job=job,
            node=None if claim is None else claim.node,
            silent_seconds=time.time() - attempt.place.heard_at(),
            stop=attempt.place.get("stop"),
        )
        if job is not None:
            self.nodes = await self._cluster.nodes()
        verdict = judge(seen, self.nodes)
        if verdict is not None:
            reason, text = verdict
            log.warning("executor.run_lost", extra={"fields": {"run_id": attempt.key.run_id, "why": text}})
            started = attempt.place.get("started") or {}
            record = {
                "reason": reason,
                "reason_text": text,
                "exit_code": None,
                "started_at": started.get("at"),
                "finished_at": datetime.now(UTC).timestamp(),
                "isolation": started.get("isolation", {}),
            }
            attempt.place.put("exit", record)
            attempt.look()

    async def _tidy(self, jobs: Mapping[str, Job]) -> None:
        known = self._known()
        for job in jobs.values():
            if job.metadata.get(OWNER_KEY) == self._owner and job.id not in known:
                self._retired.setdefault(job.id, 0.0)
        for job_id, until in list(self._retired.items()):
            found = jobs.get(job_id)
            try:
                if found is None:
                    found = await self._cluster.job(job_id)  # submitted since
                if found.is_over:
                    await self._cluster.delete(job_id)
                    del self._retired[job_id]
                elif time.monotonic() >= until:
                    await self._cluster.stop(job_id)
            except NoSuchJob:
                del self._retired[job_id]
            except ClusterAway:
                raise
            except ClusterError as error:  # it changes its state in this very moment
                log.debug("executor.job_stays", extra={"fields": {"job": job_id, "error": str(error)}})
