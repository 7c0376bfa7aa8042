"""The room of flows and backfills."""

from collections.abc import Sequence
from pathlib import Path

from fastflow.kernel.flows.service import BackfillService, FlowService
from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kit.clock import Clock
from fastflow.ui.manifest import Manifest, NavEntry, PageSpec
from fastflow.ui.rooms.flows.finding import find_flows


def manifest(flows: FlowService, backfills: BackfillService, catalog: PipelineCatalog, clock: Clock) -> Manifest:
    """What it brings: runs that follow from one another, where each step is, and what people decide about them."""

    def load() -> Sequence[PageSpec]:
        from fastflow.ui.rooms.flows.backfill_form import BackfillForms
        from fastflow.ui.rooms.flows.detail import FlowPage
        from fastflow.ui.rooms.flows.elements import ElementsPage
        from fastflow.ui.rooms.flows.table import FlowTable

        return [
            PageSpec(path="/flows", title="flows.title", build=FlowTable(flows).build),
            PageSpec(
                path="/flows/-/backfill",
                title="flows.new_backfill",
                build=BackfillForms(backfills, catalog, clock).build,
            ),
            PageSpec(path="/flows/{flow_id}", title="flows.one_title", build=FlowPage(flows, clock).build),
            PageSpec(
                path="/flows/{flow_id}/steps/{step}", title="flows.elements_title", build=ElementsPage(flows).build
            ),
        ]

    nav = NavEntry(path="/flows", label="flows.title", icon="flow", order=32, key="f")
    return Manifest(
        name="flows", texts=Path(__file__).parent / "texts.toml", load=load, nav=[nav], finders=[find_flows(flows)]
    )
