"""The room of the doctor."""

from collections.abc import Sequence
from pathlib import Path

from fastflow.kit.clock import Clock
from fastflow.kit.identity import Role
from fastflow.ui.manifest import Manifest, NavEntry, PageSpec
from fastflow.ui.rooms.doctor.finding import Examine, LookAtParts


def manifest(look_at_parts: LookAtParts, examine: Examine, clock: Clock) -> Manifest:
    """What it brings: what works, what does not, and what to do about it."""

    def load() -> Sequence[PageSpec]:
        from fastflow.ui.rooms.doctor.pages import DoctorPage

        page = DoctorPage(look_at_parts, examine, clock)
        return [PageSpec(path="/doctor", title="doctor.title", build=page.build)]

    nav = NavEntry(
        path="/doctor", label="doctor.title", icon="doctor", order=94, key="d", role=Role.ADMIN, is_everywhere=True
    )
    return Manifest(name="doctor", texts=Path(__file__).parent / "texts.toml", load=load, nav=[nav])
