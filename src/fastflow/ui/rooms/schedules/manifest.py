"""The room of schedules."""

from collections.abc import Sequence
from pathlib import Path

from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kernel.schedules.service import PauseService, ScheduleService, SimulationService
from fastflow.kit.clock import Clock
from fastflow.ui.manifest import Manifest, NavEntry, PageSpec
from fastflow.ui.rooms.schedules.finding import find_schedules


def manifest(
    schedules: ScheduleService,
    pauses: PauseService,
    simulations: SimulationService,
    catalog: PipelineCatalog,
    clock: Clock,
) -> Manifest:
    """What it brings: the table of schedules, each with its ledger, and the form that makes and changes them."""

    def load() -> Sequence[PageSpec]:
        from fastflow.ui.rooms.schedules.detail import SchedulePage
        from fastflow.ui.rooms.schedules.form import ScheduleForms
        from fastflow.ui.rooms.schedules.table import ScheduleTable

        forms = ScheduleForms(schedules, simulations, catalog, clock)
        return [
            PageSpec(path="/schedules", title="schedules.title", build=ScheduleTable(schedules, pauses).build),
            PageSpec(path="/schedules/new", title="schedules.new", build=forms.build_new),
            PageSpec(
                path="/schedules/{schedule_id}",
                title="schedules.one_title",
                build=SchedulePage(schedules, pauses).build,
            ),
            PageSpec(path="/schedules/{schedule_id}/edit", title="schedules.edit", build=forms.build_edit),
        ]

    nav = NavEntry(path="/schedules", label="schedules.title", icon="clock", order=40, key="s")
    return Manifest(
        name="schedules",
        texts=Path(__file__).parent / "texts.toml",
        load=load,
        nav=[nav],
        finders=[find_schedules(schedules)],
    )
