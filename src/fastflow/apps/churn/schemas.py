"""The churn workbench on the wire."""

from datetime import datetime

from pydantic import BaseModel, Field

from fastflow.apps.churn.domain.document import Document
from fastflow.apps.churn.domain.paths import Paths
from fastflow.apps.churn.ports import OutboxState, Snapshot, StoreState


class PathOut(BaseModel):
    """One of the workbench's paths."""

    setting: str = Field(description="Name of its variable.")
    path: str = Field(description="In force, absolute.")
    origin: str = Field(description="default, environment, file (a line of .env) or flag.")
    purpose: str


class PathsOut(BaseModel):
    """Where the workbench keeps things."""

    paths: list[PathOut]

    @classmethod
    def of(cls, paths: Paths) -> "PathsOut":
        """The paths as the API shows them."""
        shown = [
            PathOut(setting=one.setting, path=str(one.path), origin=one.origin, purpose=one.purpose)
            for one in paths.listed()
        ]
        return cls(paths=shown)


class OutboxOut(BaseModel):
    """The outbox, and the paths in force."""

    root: str
    origin: str
    exists: bool = Field(description="False: it is made when something is first put in.")
    writable: bool
    file_count: int
    size: int = Field(description="Of the files, in bytes.")
    paths: list[PathOut]

    @classmethod
    def of(cls, paths: Paths, state: OutboxState) -> "OutboxOut":
        """The outbox as the API shows it."""
        place = paths.outbox
        return cls(root=str(place.path), origin=place.origin, paths=PathsOut.of(paths).paths, **vars(state))


class TableOut(BaseModel):
    """A table of the churn database."""

    name: str
    description: str
    source: str = Field(description="Who writes it.")
    kind: str = Field(description="records: rows in the document; segments: rows in files beside it.")
    rows: int


class DatabaseOut(BaseModel):
    """The churn database."""

    revision: int | None = Field(description="Rises with each save; null while the document cannot be read.")
    last_updated: str | None
    size: int = Field(description="Of the document, in bytes.")
    segment_count: int
    segment_bytes: int
    problem: str = Field(description="What is wrong with it; '' when nothing is.")
    tables: list[TableOut]

    @classmethod
    def of(cls, state: StoreState, document: Document | None) -> "DatabaseOut":
        """The database as the API shows it."""
        tables = {} if document is None else document.tables
        shown = [
            TableOut(
                name=name,
                description=table.description,
                source=table.source,
                kind="records" if table.segments is None else "segments",
                rows=table.row_count,
            )
            for name, table in sorted(tables.items())
        ]
        updated = None if document is None else document.last_updated or None
        return cls(**vars(state), last_updated=updated, tables=shown)


class SnapshotOut(BaseModel):
    """An earlier state that is kept."""

    revision: int
    saved_at: datetime
    size: int
    problem: str = Field(description="Why it cannot be put back; '' when it can.")

    @classmethod
    def of(cls, snapshot: Snapshot) -> "SnapshotOut":
        """The snapshot as the API shows it."""
        return cls.model_validate(snapshot, from_attributes=True)


class SnapshotsOut(BaseModel):
    """The earlier states that are kept, newest first; few enough for one page."""

    items: list[SnapshotOut]
    next_cursor: str | None = None


class SavedOut(BaseModel):
    """The state that was put in the place of the one before."""

    revision: int
    last_updated: str

    @classmethod
    def of(cls, document: Document) -> "SavedOut":
        """The state as the API shows it."""
        return cls(revision=document.revision, last_updated=document.last_updated)
