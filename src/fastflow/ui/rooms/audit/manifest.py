"""The room of the audit log."""

from collections.abc import Sequence
from pathlib import Path

from fastflow.kernel.audit.service import AuditLog
from fastflow.kit.clock import Clock
from fastflow.kit.identity import Role
from fastflow.ui.manifest import Manifest, NavEntry, PageSpec


def manifest(audit: AuditLog, clock: Clock) -> Manifest:
    """What it brings: the table of changes with the state of their chain, and each change."""

    def load() -> Sequence[PageSpec]:
        from fastflow.ui.rooms.audit.entry import EntryPage
        from fastflow.ui.rooms.audit.table import AuditTable

        return [
            PageSpec(path="/audit", title="audit.title", build=AuditTable(audit, clock).build),
            PageSpec(path="/audit/{entry_id}", title="audit.entry_title", build=EntryPage(audit).build),
        ]

    nav = NavEntry(
        path="/audit", label="audit.title", icon="audit", order=90, key="a", role=Role.ADMIN, is_everywhere=True
    )
    return Manifest(name="audit", texts=Path(__file__).parent / "texts.toml", load=load, nav=[nav])
