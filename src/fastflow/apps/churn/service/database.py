"""The churn database as a whole: what there is, snapshots, export and import.

Who may do what, the role on the pipeline `churn` decides: viewers read, operators export, and what puts another state in the
place of everything is an administrator's.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from fastflow.apps.churn.domain.document import Document
from fastflow.apps.churn.domain.paths import Paths
from fastflow.apps.churn.errors import DatabaseDamaged, DatabaseNewer
from fastflow.apps.churn.ports import ChurnStore, Note, Outbox, OutboxState, Snapshot, StoreState
from fastflow.kit.identity import Actor, Role

GUARDED_BY = "churn"
"""The pipeline on which a role gives the same role in the workbench."""


class ChurnDatabase:
    """The use cases.

    Args:
        store: the database.
        outbox: the folder of bundles.
        paths: where the workbench keeps things.
        uploads: a folder for bodies being received.
    """

    def __init__(self, store: ChurnStore, outbox: Outbox, paths: Paths, uploads: Path) -> None:
        self._store = store
        self._outbox = outbox
        self._paths = paths
        self.uploads = uploads

    def look_at_paths(self, *, actor: Actor) -> Paths:
        """Where the workbench keeps things."""
        actor.require_pipeline(GUARDED_BY)
        return self._paths

    def describe_outbox(self, *, actor: Actor) -> OutboxState:
        """What there is to say of the outbox."""
        actor.require_pipeline(GUARDED_BY)
        return self._outbox.describe()

    def describe(self, *, actor: Actor) -> tuple[StoreState, Document | None]:
        """What there is to say of the files, and the present state; None while it cannot be read."""
        actor.require_pipeline(GUARDED_BY)
        state = self._store.describe()
        try:
            return state, self._store.read()
        except (DatabaseDamaged, DatabaseNewer):
            return state, None

    def snapshots(self, *, actor: Actor) -> Sequence[Snapshot]:
        """The earlier states that are kept, newest first."""
        actor.require_pipeline(GUARDED_BY)
        return self._store.snapshots()

    def restore(self, revision: int, *, actor: Actor) -> Document:
        """Put an earlier state back.

        Raises:
            Forbidden, SnapshotNotFound, DatabaseDamaged: nothing was changed.
        """
        actor.require_pipeline(GUARDED_BY, Role.ADMIN)
        detail = {"revision": revision}
        note = Note(actor=actor, action="churn_database.restore", subject="churn_database", detail=detail)
        return self._store.restore(revision, note)

    def export(self, *, actor: Actor) -> Iterator[bytes]:
        """Everything as one document.

        Raises:
            Forbidden, DatabaseDamaged: before the first byte.
        """
        actor.require_pipeline(GUARDED_BY, Role.OPERATOR)
        return self._store.export()

    def require_import(self, *, actor: Actor) -> None:
        """Raises:
        Forbidden: the actor may not import.
        """
        actor.require_pipeline(GUARDED_BY, Role.ADMIN)

    def load_export(self, source: Path, *, actor: Actor) -> Document:
        """Put an exported document in the place of everything.

        Raises:
            Forbidden, ExportRefused: nothing was changed.
        """
        self.require_import(actor=actor)
        return self._store.load_export(
            source, Note(actor=actor, action="churn_database.import", subject="churn_database")
        )
