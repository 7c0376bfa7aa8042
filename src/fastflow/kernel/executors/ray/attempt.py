"""One attempt as the runner sees it: what its agent has told, as it arrives in the attempt's folder."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from fastflow.kernel.executors.port import RunKey
from fastflow.kernel.executors.process.attempt import Attempt
from fastflow.kernel.executors.ray.cluster import Job
from fastflow.kernel.executors.ray.folders import AttemptFolder


class RayAttempt(Attempt):
    """Follows one attempt until its end; made by a launch, or found again after a restart of the runner.

    Attributes:
        failed: what kept the script from beginning, as the agent told; None: nothing yet.
        submission: id of its job; None before it was submitted.
        submitted_at: when that was, in monotonic seconds.
        job_over: becomes its job, when that ended before the script began; None: the cluster does not know it.
    """

    def __init__(self, key: RunKey, place: AttemptFolder) -> None:
        super().__init__(key, place.path)
        self.place = place
        self.failed: Mapping[str, Any] | None = None
        note = place.note()
        self.submission = None if note is None else note.submission
        self.submitted_at = 0.0
        self.job_over: asyncio.Future[Job | None] = asyncio.get_running_loop().create_future()

    def submitted(self, submission: str) -> None:
        """Its job, or another one in the place of one that never began, was submitted just now."""
        self.submission = submission
        self.submitted_at = time.monotonic()
        self.job_over = asyncio.get_running_loop().create_future()

    def tell_job(self, job: Job | None) -> None:
        """Its job is over, or unknown to the cluster, and its script has not begun."""
        if not self.job_over.done():
            self.job_over.set_result(job)

    def look(self) -> None:
        """Take in what has arrived."""
        started, record = self.place.get("started"), self.place.get("exit")
        self.failed = self.failed or self.place.get("failed")
        if started is not None and not self.started.done():
            self.started.set_result(started)
        if record is not None:
            self._end(record)
        elif self.failed is not None and not self.started.done():
            self.started.set_result(None)
        elif not self.place.exists():
            self._end(None)
        self._ring()

    def fail(self, reason: str, text: str) -> None:
        """The launch is over before the script has begun."""
        self.failed = self.failed or {"reason": reason, "text": text}
        if not self.started.done():
            self.started.set_result(None)
        self._ring()
