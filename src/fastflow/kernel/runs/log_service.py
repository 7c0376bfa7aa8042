"""Reading what runs wrote: logs whole, in part and live, the feed of events, artifacts. Changes nothing."""

import asyncio
import os
from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from dataclasses import dataclass

from fastflow.kernel.runs.domain.logged_run import FeedEvent, LiveLog, LoggedRun, LogQuery, PolledLog, StoredArtifact
from fastflow.kernel.runs.log_ports import (
    ArtifactFiles,
    EventFeed,
    LogFiles,
    LogFollower,
    LoggedRuns,
    OpenLog,
    RunEnds,
)
from fastflow.kit.errors import NotFound
from fastflow.kit.identity import Actor

_BLOCK_BYTES = 256 * 1024


@dataclass(frozen=True, kw_only=True)
class OpenArtifact:
    """An artifact opened for reading; close `descriptor` after use."""

    artifact: StoredArtifact
    descriptor: int

    def read(self, start: int, end: int | None) -> Iterator[bytes]:
        """Its bytes from one offset to another (None: to the end), in blocks."""
        last = self.artifact.size_bytes if end is None else end
        while start < last and (data := os.pread(self.descriptor, min(_BLOCK_BYTES, last - start), start)):
            yield data
            start += len(data)

    def close(self) -> None:
        """Release the file."""
        os.close(self.descriptor)


class LogService:
    """Logs, events and artifacts of runs, within each caller's scope."""

    def __init__(
        self,
        *,
        runs: LoggedRuns,
        files: LogFiles,
        follower: LogFollower,
        ends: RunEnds,
        feed: EventFeed,
        artifacts: ArtifactFiles,
    ) -> None:
        self._runs = runs
        self._files = files
        self._follower = follower
        self._ends = ends
        self._feed = feed
        self._artifacts = artifacts

    def get_run(self, actor: Actor, run_id: str) -> LoggedRun:
        """The run.

        Raises:
            NotFound: there is no such run.
            Forbidden: the actor may not see its pipeline.
        """
        run = self._runs.find(run_id)
        if run is None:
            raise NotFound(
                f"There is no run {run_id}.",
                code="unknown_run",
                hint="`GET /runs` lists the runs there are.",
                fields={"run_id": "unknown"},
            )
        actor.require_pipeline(run.pipeline_name)
        return run

    def open_log(self, actor: Actor, run_id: str, query: LogQuery) -> tuple[LoggedRun, OpenLog | None]:
        """The run and the part of its log; None for the log while nothing has been written.

        Raises:
            NotFound: no such run, or its log was removed by retention.
            InvalidInput: the range of the query lies beyond the log.
        """
        run = self._with_log(actor, run_id)
        log = self._files.open(run, query)
        if log is None and run.ended:
            # The first look at the row and the removal of the file may have crossed.
            run = self._with_log(actor, run_id)
        return run, log

    async def follow_log(
        self, actor: Actor, run_id: str, *, since: int | None, tail: int | None = None, unfinished: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """The live stream of the run's log, ready to be sent.

        Args:
            since: offset to begin at: 0, the id of an event, or the start of a line; None means the beginning.
            tail: without `since`: begin so many lines before the end.
            unfinished: also tell of text whose line has no end yet.

        Raises:
            NotFound: no such run, or its log was removed by retention.
            InvalidInput: the offset lies beyond the end or in the middle of a line.
        """
        run = await asyncio.to_thread(self._with_log, actor, run_id)
        offset = since or 0
        if since is None and tail is not None:
            offset = await asyncio.to_thread(self._files.tail_offset, run, tail)
        elif offset:
            await asyncio.to_thread(self._files.check_offset, run, offset)
        return self._follower.follow(run, offset, unfinished=unfinished)

    def list_live(self, actor: Actor, *, lines: int, limit: int) -> Sequence[LiveLog]:
        """Running runs, newest first, with their last lines."""
        return [self._files.last_lines(run, lines) for run in self._runs.load_running(actor.reach(), limit)]

    def poll_log(self, actor: Actor, run_id: str, *, since: int | None, lines: int) -> PolledLog:
        """Lines of one run's log, whether it runs or has ended: the same as the live stream tells, with the same ids.

        Args:
            actor: who asks.
            run_id: which run.
            since: the id after which they begin; None: the last ones.
            lines: at most so many; at least one.

        Raises:
            NotFound: no such run, or its log was removed by retention.
            InvalidInput: the offset lies beyond the end or in the middle of a line.
        """
        run = self._with_log(actor, run_id)
        if since is None:
            return self._files.poll(run, self._files.tail_offset(run, lines), lines)
        self._files.check_offset(run, since)
        return self._files.poll(run, since, lines)

    def listen(
        self, actor: Actor, *, since: int | None, kinds: Collection[str] | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The live stream of what happens to the runs the actor may see.

        Args:
            since: id of the last event already known; None begins now.
            kinds: only these kinds; None means all.
        """

        def wanted(event: FeedEvent) -> bool:
            return (kinds is None or event.kind in kinds) and actor.may_touch(event.pipeline_name)

        return self._feed.listen(since, wanted)

    def list_artifacts(self, actor: Actor, run_id: str) -> Sequence[StoredArtifact]:
        """What the run left, once it has ended.

        Raises:
            NotFound: there is no such run.
        """
        return self._runs.load_artifacts(self.get_run(actor, run_id).id)

    def open_artifact(self, actor: Actor, run_id: str, path: str) -> OpenArtifact:
        """One of the files the run left.

        Raises:
            NotFound: no such run or artifact, or the file was removed.
        """
        found = {artifact.path: artifact for artifact in self.list_artifacts(actor, run_id)}
        if path not in found:
            raise NotFound(
                f"The run {run_id} left no artifact {path[:200]!r}.",
                code="unknown_artifact",
                hint=f"`GET /runs/{run_id}/artifacts` lists what it left.",
                fields={"path": "unknown"},
            )
        try:
            descriptor = self._artifacts.open(run_id, path)
        except OSError as error:
            raise NotFound(
                f"The artifact {path!r} is no longer on this machine.",
                code="artifact_deleted",
                hint="Retention removes artifacts together with the log (LOG_RETENTION_RUNS, LOG_RETENTION_DAYS); "
                "`POST /runs/{id}/rerun` makes them again.",
                fields={"path": "removed"},
            ) from error
        return OpenArtifact(artifact=found[path], descriptor=descriptor)

    def notify(self) -> None:
        """A run has changed (the runner's wake-up): look now instead of at the next poll. Call it in the event loop."""
        self._ends.notify()
        self._feed.notify()

    def close(self) -> None:
        """End every live stream where it is, so that a stopping server need not wait; clients resume by themselves.
        Call it in the event loop."""
        self._follower.close()
        self._feed.close()

    def _with_log(self, actor: Actor, run_id: str) -> LoggedRun:
        run = self.get_run(actor, run_id)
        if run.log_deleted_at is not None:
            raise NotFound(
                f"The log of the run {run_id} was removed on {run.log_deleted_at:%Y-%m-%d} by retention.",
                code="log_deleted",
                hint="LOG_RETENTION_DAYS and LOG_RETENTION_RUNS say how long logs are kept; "
                "raise them to keep later ones longer.",
                fields={"run_id": "its log was removed"},
            )
        return run
