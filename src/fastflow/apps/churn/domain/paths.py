"""Where the workbench keeps things: worked out once, from one place, and handed down as values."""

from dataclasses import dataclass
from pathlib import PurePath


@dataclass(frozen=True, kw_only=True)
class PlacedPath:
    """One of the workbench's paths.

    Attributes:
        setting: name of its variable.
        path: in force, absolute.
        origin: where the value comes from: default, environment, file or flag.
        purpose: a sentence for people.
    """

    setting: str
    path: PurePath
    origin: str
    purpose: str


@dataclass(frozen=True, kw_only=True)
class Paths:
    """All of them.

    Attributes:
        database: CHURN_DB_PATH.
        outbox: OUTBOX_ROOT.
        ui_settings: UI_SETTINGS_PATH.
    """

    database: PlacedPath
    outbox: PlacedPath
    ui_settings: PlacedPath

    def listed(self) -> tuple[PlacedPath, ...]:
        """Each, in the order in which they are shown."""
        return (self.database, self.outbox, self.ui_settings)
