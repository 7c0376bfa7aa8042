"""One run's way from its claim, or its take-over, to its recorded end.

Whatever goes wrong, the run ends exactly once and its slot becomes free: our own failures end it with reason `setup`
before its process started and `lost` after, and the end is offered to the database until it is taken.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from fastflow.kernel.executors.port import Executor, Exit, RunKey, RunsElsewhere
from fastflow.kernel.runs.dispatcher.events import carry_events
from fastflow.kernel.runs.dispatcher.fitting import fit_to_machine
from fastflow.kernel.runs.dispatcher.launch import Launchable, SpecMaker
from fastflow.kernel.runs.dispatcher.waiting import WaitingLaunch
from fastflow.kernel.runs.dispatcher.writer import Writer
from fastflow.kernel.runs.domain.capsule import Capsule
from fastflow.kernel.runs.domain.commands import Finish, Lease, NewAttempt, RecordSetup, RecordStart
from fastflow.kernel.runs.domain.run import Artifact, Ending, Run, ending_of, failure
from fastflow.kernel.runs.ports import LeaseStore, RunFiles
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError, Unavailable

logger = logging.getLogger(__name__)

_EVENTS_AFTER_END_SECONDS = 10.0
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0
_MAX_WORDS = 8000
_WAIT_ATTEMPTS = 6
"""Failed attempts to observe a run before it is given up as lost; about 20 seconds."""

OnFinish = Callable[[Finish], Awaitable[bool]]
"""Writes the end, once; tells whether it was applied."""


class RunTask:
    """Sees one run through.

    Args:
        run: RUNNING, under a lease of this runner.
        executors: by kind.
        specs: makes the launch ready.
        writer: to the database.
        store: for reads.
        files: log and artifacts.
        clock: for ends that are our own.
        finish: writes the end.
    """

    def __init__(
        self,
        run: Run,
        *,
        executors: Mapping[str, Executor],
        specs: SpecMaker,
        writer: Writer,
        store: LeaseStore,
        files: RunFiles,
        clock: Clock,
        finish: OnFinish,
    ) -> None:
        self.run = run
        self._executors = executors
        self._specs = specs
        self._writer = writer
        self._store = store
        self._files = files
        self._clock = clock
        self._finish = finish
        self._lease = Lease(run_id=run.id, token=run.lease_token)
        self._setup: asyncio.Task[Launchable] | None = None
        self._cancel_text: str | None = None
        self._cancelled_at: datetime | None = None
        self._is_launch_tried = False
        self._is_launched = False
        self._stop_sent = False
        self._is_recorded = False
        self._is_refused = False
        self._is_given_up = False
        self._noted: list[str] = []

    async def execute(self) -> None:
        """From a fresh claim to the end. Raises nothing but cancellation, which leaves the run as it is."""
        await self._guarded(self._start_and_watch)

    async def resume(self, held: Sequence[RunKey]) -> None:
        """From a take-over to the end. Raises nothing but cancellation.

        Args:
            held: every attempt the executor still holds.
        """
        await self._guarded(lambda: self._resume(held))

    async def cancel(self, text: str) -> None:
        """End the run: its setup is abandoned, or its process stopped. May be called again; only the first counts."""
        if self._cancel_text is None:
            self._cancel_text, self._cancelled_at = text, self._clock.now()
        if self._is_launched:
            await self._send_stop()
        elif self._setup is not None:
            self._setup.cancel()
        elif self._is_launch_tried:
            executor = self._executors[self.run.executor]
            if isinstance(executor, RunsElsewhere):  # any other has launched before a wish could be obeyed
                await executor.call_off(self.run.key)

    async def give_up(self, text: str) -> None:
        """End the run's process: the run was ended elsewhere while this server was not heard of, so nobody takes its
        result, and another attempt of it may be going on."""
        if not self._is_recorded:
            self._is_given_up = True
            await self.cancel(text)

    # -- the way ----------------------------------------------------------------------------------------------------------

    async def _guarded(self, way: Callable[[], Awaitable[None]]) -> None:
        try:
            await way()
        except Exception as error:
            logger.exception("run.task_failed", extra={"fields": {"run_id": self.run.id}})
            await self._end_after_failure(error)
        if self._is_refused:
            await self._let_go()

    async def _start_and_watch(self) -> None:
        executor = self._executors.get(self.run.executor)
        if executor is None:
            await self._fail_setup(f"The executor {self.run.executor!r} is not available on this runner.")
            return
        launchable = await self._make_ready()
        if launchable is None:
            return
        setup = self._setup_facts(launchable)
        self._is_launch_tried = True
        waiting = WaitingLaunch(
            lease=self._lease, deadline=self.run.wait_deadline, writer=self._writer, clock=self._clock
        )
        try:
            spec = await fit_to_machine(executor, launchable.spec, self._note)
            handle = await waiting.launch(executor, spec)
        except Exception as error:
            if not isinstance(error, FastFlowError):
                logger.exception("launch.failed", extra={"fields": {"run_id": self.run.id}})
            self._writer.put_soon(setup)
            if not await executor.seal(self.run.key):
                await self._watch(executor)  # its supervisor got far enough to record the end itself
                return
            if isinstance(error, FastFlowError) and error.extra.get("is_logged"):
                self._noted += error.message.splitlines()
            if self._cancel_text is not None:
                await self._write_end(failure("cancelled", self._cancel_text, self._clock.now()))
            elif waiting.overdue is not None:
                await self._note(_told_of_end(waiting.overdue))
                await self._write_end(failure("timeout", waiting.overdue, self._clock.now()))
            else:
                await self._fail_setup(_words(error))
            await executor.discard(self.run.key)
            return
        if handle.interpreter is not None:
            setup = replace(setup, interpreter=handle.interpreter)
        claimed_at = self.run.claimed_at or handle.started_at
        start = RecordStart(
            setup=setup,
            started_at=handle.started_at,
            setup_duration=max(0.0, (handle.started_at - claimed_at).total_seconds()),
            isolation=handle.isolation,
            log_file=str(self._files.log_path(self.run.id)),
        )
        self._writer.put_soon(start)
        self.run = replace(self.run, started_at=handle.started_at)
        await self._watch(executor)

    async def _make_ready(self) -> Launchable | None:
        """The launch, ready; None when the run was ended instead. Waits while the database is away."""
        pause = _FIRST_PAUSE
        while self._cancel_text is None:
            self._setup = asyncio.create_task(self._specs.make(self.run, self._noted.append))  # noqa: TID251  awaited in the next line
            try:
                return await self._setup
            except asyncio.CancelledError:
                if self._cancel_text is None:
                    raise  # the runner stops: the next one sets the run up again
            except Unavailable as error:
                logger.warning("setup.waits", extra={"fields": {"run_id": self.run.id, "error": error.message}})
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
            except FastFlowError as error:
                await self._fail_setup(_words(error))
                return None
            finally:
                self._setup = None
        await self._write_end(failure("cancelled", self._cancel_text, self._clock.now()))
        return None

    async def _resume(self, held: Sequence[RunKey]) -> None:
        executor = self._executors.get(self.run.executor)
        if executor is None:
            await self._end_lost(f"the executor {self.run.executor!r} is not available on this runner any more")
            return
        key = self.run.key
        if self.run.started_at is None and await executor.seal(key):
            await executor.discard(key)
            logger.info("run.relaunched", extra={"fields": {"run_id": self.run.id}})
            if not (await self._writer.do(NewAttempt(lease=self._lease)))[0]:
                return
            self.run = replace(self.run, attempt_token=self.run.lease_token)
            self._cancel_text = self._cancel_text or self.run.cancel_reason
            await self._start_and_watch()
        elif self.run.started_at is not None and key not in held:
            await self._end_lost("its supervisor and its record are gone")
        else:
            logger.info("run.taken_over", extra={"fields": {"run_id": self.run.id}})
            await self._watch(executor)

    async def _watch(self, executor: Executor) -> None:
        """Observe the launched run until its end is recorded."""
        self._is_launched = True
        if self._cancel_text is not None:
            await self._send_stop()
        offset = -1 if self.run.claimed_at is None else await self._last_offset()
        carrying = asyncio.create_task(  # noqa: TID251  awaited or cancelled below
            carry_events(executor, self._writer, self.run.key, self._lease, offset)
        )
        try:
            end = await self._await_exit(executor)
            await self._await_events(carrying)
        finally:
            carrying.cancel()
        if end is None:
            recorded = await self._end_lost("its executor could not tell how it is doing")
        else:
            recorded = await self._record_exit(end)
        if recorded:  # else the run is in other hands, which still need what the attempt left
            await executor.discard(self.run.key)

    async def _last_offset(self) -> int:
        if self.run.attempt_token == self.run.lease_token:
            return -1  # a fresh attempt has told nothing yet
        return await asyncio.to_thread(self._store.last_event_offset, self.run.id)

    async def _await_exit(self, executor: Executor) -> Exit | None:
        pause = _FIRST_PAUSE
        for _ in range(_WAIT_ATTEMPTS):
            try:
                return await executor.wait(self.run.key)
            except Exception:
                logger.exception("wait.failed", extra={"fields": {"run_id": self.run.id, "retry_in": pause}})
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
        await executor.stop(self.run.key, reason="lost", reason_text="the runner cannot observe it", grace=0.0)
        return None

    async def _await_events(self, carrying: asyncio.Task[None]) -> None:
        try:
            async with asyncio.timeout(_EVENTS_AFTER_END_SECONDS):
                await carrying
        except TimeoutError:
            logger.warning("run.events_late", extra={"fields": {"run_id": self.run.id}})
        except Exception:
            logger.exception("run.events_failed", extra={"fields": {"run_id": self.run.id}})

    async def _send_stop(self) -> None:
        if self._stop_sent:
            return
        executor = self._executors[self.run.executor]
        grace = Capsule.from_json(self.run.capsule).grace
        text = self._cancel_text or "cancelled"
        await executor.stop(self.run.key, reason="cancelled", reason_text=text, grace=grace)
        self._stop_sent = True

    # -- the end ----------------------------------------------------------------------------------------------------------

    async def _record_exit(self, end: Exit) -> bool:
        artifacts: Sequence[Artifact] = ()
        try:
            artifacts, notes = await asyncio.to_thread(self._files.collect_artifacts, self.run.id)
            if end.reason == "cancelled" and not self._is_given_up:
                notes = [*notes, self._told_of_cancellation(end.reason_text)]
            elif end.reason == "lost":
                notes = [*notes, _told_of_loss(end.reason_text)]
            if notes:
                await asyncio.to_thread(self._files.append_note, self.run.id, "\n".join(notes))
            if end.reason in ("timeout", "oom"):  # its supervisor said so, unless it was killed or had no room
                await asyncio.to_thread(
                    self._files.append_last, self.run.id, _told_of_end(end.reason_text or end.reason)
                )
        except OSError:
            logger.exception("artifacts.not_collected", extra={"fields": {"run_id": self.run.id}})
        ending = ending_of(end)
        if self.run.setup_duration is None and end.started_at is not None and self.run.claimed_at is not None:
            seconds = max(0.0, (end.started_at - self.run.claimed_at).total_seconds())
            ending = replace(ending, setup_duration=seconds)
        return await self._write_end(ending, artifacts)

    def _told_of_cancellation(self, text: str | None) -> str:
        """Who ended the run, and when, for its log."""
        at = self._cancelled_at or self.run.cancel_requested_at or self._clock.now()
        return _told_of_end(f"{text or 'cancelled'} ({at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC)")

    async def _fail_setup(self, text: str) -> None:
        noted = {line.strip() for line in self._noted}
        rest = [
            line for line in text.splitlines() if line.strip() not in noted
        ]  # the builder's words are there already
        if rest:
            await self._note("\n".join(rest))
        await self._write_end(failure("setup", text, self._clock.now()))

    async def _note(self, text: str) -> None:
        with contextlib.suppress(OSError):  # a full disk: the run row says it all the same
            await asyncio.to_thread(self._files.append_note, self.run.id, text)

    async def _end_lost(self, text: str) -> bool:
        await self._note(_told_of_loss(text))
        return await self._write_end(failure("lost", text, self._clock.now()))

    async def _end_after_failure(self, error: Exception) -> None:
        """Our own failure: no process may be left, and the run must end, unless it has: then only what is left of the
        attempt could not be removed, which the next start does."""
        if self._is_recorded:
            return
        text = _words(error)
        executor = self._executors.get(self.run.executor)
        if executor is not None and self._is_launch_tried:
            await clear_away(executor, self.run.key, "the runner failed to see it through")
        if self._is_launched:
            await self._end_lost(text)
        else:
            await self._fail_setup(text)

    async def _write_end(self, ending: Ending, artifacts: Sequence[Artifact] = ()) -> bool:
        """Write the terminal state; when the store refuses the details, without them, until it is taken. False: the
        lease is lost, and the end is somebody else's to write."""
        finish = Finish(lease=self._lease, ending=ending, artifacts=artifacts)
        pause = _FIRST_PAUSE
        while True:
            try:
                applied = await self._finish(finish)
            except Exception:
                logger.exception("run.end_refused", extra={"fields": {"run_id": self.run.id, "retry_in": pause}})
                bare = replace(ending, isolation=None, peak_memory_bytes=None, cpu_seconds=None)
                finish = Finish(lease=self._lease, ending=bare, guarded=True)
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
                continue
            if not applied:
                logger.warning(
                    "run.end_not_applied", extra={"fields": {"run_id": self.run.id, "token": self._lease.token}}
                )
            self._is_recorded, self._is_refused = applied, not applied
            return applied

    async def _let_go(self) -> None:
        """Our end was refused. When the run was given up meanwhile, its log says so and nothing of the attempt is kept;
        else it is in other hands, which still need that."""
        try:
            is_given_up = await tell_given_up(self._store, self._files, self.run.id)
        except Unavailable as error:  # the next start looks again
            logger.warning("run.left_over", extra={"fields": {"run_id": self.run.id, "error": error.message}})
            return
        executor = self._executors.get(self.run.executor)
        if is_given_up and executor is not None:
            await clear_away(executor, self.run.key, "its run was given up")

    def _setup_facts(self, launchable: Launchable) -> RecordSetup:
        environment = launchable.ready.environment
        return RecordSetup(
            lease=self._lease,
            environment=environment.hash,
            interpreter=environment.interpreter,
            uv_version=environment.uv_version,
        )


async def clear_away(executor: Executor, key: RunKey, why: str) -> None:
    """End and forget an attempt that no run stands behind; what fails is logged and left to the next start."""
    try:
        if not await executor.seal(key):
            await executor.stop(key, reason="lost", reason_text=why, grace=0.0)
            await executor.wait(key)
        await executor.discard(key)
    except Exception:
        logger.exception("attempt.not_cleared", extra={"fields": {"run_id": key.run_id, "token": key.token}})


async def tell_given_up(store: LeaseStore, files: RunFiles, run_id: str) -> bool:
    """Whether the run was given up as lost; its log, which nobody could end then, ends with why.

    Raises:
        Unavailable: the database is away.
    """
    lost = [run for run in await asyncio.to_thread(store.load_ended, [run_id]) if run.reason == "lost"]
    for run in lost:
        with contextlib.suppress(OSError):  # a full disk: the run row says it all the same
            await asyncio.to_thread(files.append_last, run.id, _told_of_loss(run.reason_text))
    return bool(lost)


def _told_of_end(text: str) -> str:
    """The last line of the log of a run that did not end by itself."""
    return f"the run was ended: {text}"


def _told_of_loss(text: str | None) -> str:
    """The last line of a log that nobody ended, so that it does not look as if the script had fallen silent."""
    return f"the run is lost: {text or 'nobody saw how the script ended'}"


def _words(error: BaseException) -> str:
    """The error for people; of one that is not ours only what cannot hold a secret."""
    if isinstance(error, FastFlowError):
        return error.message[:_MAX_WORDS]
    if isinstance(error, OSError) and error.strerror:
        return f"The machine refused: {error.strerror}."
    return f"An error of the runner: {type(error).__name__}. Its log says more."
