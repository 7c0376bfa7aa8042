"""What the palette offers of flows: those that wait for a decision, before and while one is asked for others by name."""

from collections.abc import Sequence

from fastflow.kernel.flows.domain.flow import FlowStatus
from fastflow.kernel.flows.ports import FlowFilter, FlowView
from fastflow.kernel.flows.service import FlowService
from fastflow.kit.identity import Actor, Role
from fastflow.ui.manifest import Finder, Found, fits
from fastflow.ui.parts import short
from fastflow.ui.rooms.flows.pieces import asked
from fastflow.ui.texts import Data, Texts

_SEARCHED = 50
"""The latest of each kind."""


def find_flows(flows: FlowService) -> Finder:
    """The group over flows and backfills."""

    def find(t: Texts, actor: Actor, wanted: str) -> Sequence[Found]:
        if actor.highest_role < Role.VIEWER:
            return []
        if not wanted.strip():
            running = flows.list(FlowFilter(status=FlowStatus.RUNNING), actor=actor, limit=_SEARCHED).items
            return [_found(t, view) for view in running if asked(view)]
        both = [
            *flows.list(FlowFilter(), actor=actor, limit=_SEARCHED).items,
            *flows.list(FlowFilter(kind="backfill"), actor=actor, limit=_SEARCHED).items,
        ]
        found = [(_found(t, view), view.flow.id) for view in both]
        return [each for each, flow_id in found if fits(f"{each.label} {each.note} {flow_id}", wanted)]

    return Finder(title="flows.title", find=find)


def _found(t: Texts, view: FlowView) -> Found:
    flow = view.flow
    state = t("flows.state_APPROVAL") if asked(view) else t(f"status.{flow.status}")
    label = t("flows.backfill_of", name=flow.name) if flow.kind == "backfill" else Data(flow.name)
    return Found(label=label, note=Data(f"{state} · {short(flow.id)}"), path=f"/flows/{flow.id}")
