"""What the churn workbench's services need of the world."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from fastflow.apps.churn.domain.bundle import BundleError, Manifest
from fastflow.apps.churn.domain.dictionary import Dictionary, SeenColumn
from fastflow.apps.churn.domain.document import Document
from fastflow.apps.churn.domain.files import ChurnRule
from fastflow.apps.churn.domain.summary import PanelSummary
from fastflow.kit.identity import Actor


@dataclass(frozen=True, kw_only=True)
class Note:
    """What the audit log is told of a change.

    Attributes:
        actor: whoever made it.
        action: such as `experiment.created`.
        subject: such as `experiment:3`.
        detail: further facts, as JSON.
    """

    actor: Actor
    action: str
    subject: str
    detail: Mapping[str, Any] = field(default_factory=dict)


Defaults = Callable[[], Mapping[str, Any]]
"""`model_type`, `feature_set` and `hyperparameters` that hold where an experiment says nothing; each may be missing. Raises
DefaultsUnreadable."""

Edit = Callable[[Document], tuple[Document, Note]]
"""Makes the next state of the database out of the present one; raises to leave it as it is."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """An earlier state that is kept.

    Attributes:
        revision: of the document.
        saved_at: when that state was saved.
        size: in bytes.
        problem: why it cannot be put back; '' when it can.
    """

    revision: int
    saved_at: datetime
    size: int
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class StoreState:
    """What there is to say of the database's files.

    Attributes:
        revision: of the document; None while it cannot be read.
        size: of the document, in bytes; 0 before the first save.
        segment_count: files of large tables.
        segment_bytes: their size.
        problem: what is wrong with it; '' when nothing is.
    """

    revision: int | None
    size: int
    segment_count: int
    segment_bytes: int
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class OutboxState:
    """What there is to say of the outbox.

    Attributes:
        exists: its folder is there; it is made when something is first put in.
        writable: the server's user may write it, or make it.
        file_count: files in it.
        size: of them, in bytes.
    """

    exists: bool
    writable: bool
    file_count: int
    size: int


class Outbox(Protocol):
    """The folder of bundles."""

    def describe(self) -> OutboxState:
        """What there is to say of it."""
        ...


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """What is to become a bundle.

    Attributes:
        domain: of the bundle.
        experiment: its row.
        tables: names of those whose rows go along.
        at: now, ISO 8601 UTC.
    """

    domain: str
    experiment: Mapping[str, Any]
    tables: Sequence[str]
    at: str


FindSegment = Callable[[str], Path]
"""The file of a segment by its hash, as `ChurnStore.segment`."""
Records = Mapping[str, Sequence[Mapping[str, Any]]]
"""Table -> rows."""


class Bundles(Protocol):
    """Bundles in the outbox. One is whole or not there."""

    def write(self, parcel: Parcel, document: Document, segment: FindSegment) -> Manifest:
        """Write a bundle, in the place of an earlier one.

        Raises:
            OutboxUnwritable, DatabaseDamaged: an earlier one stays.
        """
        ...

    def list(self) -> Sequence[Manifest | BundleError]:
        """Manifests of all bundles; of one that has none that can be read, why."""
        ...

    def read(self, domain: str, experiment_id: int) -> Manifest:
        """The manifest of a bundle.

        Raises:
            BundleNotFound, BundleDamaged.
        """
        ...

    def opened(self, manifest: Manifest, staging: Path) -> AbstractContextManager[Records]:
        """The rows of its records; its segments are copied into `staging`, each as `SHA256.parquet`.

        Raises:
            BundleDamaged: a file is missing or was changed; named.
        """
        ...


class Audited(Protocol):
    """Writes a change into the audit log in the transaction that closes when the block does: both, or none."""

    def __call__(self, note: Note) -> AbstractContextManager[None]:
        """The block in which the change is made."""
        ...


class ChurnStore(Protocol):
    """The churn database. Every state it was ever in is whole; a crash at any moment leaves the last saved one."""

    def read(self) -> Document:
        """The present state; cheap while nothing changes. Needs no lock.

        Raises:
            DatabaseDamaged, DatabaseNewer: it cannot be read.
        """
        ...

    def change(self, edit: Edit, staged: Sequence[Path] = ()) -> Document:
        """Save what `edit` makes of the present state; the state before becomes a snapshot.

        Args:
            edit: called once, holding the lock.
            staged: files of `staging` that become segments; what of them is not taken over is removed.

        Raises:
            DatabaseBusy, DatabaseDamaged, DatabaseNewer, DatabaseUnwritable: nothing was changed.
        """
        ...

    def staging(self) -> AbstractContextManager[Path]:
        """A folder on the segments' disk for files in the making; gone when the block is left."""
        ...

    def segment(self, sha256: str) -> Path:
        """The file of a segment.

        Raises:
            DatabaseDamaged: it is not there.
        """
        ...

    def snapshots(self) -> Sequence[Snapshot]:
        """The states that are kept, newest first."""
        ...

    def restore(self, revision: int, note: Note) -> Document:
        """Put an earlier state back, as a new revision; the present one, whatever its state, is kept.

        Raises:
            SnapshotNotFound, DatabaseDamaged: there is none, or it lacks segments; nothing was changed.
        """
        ...

    def describe(self) -> StoreState:
        """What there is to say of its files; never fails because of their content."""
        ...

    def export(self) -> Iterator[bytes]:
        """Everything as one document, piece by piece.

        Raises:
            DatabaseDamaged, DatabaseNewer: at once, before the first piece.
        """
        ...

    def load_export(self, source: Path, note: Note) -> Document:
        """Put an exported document in the place of everything, as a new revision.

        Raises:
            ExportRefused: it is not a whole export; nothing was changed.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class MadePanel:
    """A panel that was made of a file.

    Attributes:
        path: the Parquet file.
        rows, customers: how many.
        first_month, last_month: YYYYMM.
        notes: what is worth telling, in sentences.
    """

    path: Path
    rows: int
    customers: int
    first_month: int
    last_month: int
    notes: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows of a table, as JSON has them."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True, kw_only=True)
class Pick:
    """Which rows of a table with a row per customer.

    Attributes:
        path: of its Parquet file.
        by: column of numbers; the rows farthest from nought are picked.
        most: how many.
        customers: with some, all of their rows instead.
    """

    path: Path
    by: str = ""
    most: int = 0
    customers: Sequence[str] = ()


class MakePanel(Protocol):
    """Makes one panel."""

    def __call__(self, source: Path, folder: Path, meant: Dictionary | ChurnRule) -> MadePanel:
        """Write a file's panel into `folder`: by its dictionary, or of its transactions by a rule.

        Raises:
            IngestRefused: it has faults; the error tells them.
            EngineFailed: out of memory or disk space, or the process died.
        """
        ...


class PanelEngine(Protocol):
    """Reads uploaded files and kept panels, in a process of its own."""

    def look(self, source: Path, folder: Path) -> Sequence[SeenColumn]:
        """The columns of a file, by what they hold.

        Raises:
            IngestRefused, EngineFailed: it cannot be read.
        """
        ...

    def ready(self) -> AbstractContextManager["MakePanel"]:
        """A process that makes a panel: it starts while the block does other things, and ends with it."""
        ...

    def join_panels(self, panels: Mapping[int, Path], columns: Sequence[str], target: Path) -> int:
        """Write one panel of several files; of rows for one customer and month the newest file's counts.

        Returns:
            rows that a newer file's replaced.
        """
        ...

    def read_rows(self, panel: Path, *, limit: int, offset: int) -> Rows:
        """Rows of a kept panel, in its order."""
        ...

    def summarise(self, panel: Path) -> PanelSummary:
        """What a panel's columns and months hold.

        Raises:
            EngineFailed: out of memory, or the process died.
        """
        ...


class RiskEngine(Protocol):
    """Puts names to risks, in a process of its own."""

    def name_risks(self, sources: Sequence[Path], target: Path, risks: Sequence[tuple[float, str]]) -> int:
        """Write the rows of the sources with a column `risk_category`; the same bytes for the same rows.

        Args:
            sources: Parquet files of the survival analysis.
            target: the Parquet file to write.
            risks: probability from which a risk has that name, falling.

        Returns:
            rows that were written.

        Raises:
            EngineFailed: out of memory or disk space, or the process died.
        """
        ...


class PickEngine(Protocol):
    """Reads a few rows of large tables, in a process of its own."""

    def pick_rows(self, picks: Sequence[Pick]) -> Sequence[Sequence[Mapping[str, Any]]]:
        """Per pick its rows, customers as text.

        Raises:
            EngineFailed: a file cannot be read.
        """
        ...


class JobRun(Protocol):
    """A run of the kernel, as far as it is looked at here."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def pipeline_name(self) -> str: ...  # noqa: D102
    @property
    def status(self) -> str: ...  # noqa: D102
    @property
    def reason(self) -> str | None: ...  # noqa: D102
    @property
    def reason_text(self) -> str | None: ...  # noqa: D102
    @property
    def submitted_by(self) -> str: ...  # noqa: D102
    @property
    def params(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def capsule(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def progress(self) -> Mapping[str, Any] | None: ...  # noqa: D102
    @property
    def host(self) -> str | None: ...  # noqa: D102
    @property
    def retried_by(self) -> str | None: ...  # noqa: D102
    @property
    def queued_at(self) -> datetime: ...  # noqa: D102
    @property
    def started_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def finished_at(self) -> datetime | None: ...  # noqa: D102


class JobRuns(Protocol):
    """The kernel's runs of the workbench's pipelines; see `kernel.api.WorkbenchRuns`."""

    def keep(self, fill: Callable[[Path], None]) -> str:
        """Keep inputs; answers their hash."""
        ...

    def lay(self, run_id: str, target: Path) -> None:
        """Lay what an ended run left into a folder of inputs, shared where the file system can."""
        ...

    def submit(
        self, pipeline: str, params: Mapping[str, Any], inputs: str, *, actor: Actor, key: str | None = None
    ) -> JobRun:
        """Put a run into the queue; with a key that was used, the first one."""
        ...

    def find(self, run_id: str) -> JobRun | None:
        """The run."""
        ...

    def find_last(self, run_id: str) -> JobRun | None:
        """The last attempt of a run."""
        ...

    def list(self, pipeline: str, *, limit: int) -> Sequence[JobRun]:
        """The newest runs of a pipeline."""
        ...

    def cancel(self, run_id: str, *, actor: Actor, reason: str | None = None) -> JobRun:
        """End a run."""
        ...

    def is_here(self, host: str | None) -> bool:
        """Whether what a run of that host left can be read here."""
        ...

    def artifacts(self, run_id: str) -> Path:
        """The folder of what a run left."""
        ...

    def last_words(self, run_id: str) -> Sequence[str]:
        """The last lines a run wrote."""
        ...


WritePanel = Callable[[Sequence[int], Path], object]
"""Writes `panel.parquet` and `dictionary.json` of these files into a folder. Raises: one of them is not there, or they do
not go together."""


@dataclass(frozen=True, kw_only=True)
class LeftTable:
    """A table that a run left.

    Attributes:
        name: of the table.
        columns: name -> type, as a `Column` has it.
        rows: how many.
        path: the checked file, staged as `<sha256>.parquet`; None: its rows are `records`.
        size: in bytes.
        records: its rows, of a small table.
    """

    name: str
    columns: Mapping[str, str]
    rows: int
    path: Path | None = None
    size: int = 0
    records: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, kw_only=True)
class LeftResults:
    """What a run left, checked.

    Attributes:
        report: `report.json`.
        tables: all of them.
        files: further artifacts that the results refer to, name -> SHA-256.
    """

    report: Mapping[str, Any]
    tables: Sequence[LeftTable]
    files: Mapping[str, str]


class ResultReader(Protocol):
    """Reads what runs left."""

    def read(self, folder: Path, experiment_id: int, staging: Path) -> LeftResults:
        """Check all of it, and put the files of large tables into `staging`.

        Raises:
            ResultsDamaged: something is missing, or not what it should be.
        """
        ...
