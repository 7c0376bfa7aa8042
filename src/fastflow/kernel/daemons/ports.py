"""What daemons need of others: their store, probes, the runs and pipelines below, and the wake-up."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from fastflow.kernel.daemons.domain.deciding import Decision
from fastflow.kernel.daemons.domain.records import Daemon, DaemonEvent, Instance, LastEnd, Wish
from fastflow.kernel.pipelines.domain.pipeline import FrozenPipeline, Pipeline
from fastflow.kernel.runs.domain.run import Run
from fastflow.kit.identity import Actor

WAKE_MESSAGE = "daemons"

Decide = Callable[[Daemon, Sequence[Instance]], Decision]


class DaemonStore(Protocol):
    """Daemons in the database. Any number of servers may look after them at once: a lease lets one at a time."""

    def declare(self, names: Sequence[str], at: datetime) -> None:
        """Make the rows that are missing, wanted running."""
        ...

    def wish(self, name: str, wish: Wish | None, *, is_restart: bool, actor: Actor, at: datetime) -> bool:
        """Change what is wanted (None: nothing) and, for a restart, begin a new epoch; with an audit entry. Whether there is
        such a daemon."""
        ...

    def load(self) -> Sequence[tuple[Daemon, Sequence[Instance]]]:
        """Every daemon with its instances, by name."""
        ...

    def advance(self, name: str, owner: str, decide: Decide, at: datetime) -> Decision | None:
        """Take or renew the lease, decide by the rows as they are then, and write what was decided, in one transaction.
        None: another server has it, or it is gone."""
        ...

    def submitted(self, instance: Instance, run: Run) -> bool:
        """Note the run of a decided instance. Whether it is still wanted."""
        ...

    def give_up(self, instance: Instance, why: str, *, retry_at: datetime, at: datetime) -> None:
        """Forget a decided instance that could not be submitted, and note why, unless that was the last thing noted."""
        ...

    def probed(self, instance: Instance, at: datetime, told: str | None) -> None:
        """Write what a probe found; `told` becomes an event."""
        ...

    def last_told(self, run_id: str) -> datetime | None:
        """When the run last told something with a `::fastflow::` line."""
        ...

    def load_last_ends(self, names: Sequence[str], since: datetime) -> Mapping[str, LastEnd]:
        """How each of these daemons ended unexpectedly last, and how often since an instant; of those that did."""
        ...

    def load_events(self, name: str, *, before_id: int | None, limit: int) -> Sequence[DaemonEvent]:
        """At most `limit` events, latest first."""
        ...


class Alarm(Protocol):
    """Tells people of daemons, in the transaction that decides it."""

    def crash_loop(
        self,
        connection: Any,
        pipeline_name: str,
        *,
        crashes: int,
        last: LastEnd | None,
        next_start_at: datetime | None,
        at: datetime,
    ) -> None:
        """So many unexpected ends in a row are a loop."""
        ...

    def recovered(
        self, connection: Any, pipeline_name: str, *, crashes: int, since: datetime | None, at: datetime
    ) -> None:
        """An instance is stable again; `since`: of the loop, if it was one."""
        ...

    def ended(self, connection: Any, pipeline_name: str, *, at: datetime) -> None:
        """Nobody wants it any more, so the loop is over."""
        ...


class Probe(Protocol):
    """Asks an instance on this machine whether it is well."""

    async def ask(self, port: int, health: str) -> bool:
        """Whether it answered in time: a path by HTTP with a status below 400, `tcp` by taking the connection."""
        ...


class Runs(Protocol):
    """The runs below."""

    def submit(
        self,
        pipeline_name: str,
        params: Mapping[str, Any] | None = None,
        *,
        actor: Actor,
        trigger: str = "api",
        idempotency_key: str | None = None,
        daemon: Mapping[str, int] | None = None,
    ) -> Run:
        """See `RunService.submit`."""
        ...

    def find_by_key(self, pipeline_name: str, idempotency_key: str) -> Run | None:
        """See `RunService.find_by_key`."""
        ...

    def cancel(self, run_id: str, *, actor: Actor, reason: str | None = None) -> Run:
        """See `RunService.cancel`."""
        ...


class Pipelines(Protocol):
    """What can be run."""

    def list(self) -> Sequence[Pipeline]:
        """Every pipeline."""
        ...

    def freeze(self, name: str) -> FrozenPipeline:
        """See `PipelineCatalog.freeze`."""
        ...


class WakeUp(Protocol):
    """Tells the runner that something is wanted; a lost message is made good by polling."""

    def wake_runner(self, message: str) -> None:
        """`daemons`: look after them."""
        ...
