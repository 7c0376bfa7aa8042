"""The room of settings."""

from collections.abc import Sequence
from pathlib import Path

from fastflow.kit.identity import Actor, Role
from fastflow.ui.manifest import Finder, Found, Manifest, NavEntry, PageSpec, fits
from fastflow.ui.rooms.settings.setting import Look
from fastflow.ui.texts import Data, Texts


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
    return Manifest(
        name="settings",
        texts=Path(__file__).parent / "texts.toml",
        load=load,
        nav=[nav],
        finders=[_find_settings(look)],
    )


def _find_settings(look: Look) -> Finder:
    """Settings by a part of their name; none is listed before one is asked for."""

    def find(_t: Texts, actor: Actor, wanted: str) -> Sequence[Found]:
        if actor.role < Role.ADMIN or not wanted.strip():
            return []
        return [
            Found(label=Data(setting.name), note=Data(setting.value), path=f"/settings?q={setting.name}")
            for setting in look()[0]
            if fits(setting.name.replace("_", " ") + setting.name, wanted)
        ]

    return Finder(title="settings.title", find=find)
