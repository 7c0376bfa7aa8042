"""What the runner asks its store to do. Commands that are ready together are applied in one transaction, in order.

Each change of a run carries the fencing token of the lease it is made under; the store refuses an older one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastflow.kernel.executors.port import ToldEvent
from fastflow.kernel.runs.domain.run import Artifact, Ending, Run


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to change one run.

    Attributes:
        token: fencing token.
    """

    run_id: str
    token: int


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Take the next eligible runs out of the queue. Result: `Claimed`.

    Attributes:
        limit: take at most so many.
        only: take this run or none; None means any.
    """

    owner: str
    host: str
    max_concurrent: int
    limit: int
    only: str | None = None


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """What a claim took.

    Attributes:
        runs: RUNNING now, under the claim's owner.
        more: whether others still wait; of a claim for one run: whether that one does.
    """

    runs: Sequence[Run]
    more: bool

    def __bool__(self) -> bool:
        return bool(self.runs)


@dataclass(frozen=True, kw_only=True)
class RecordSetup:
    """The environment is ready. Result: whether the lease still held."""

    lease: Lease
    environment: str
    interpreter: str
    uv_version: str


@dataclass(frozen=True, kw_only=True)
class RecordStart:
    """The user's process was started. Result: whether the lease still held.

    Attributes:
        setup: the environment it was started in.
        setup_duration: seconds from claim to start.
        log_file: its log, on the server that runs it; None leaves what the submission said.
    """

    setup: RecordSetup
    started_at: datetime
    setup_duration: float
    isolation: Mapping[str, Any]
    log_file: str | None = None


@dataclass(frozen=True, kw_only=True)
class RecordWaiting:
    """What a launch that is going on waits for. Result: whether the lease still held.

    Attributes:
        text: in words; None: for nothing any more.
    """

    lease: Lease
    text: str | None


@dataclass(frozen=True, kw_only=True)
class NewAttempt:
    """The former attempt was sealed: the next one is launched under the lease's token. Result: whether the lease held."""

    lease: Lease


@dataclass(frozen=True, kw_only=True)
class Finish:
    """Write the terminal state, once. Result: `Finished`.

    Attributes:
        artifacts: what the run left.
        guarded: a feature that fails at the end (`infra/at_end.py`) does not keep it from being written.
    """

    lease: Lease
    ending: Ending
    artifacts: Sequence[Artifact] = ()
    guarded: bool = False


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What became of an end. True when it was applied.

    Attributes:
        applied: False: the lease is lost.
        queued: runs that may start at once followed from it.
    """

    applied: bool
    queued: bool = False

    def __bool__(self) -> bool:
        return self.applied


@dataclass(frozen=True, kw_only=True)
class RecordEvents:
    """What a run told; an offset that is known already adds nothing. Result: whether the lease still held."""

    lease: Lease
    events: Sequence[ToldEvent]


@dataclass(frozen=True, kw_only=True)
class TakeOver:
    """At a runner's start: take every RUNNING run of this host under a new token. Result: `list[Run]`."""

    owner: str
    host: str


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """The runner lives: renew its leases and its own row. Result: ids of the runs it still holds.

    Attributes:
        held_back: why it takes no new runs at present.
    """

    owner: str
    host: str
    hostname: str
    pid: int
    started_at: datetime
    url: str | None = None
    stopped: bool = False
    held_back: str | None = None


@dataclass(frozen=True, kw_only=True)
class Renew:
    """Renew the leases of a process that is not its host's runner. Result: ids of the runs it still holds."""

    owner: str


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """End what waits past its deadline, and what runs on a host that has been silent for too long. Result: `Swept`.

    Attributes:
        host: rows of this host are its own runner's business.
    """

    host: str


@dataclass(frozen=True, kw_only=True)
class Swept:
    """What a sweep did. True when it ended anything.

    Attributes:
        ended: ids of the runs that ended.
        queued: runs that may start at once followed from it.
    """

    ended: Sequence[str]
    queued: bool = False

    def __bool__(self) -> bool:
        return bool(self.ended)


Command = (
    Claim
    | RecordSetup
    | RecordWaiting
    | RecordStart
    | NewAttempt
    | Finish
    | RecordEvents
    | TakeOver
    | Heartbeat
    | Renew
    | Sweep
)

LEASE_SECONDS = 30.0
RENEW_SECONDS = 10.0
WATCH_SECONDS = 2 * RENEW_SECONDS
"""How long a lease of another host must have been seen unchanged before its run is given up: a live one is renewed."""
LOST_AFTER_SECONDS = 90.0
"""How long a runner of another host may be silent before its runs are given up."""
STOPPED_LOST_AFTER_SECONDS = 900.0
"""The same for a runner that was stopped in order: its runs go on, and it is expected back, such as after an upgrade."""
