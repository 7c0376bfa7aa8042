"""Which flow or backfill a run belongs to."""

from collections.abc import Mapping, Sequence

from fastflow.kernel.flows.ports import Membership
from fastflow.kernel.flows.service import FlowService
from fastflow.kernel.runs.domain.run import Run
from fastflow.kit.identity import Actor
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, link
from fastflow.ui.shell.page import BASE
from fastflow.ui.texts import Data, Texts


def find_flows(flows: FlowService, runs: Sequence[Run], actor: Actor) -> Mapping[str, Membership]:
    """By run, the flow that it is in. A flow knows the last attempt of a run; earlier ones among these are in the same."""
    ids = {run.id for run in runs} | {run.retried_by for run in runs if run.retried_by}
    found = dict(flows.memberships(sorted(ids), actor=actor))
    for run in sorted(runs, key=lambda each: each.id, reverse=True):  # an attempt is younger than the one before
        if run.id not in found and run.retried_by in found:
            found[run.id] = found[run.retried_by]
    return found


def membership(t: Texts, flow: Membership) -> Html:
    """The way to the flow."""
    name = t("runs.of_backfill", name=flow.name) if flow.kind == "backfill" else t("runs.of_flow", name=flow.name)
    key = Data(f" · {flow.key}") if flow.key else None
    return link(f"{BASE}/flows/{flow.flow_id}", icon("flow"), name, key, cls="of-flow muted small")
