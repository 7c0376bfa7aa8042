"""An executor whose runs are scripted by the test: no process, no disk, no waiting.

It outlives the dispatcher that uses it, as real supervisors do: hand the same one to the next dispatcher to play a
restart of the runner.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.kernel.executors.port import Exit, Handle, Reason, RunKey, RunSpec, ToldEvent
from fastflow.kit.clock import Clock, SystemClock


@dataclass
class MemoryAttempt:
    """One attempt.

    Attributes:
        spec: what it was launched with.
        stops: reasons it was asked to stop with, and the grace given.
    """

    key: RunKey
    spec: RunSpec | None = None
    started_at: datetime | None = None
    events: list[ToldEvent] = field(default_factory=list)
    end: Exit | None = None
    is_sealed: bool = False
    stops: list[tuple[Reason, float]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)


OnLaunch = Callable[["MemoryExecutor", RunSpec], None]


class MemoryExecutor:
    """See `executors.port.Executor`.

    Args:
        on_launch: called with each launched run; may `end` it, `tell` its events or raise. None leaves it running.
        ends_on_stop: whether a run ends as soon as it is asked to.
        clock: for starts and ends.
    """

    kind = "process"

    def __init__(
        self, on_launch: OnLaunch | None = None, *, ends_on_stop: bool = True, clock: Clock | None = None
    ) -> None:
        self._on_launch = on_launch
        self._ends_on_stop = ends_on_stop
        self._clock = clock or SystemClock()
        self.attempts: dict[RunKey, MemoryAttempt] = {}
        self.launched: list[RunSpec] = []
        self.discarded: list[RunKey] = []
        self.launch_error: Exception | None = None
        self.dies_at_launch: bool = False
        """True: `launch` never returns, as if the runner were killed in it, and the process does not start."""
        self._arrived = asyncio.Condition()

    # -- what a test does ---------------------------------------------------------------------------------------------

    def end(
        self, key: RunKey, *, exit_code: int | None = 0, reason: Reason | None = None, reason_text: str | None = None
    ) -> None:
        """Let the run end; a second end changes nothing."""
        attempt = self.attempts[key]
        if attempt.end is not None:
            return
        if reason is None and exit_code:
            reason, reason_text = "exit", f"the script ended with exit code {exit_code}"
        attempt.end = Exit(
            key=key,
            reason=reason,
            reason_text=reason_text,
            exit_code=exit_code,
            started_at=attempt.started_at,
            finished_at=self._clock.now().astimezone(UTC),
            peak_memory_bytes=1 << 20,
            cpu_seconds=0.01,
        )
        attempt.changed.set()

    def tell(self, key: RunKey, kind: str, data: Mapping[str, Any]) -> None:
        """Let the run tell something."""
        attempt = self.attempts[key]
        offset = 100 * len(attempt.events)
        attempt.events.append(ToldEvent(key=key, offset=offset, at=self._clock.now(), kind=kind, data=data))
        attempt.changed.set()

    def key_of(self, run_id: str) -> RunKey:
        """The newest attempt of the run."""
        return max((key for key in self.attempts if key.run_id == run_id), key=lambda key: key.token)

    async def launches(self, count: int) -> Sequence[RunSpec]:
        """Wait until so many runs were launched in all."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.launched) >= count)
        return tuple(self.launched)

    # -- the port -------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """See `Executor.open`."""

    async def launch(self, spec: RunSpec) -> Handle:
        """See `Executor.launch`."""
        if self.dies_at_launch:
            self.attempts[spec.key] = MemoryAttempt(key=spec.key, spec=spec)
            await asyncio.Event().wait()
        if self.launch_error is not None:
            raise self.launch_error
        if spec.key in self.attempts:
            raise LaunchFailed(f"attempt {spec.key.token} of run {spec.key.run_id} was launched or sealed before")
        attempt = MemoryAttempt(key=spec.key, spec=spec, started_at=self._clock.now())
        self.attempts[spec.key] = attempt
        self.launched.append(spec)
        if self._on_launch is not None:
            self._on_launch(self, spec)
        async with self._arrived:
            self._arrived.notify_all()
        assert attempt.started_at is not None
        return Handle(key=spec.key, started_at=attempt.started_at, isolation={"start": "memory"})

    async def wait(self, key: RunKey) -> Exit:
        """See `Executor.wait`."""
        attempt = self.attempts.get(key)
        if attempt is None:
            now = self._clock.now()
            return Exit(
                key=key,
                reason="lost",
                reason_text="its supervisor is gone",
                exit_code=None,
                started_at=None,
                finished_at=now,
            )
        while attempt.end is None:
            attempt.changed.clear()
            await attempt.changed.wait()
        return attempt.end

    async def follow(self, key: RunKey, after_offset: int) -> AsyncIterator[ToldEvent]:
        """See `Executor.follow`."""
        attempt = self.attempts[key]
        given = 0
        while True:
            for event in attempt.events[given:]:
                given += 1
                if event.offset > after_offset:
                    yield event
            if attempt.end is not None and given == len(attempt.events):
                return
            attempt.changed.clear()
            await attempt.changed.wait()

    async def stop(self, key: RunKey, *, reason: Reason, reason_text: str, grace: float) -> None:
        """See `Executor.stop`."""
        attempt = self.attempts.get(key)
        if attempt is None:
            return
        attempt.stops.append((reason, grace))
        if self._ends_on_stop:
            self.end(key, exit_code=-15, reason=reason, reason_text=reason_text)

    async def find_all(self) -> Sequence[RunKey]:
        """See `Executor.find_all`."""
        return tuple(self.attempts)

    async def seal(self, key: RunKey) -> bool:
        """See `Executor.seal`."""
        attempt = self.attempts.setdefault(key, MemoryAttempt(key=key, is_sealed=True))
        if attempt.started_at is not None:
            return False
        attempt.is_sealed = True
        return True

    async def discard(self, key: RunKey) -> None:
        """See `Executor.discard`."""
        if self.attempts.pop(key, None) is not None:
            self.discarded.append(key)

    def describe(self) -> Mapping[str, Any]:
        """See `Executor.describe`."""
        return {"kind": "memory"}

    async def close(self) -> None:
        """See `Executor.close`."""
