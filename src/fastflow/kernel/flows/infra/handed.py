"""How much the runs before it left for a run of a flow."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, func, select

from fastflow.kernel.flows.infra.rows import ELEMENT, STEP, STEP_COLUMNS, step_of
from fastflow.kernel.runs.domain.capsule import Capsule
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.infra.rows import ARTIFACT

_STEPS: Final = select(*STEP_COLUMNS).where(STEP.c.flow_id.in_(bindparam("flow_ids", expanding=True)))
_SIZES: Final = (
    select(ELEMENT.c.flow_id, ELEMENT.c.step, func.sum(ARTIFACT.c.size_bytes))
    .join_from(ELEMENT, ARTIFACT, ARTIFACT.c.run_id == ELEMENT.c.run_id)
    .where(
        ELEMENT.c.flow_id.in_(bindparam("flow_ids", expanding=True)),
        ELEMENT.c.step.in_(bindparam("names", expanding=True)),
        ELEMENT.c.is_current,
    )
    .group_by(ELEMENT.c.flow_id, ELEMENT.c.step)
)


def load_handed_bytes(connection: Connection, runs: Sequence[Run]) -> Mapping[str, int]:
    """Run id -> bytes of the artifacts of its upstreams, of those runs that have any upstream; nothing left counts as 0.

    What a later attempt of the flow put in an upstream's place counts instead of what was there.
    """
    places = {run.id: place for run in runs if (place := Capsule.from_json(run.capsule).flow) is not None}
    flow_ids = sorted({str(place["id"]) for place in places.values()})
    if not flow_ids:
        return {}
    steps = map(step_of, connection.execute(_STEPS, {"flow_ids": flow_ids}))
    upstreams = {(step.flow_id, step.name): step.upstreams for step in steps if step.upstreams}
    names = sorted({name for each in upstreams.values() for name in each})
    rows = connection.execute(_SIZES, {"flow_ids": flow_ids, "names": names})
    sizes = {(flow_id, step): int(size) for flow_id, step, size in rows}
    found = {}
    for run_id, place in places.items():
        flow_id = str(place["id"])
        if (own := upstreams.get((flow_id, str(place["step"])))) is not None:
            found[run_id] = sum(sizes.get((flow_id, name), 0) for name in own)
    return found
