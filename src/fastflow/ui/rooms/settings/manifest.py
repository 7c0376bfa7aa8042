"""The room of settings."""

from collections.abc import Sequence
from pathlib import Path

from fastflow.kit.identity import Role
from fastflow.ui.manifest import Manifest, NavEntry, PageSpec
from fastflow.ui.rooms.settings.setting import Look


def manifest(look: Look) -> Manifest:
    """What it brings: what is in force, and where it came from."""

    def load() -> Sequence[PageSpec]:
        from fastflow.ui.rooms.settings.pages import SettingsPage

        return [PageSpec(path="/settings", title="settings.title", build=SettingsPage(look).build)]

    nav = NavEntry(
        path="/settings",
        label="settings.title",
        icon="settings",
        order=92,
        key="e",
        role=Role.ADMIN,
        is_everywhere=True,
    )
    return Manifest(name="settings", texts=Path(__file__).parent / "texts.toml", load=load, nav=[nav])
