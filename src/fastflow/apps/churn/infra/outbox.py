"""The outbox: a folder tree of bundles, by which results leave the workbench and come back."""

import os
from pathlib import Path

from fastflow.apps.churn.ports import OutboxState


class DiskOutbox:
    """See `Outbox`.

    Args:
        root: OUTBOX_ROOT.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def describe(self) -> OutboxState:
        """See `Outbox.describe`."""
        files = [path for path in self.root.rglob("*") if path.is_file()] if self.root.is_dir() else []
        there = self.root if self.root.exists() else self._nearest()
        return OutboxState(
            exists=self.root.is_dir(),
            writable=os.access(there, os.W_OK | os.X_OK),
            file_count=len(files),
            size=sum(path.stat().st_size for path in files),
        )

    def _nearest(self) -> Path:
        """The folder in which it would be made."""
        return next(parent for parent in self.root.parents if parent.exists())
