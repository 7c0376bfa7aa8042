"""Daemons: what a pipeline asks for, how it stands, and the runs that are its instances."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from fastflow.kernel.runs.domain.run import Run

WINDOW = timedelta(hours=1)
"""So far it is looked back for restarts."""
Wish = Literal["running", "stopped", "paused"]
"""running: so many instances as declared; stopped: none; paused: those that run go on, and nothing is done."""
Health = Literal["starting", "healthy", "unhealthy"]
Replace = Literal["rolling", "stop-first"]
State = Literal["running", "starting", "replacing", "backing-off", "crash-loop", "stopping", "stopped", "paused"]


@dataclass(frozen=True, kw_only=True)
class DaemonSpec:
    """What `[daemon]` asks for. Durations in seconds.

    Attributes:
        instances: how many run at once.
        replace: rolling: a new one is healthy before an old one is stopped; stop-first: the old ones end before.
        port: the first of the ports that instances get, one each; None: they get none.
        health: a path asked by HTTP, or `tcp` to connect alone, on the instance's port; None: no probe.
        heartbeat: an instance that told nothing for so long is unhealthy; None: it need not.
        interval: between two probes.
        start_period: how long an instance may take to be healthy.
        misses: failed probes in a row after which it is unhealthy.
        delay: before the first restart; each next one waits twice as long.
        max_delay: no restart waits longer.
        stable: an instance that lived so long ends the series of crashes.
        crash_loop: crashes in a row that are called a loop.
        params: of every instance.
    """

    instances: int = 1
    replace: Replace = "rolling"
    port: int | None = None
    health: str | None = None
    heartbeat: float | None = None
    interval: float = 5.0
    start_period: float = 60.0
    misses: int = 3
    delay: float = 1.0
    max_delay: float = 300.0
    stable: float = 60.0
    crash_loop: int = 5
    params: Mapping[str, Any] = field(default_factory=dict)

    def pause(self, crashes: int) -> float:
        """Seconds before the start after so many crashes in a row.

        >>> [DaemonSpec().pause(crashes) for crashes in (0, 1, 2, 3, 99)]
        [0.0, 1.0, 2.0, 4.0, 300.0]
        """
        return 0.0 if crashes == 0 else min(self.max_delay, self.delay * 2 ** min(crashes - 1, 40))


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """A pipeline that is a service.

    Attributes:
        wish: what people want of it.
        code: identity of the code that it was last looked after with.
        epoch: raised by a restart; instances of an earlier one are replaced.
        started: how many instances were ever started; the last one's number.
        crashes: unexpected ends in a row.
        next_start_at: before it nothing is started.
        crash_loop_since: when the crashes became a loop; kept until an instance was stable or it was stopped; None: none.
        failing_since: when it crashed first, whatever code it had; kept until an instance was stable; None: it did not.
        trouble: what keeps it from being looked after, in words.
    """

    pipeline_name: str
    wish: Wish = "running"
    code: str | None = None
    epoch: int = 0
    started: int = 0
    crashes: int = 0
    next_start_at: datetime | None = None
    crash_loop_since: datetime | None = None
    failing_since: datetime | None = None
    trouble: str | None = None
    changed_at: datetime
    changed_by: str


@dataclass(frozen=True, kw_only=True)
class LastEnd:
    """How a daemon that crashes ended last.

    Attributes:
        text: how.
        run_id: the instance's run.
        restarts: unexpected ends in the window that is looked back at.
    """

    at: datetime
    text: str
    run_id: str | None
    restarts: int


@dataclass(frozen=True, kw_only=True)
class Instance:
    """A run that is an instance of a daemon, from the decision to start it until its end was noticed.

    Attributes:
        number: which start of the daemon it was.
        epoch: of the daemon, then.
        tree_hash: of the code, then; None: not submitted yet.
        port: what it listens on.
        health_at: when it was last found healthy.
        misses: failed probes in a row.
        stopping: why it is being stopped; None: it is not.
        is_crash: whether its stop counts as a crash: it was unhealthy.
        run: None: not submitted yet.
    """

    pipeline_name: str
    number: int
    epoch: int
    tree_hash: str | None = None
    port: int | None = None
    health: Health = "starting"
    health_at: datetime | None = None
    misses: int = 0
    stopping: str | None = None
    is_crash: bool = False
    run: Run | None = None

    @property
    def has_ended(self) -> bool:
        """Whether its run is over."""
        return self.run is not None and self.run.has_ended


@dataclass(frozen=True, kw_only=True)
class DaemonEvent:
    """Something that happened to a daemon.

    Attributes:
        kind: start, stop, restart, pause, healthy, unhealthy, crashed, crash-loop, recovered, stopped, new-code or trouble.
    """

    id: int
    at: datetime
    kind: str
    text: str
    run_id: str | None
