"""Rows of the sync tables and the domain records they become."""

from typing import Any, Final, cast

from sqlalchemy import Row, Table

from fastflow.kernel.sync.domain.repository import Repository
from fastflow.kernel.sync.domain.sync import ActiveVersion, Sync, SyncEvent, SyncState
from fastflow.kernel.sync.infra.tables import ActiveCodeRow, RepositoryRow, SyncDeliveryRow, SyncEventRow, SyncRow

REPOSITORY: Final = cast("Table", RepositoryRow.__table__)  # type: ignore[attr-defined]  # SQLModel adds it at class creation
ACTIVE: Final = cast("Table", ActiveCodeRow.__table__)  # type: ignore[attr-defined]
SYNC: Final = cast("Table", SyncRow.__table__)  # type: ignore[attr-defined]
EVENT: Final = cast("Table", SyncEventRow.__table__)  # type: ignore[attr-defined]
DELIVERY: Final = cast("Table", SyncDeliveryRow.__table__)  # type: ignore[attr-defined]

_REPOSITORY_FIELDS: Final = tuple(Repository.__dataclass_fields__)
_SYNC_FIELDS: Final = tuple(Sync.__dataclass_fields__)
_ACTIVE_FIELDS: Final = tuple(ActiveVersion.__dataclass_fields__)
_EVENT_FIELDS: Final = tuple(SyncEvent.__dataclass_fields__)
REPOSITORY_COLUMNS: Final = tuple(REPOSITORY.c[name] for name in _REPOSITORY_FIELDS)
SYNC_COLUMNS: Final = tuple(SYNC.c[name] for name in _SYNC_FIELDS)
ACTIVE_COLUMNS: Final = tuple(ACTIVE.c[name] for name in _ACTIVE_FIELDS)
EVENT_COLUMNS: Final = tuple(EVENT.c[name] for name in _EVENT_FIELDS)


def repository_of(row: Row[Any]) -> Repository:
    """The record of a row that was selected with `REPOSITORY_COLUMNS`."""
    return Repository(**dict(zip(_REPOSITORY_FIELDS, row, strict=True)))


def sync_of(row: Row[Any]) -> Sync:
    """The record of a row that was selected with `SYNC_COLUMNS`."""
    values = dict(zip(_SYNC_FIELDS, row, strict=True))
    values["state"] = SyncState(values["state"])
    values["fields"] = values["fields"] or {}
    return Sync(**values)


def values_of_sync(sync: Sync) -> dict[str, Any]:
    """The row of a sync."""
    values = {name: getattr(sync, name) for name in _SYNC_FIELDS}
    plan = None if sync.plan is None else dict(sync.plan)
    return values | {
        "state": sync.state.value,
        "requested_by": sync.requested_by[:200],
        "plan": plan,
        "fields": dict(sync.fields) or None,
    }


def active_of(row: Row[Any]) -> ActiveVersion:
    """The record of a row that was selected with `ACTIVE_COLUMNS`."""
    return ActiveVersion(**dict(zip(_ACTIVE_FIELDS, row, strict=True)))


def event_of(row: Row[Any]) -> SyncEvent:
    """The record of a row that was selected with `EVENT_COLUMNS`."""
    return SyncEvent(**dict(zip(_EVENT_FIELDS, row, strict=True)))
