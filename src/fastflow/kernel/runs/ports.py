"""What the runs room needs of others: its stores, the rooms below it, and the wake-up signal."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from fastflow.kernel.environments.domain.environment import Environment, EnvironmentRequest
from fastflow.kernel.executors.port import EnvironmentRecipe, Handed
from fastflow.kernel.pipelines.domain.pipeline import FrozenPipeline
from fastflow.kernel.runs.domain.commands import Command
from fastflow.kernel.runs.domain.comparing import FileChange, PackageChange
from fastflow.kernel.runs.domain.explain import QueueView
from fastflow.kernel.runs.domain.queue import Candidate
from fastflow.kernel.runs.domain.run import Artifact, Run, RunEvent, RunFilter, Runner, Tally
from fastflow.kit.identity import Actor

# -- stores -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the limits make of a new run.

    Attributes:
        run: the row to insert: queued, or ended at once.
        cancel: runs to end in its favour.
        why: the reason given to them.
    """

    run: Run
    cancel: Sequence[Candidate] = ()
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Admission:
    """A decision that the store has made inside the inserting transaction, under the lock that claims are made under.

    Attributes:
        decide: new run, active runs of its pipeline (oldest first), waiting and running runs of all -> verdict; what it
            raises undoes the transaction.
        needs_active: whether the second argument is read.
        needs_occupancy: whether the third is.
    """

    decide: Callable[[Run, Sequence[Candidate], int], Verdict]
    needs_active: bool
    needs_occupancy: bool


@dataclass(frozen=True, kw_only=True)
class Inserted:
    """The outcome of an insert.

    Attributes:
        run: the new run, or the first one with the same idempotency key.
        cancelled: runs that were asked to end in its favour.
    """

    run: Run
    is_new: bool
    cancelled: Sequence[str] = field(default_factory=tuple)


Beside = Callable[[Any, Run], None]
"""Writes what belongs to a new run, such as the flow it begins, through the connection of the inserting transaction."""

Follow = Callable[[str], Beside | None]
"""What follows a run of the pipeline; None when nothing does. May raise, which keeps the run from being submitted."""


class SubmitStore(Protocol):
    """New runs and what people ask of them; each method is one transaction with its audit entry."""

    def find_by_idempotency_key(self, pipeline_name: str, key: str) -> Run | None:
        """The run submitted with this key; None when there is none."""
        ...

    def insert(
        self,
        run: Run,
        *,
        admission: Admission | None,
        actor: Actor,
        action: str,
        detail: Mapping[str, Any],
        beside: Beside | None = None,
    ) -> Inserted:
        """Insert the run; with an idempotency key that is known, return the first run and change nothing.

        Args:
            run: the new row.
            admission: None inserts without looking at limits.
            actor: who submits.
            action: of the audit entry.
            detail: of the audit entry.
            beside: writes what belongs to the run, if it is new, before the run itself.
        """
        ...

    def cancel(self, run_id: str, *, at: datetime, actor: Actor, why: str) -> Run | None:
        """End a PENDING run, or note on a RUNNING one that its end is wanted (once); an ended run stays as it is.
        Returns the run afterwards; None when there is none."""
        ...

    def set_priority(self, run_id: str, priority: int, *, at: datetime, actor: Actor) -> tuple[Run | None, bool]:
        """Change a PENDING run's priority. Returns the run afterwards and whether it was changed."""
        ...

    def hurry(self, run_id: str, *, at: datetime, actor: Actor) -> tuple[Run | None, bool]:
        """Put a run that waits for a time into the queue now. Returns the run afterwards and whether it did wait so."""
        ...


class ReadStore(Protocol):
    """Reads; each method sees one consistent snapshot."""

    def find(self, run_id: str) -> Run | None:
        """The run; None when there is none."""
        ...

    def load_page(
        self, wanted: RunFilter, *, beyond_id: str | None, limit: int, oldest_first: bool = False
    ) -> Sequence[Run]:
        """At most `limit` runs beyond that id: older ones, newest first; or newer ones, oldest first."""
        ...

    def view_queue(self, run: Run, max_concurrent: int) -> QueueView:
        """What decides about the PENDING run."""
        ...

    def load_runners(self) -> Sequence[Runner]:
        """Every runner that ever reported."""
        ...

    def count_active(self) -> tuple[int, int]:
        """How many runs wait, and how many run."""
        ...

    def load_events(self, run_id: str, *, after_id: int, limit: int) -> Sequence[RunEvent]:
        """Events in order, after `after_id`."""
        ...

    def tally(self, edges: Sequence[datetime], pipelines: Collection[str] | None) -> Sequence[Tally]:
        """How runs went, between each two of these instants; only of these pipelines (names or patterns), if given."""
        ...

    def load_latest_events(
        self, run_id: str, *, kinds: Collection[str], after_id: int, limit: int
    ) -> Sequence[RunEvent]:
        """The latest events of these kinds after `after_id`, in order; looked for among the latest of all kinds."""
        ...

    def load_artifacts(self, run_id: str) -> Sequence[Artifact]:
        """What the run left, by path."""
        ...


class LeaseStore(Protocol):
    """What the runner changes."""

    def apply(self, commands: Sequence[Command], now: datetime) -> Sequence[Any]:
        """Apply the commands in order and in one transaction; one that cannot be applied does not harm the others.

        Returns:
            For each command its result, or the exception it raised.

        Raises:
            Unavailable: the database is away; nothing was applied.
        """
        ...

    def is_work_due(self, owner: str, now: datetime) -> "Due":
        """What the poll has to look at; reads alone."""
        ...

    def last_event_offset(self, run_id: str) -> int:
        """The offset of the last event recorded of the run; -1 when there is none."""
        ...

    def load_held(self, owner: str) -> Sequence[Run]:
        """The runs whose lease the runner process has; oldest first."""
        ...

    def load_ended(self, run_ids: Collection[str]) -> Sequence[Run]:
        """Those of the runs that have ended, whoever ended them."""
        ...


@dataclass(frozen=True, kw_only=True)
class Due:
    """What waits for the runner.

    Attributes:
        pending: whether any run is in the queue, or the time has come that one waits for.
        overdue: whether one has waited past its deadline.
        cancelled: runs under the runner's leases whose end is wanted.
    """

    pending: bool
    overdue: bool
    cancelled: Sequence[Run]


class RetentionStore(Protocol):
    """Which logs have outlived their time."""

    def find_expired(self, *, keep_runs: int | None, before: datetime | None, limit: int) -> Sequence[str]:
        """At most `limit` ids of ended runs that still have a log: beyond the newest `keep_runs` of their pipeline, or
        ended before `before`."""
        ...

    def mark_log_deleted(self, run_ids: Sequence[str], at: datetime) -> None:
        """Note that log and artifacts are gone, and forget the artifacts."""
        ...

    def find_needed_code(self, tree_hashes: Sequence[str]) -> Collection[str]:
        """Of these copies of code those that a run may still need: one that is not over, or one whose log and artifacts
        are kept, so that it can be repeated exactly."""
        ...

    def find_needed_inputs(self, hashes: Sequence[str]) -> Collection[str]:
        """Of these inputs those of such runs."""
        ...


class InputStore(Protocol):
    """What rooms of the product hand to runs, by the hash of its content."""

    def keep(self, fill: Callable[[Path], None]) -> str:
        """Keep what `fill` writes or links into an empty folder; answers its hash. A linked file must never change again.

        Raises:
            InputsRefused: the disk does not take it, or something in it is no plain file.
        """
        ...

    def find(self, name: str) -> Path | None:
        """The folder of that hash."""
        ...

    def remove_unused(self, needed: Callable[[Sequence[str]], Collection[str]], unused_seconds: float) -> Sequence[str]:
        """Remove inputs unused for so long, except those that are `needed`; answers their hashes."""
        ...


NeededCode = Callable[[Sequence[str]], Collection[str]]
"""Of these copies of code, those that are needed."""


class CodeCopies(Protocol):
    """The immutable copies of pipelines' code."""

    def collect_snapshots(
        self, needed: Callable[[Sequence[str]], Collection[str]], unused_seconds: float
    ) -> Sequence[str]:
        """Remove copies unused for so long, except those that are `needed`; answers their hashes."""
        ...


# -- rooms below, as far as they are needed here ---------------------------------------------------------------------------


class RevealedView(Protocol):
    """Secret values, for the launch alone."""

    @property
    def values(self) -> Mapping[str, str]:
        """Key -> value."""
        ...

    @property
    def masked(self) -> Sequence[str]:
        """The values to mask."""
        ...


class Catalogue(Protocol):
    """The pipelines, as submission needs them."""

    def freeze(self, name: str) -> FrozenPipeline:
        """An immutable snapshot of the pipeline.

        Raises:
            NotFound: there is no such pipeline.
            InvalidInput: it has faults.
        """
        ...

    def thaw(self, tree_hash: str) -> Path:
        """The snapshot's folder.

        Raises:
            NotFound: it is gone.
        """
        ...


class EnvironmentCatalogue(Protocol):
    """Which environments exist."""

    def resolved_hash(self, request: EnvironmentRequest) -> str | None:
        """The hash the request was resolved to; None when it was not yet."""
        ...

    def get(self, environment: str) -> Environment:
        """The built environment.

        Raises:
            NotFound: it is gone.
        """
        ...


class Comparison(Protocol):
    """Compares what is kept of runs' parts."""

    def compare_code(self, left: str, right: str) -> Sequence[FileChange] | None:
        """The files in which two code snapshots differ, by path; None when one of them is gone."""
        ...

    def compare_environments(self, left: str, right: str) -> Sequence[PackageChange] | None:
        """The packages in which two environments differ, by name; None when one of them is gone."""
        ...


class SecretVersions(Protocol):
    """Which secrets exist."""

    def current_versions(self, pipeline_name: str, keys: Sequence[str]) -> Mapping[str, int]:
        """The present versions.

        Raises:
            NotFound, Forbidden: names the key that does not exist or is not allowed.
        """
        ...

    def reveal(self, pipeline_name: str, versions: Mapping[str, int]) -> RevealedView:
        """The values of these versions.

        Raises:
            NotFound, Forbidden: names the key.
        """
        ...


class EnvironmentMaker(Protocol):
    """Makes the environment of a run ready, on the runner's machine."""

    async def make_ready(self, run: Run, on_line: Callable[[str], None]) -> "ReadyCode":
        """The run's code and environment; builds the environment when it has to.

        Args:
            run: a claimed run.
            on_line: takes the builder's own lines.

        Raises:
            FastFlowError: the snapshot or the exact environment is gone, or it cannot be built; the message says so.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class ReadyCode:
    """What a launch needs on disk.

    Attributes:
        code_dir: the immutable snapshot.
        environment: the environment, ready; with a recipe, as it will be.
        recipe: what the run's machine makes the environment of; None: nothing is made there.
    """

    code_dir: Path
    environment: Environment
    recipe: EnvironmentRecipe | None = None


class Handing(Protocol):
    """What runs of flows are given of the runs before them."""

    def of(self, run: Run) -> Handed | None:
        """What the run is given; None when it is in no flow.

        Raises:
            Unavailable: the database is away; a retry can help.
        """
        ...


WhyNot = Callable[[], str | None]
"""Tells why no new run may start on this machine at present, as the rest of a sentence; None: they may. Quick."""


class RunFiles(Protocol):
    """Logs and artifacts on disk."""

    def log_path(self, run_id: str) -> Path:
        """Where the run's log is or will be."""
        ...

    def artifacts_dir(self, run_id: str) -> Path:
        """Where the run's artifacts are or will be."""
        ...

    def append_note(self, run_id: str, text: str) -> None:
        """Append the product's own lines to the log, in its form."""
        ...

    def append_last(self, run_id: str, text: str) -> None:
        """Append one line of the product's own to a log that is there, unless it ends with that line already."""
        ...

    def collect_artifacts(self, run_id: str) -> tuple[Sequence[Artifact], Sequence[str]]:
        """The regular files below the artifact folder, and a sentence for each thing left out."""
        ...

    def remove(self, run_id: str) -> None:
        """Remove log and artifacts. Idempotent."""
        ...


# -- signals ------------------------------------------------------------------------------------------------------------


class WakeUp(Protocol):
    """Tells the other processes that something changed; a lost message is made good by polling."""

    def wake_runner(self, message: str) -> None:
        """`wake`: look at the queue; `cancel RUN_ID`: look at that run."""
        ...

    def tell_web(self, message: str) -> None:
        """`run RUN_ID`: its state changed."""
        ...

    def close(self) -> None:
        """Let go of the sender's own socket."""
        ...


class Expectation(Protocol):
    """An interest in one message."""

    async def wait(self, seconds: float) -> bool:
        """Whether the message came since the last call; waits for it at most so long."""
        ...

    def close(self) -> None:
        """End the interest."""
        ...


Expect = Callable[[str], Expectation]
"""Begins to listen for a message; what comes later is not missed."""
