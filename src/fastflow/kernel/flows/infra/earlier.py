"""What earlier backfills have done, or are doing, of a new one."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, bindparam, func, select

from fastflow.kernel.flows.infra.rows import ELEMENT, FLOW
from fastflow.kernel.flows.ports import Earlier
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.rows import RUN

_OF_BACKFILLS = (
    select(RUN.c.idempotency_key, RUN.c.id, RUN.c.status)
    .where(RUN.c.pipeline_name == bindparam("pipeline_name"), RUN.c.idempotency_key.like("backfill:%"))
    .order_by(RUN.c.id)
)


def find_earlier(connection: Connection, pipeline_name: str, keys: Collection[str]) -> Mapping[str, Earlier]:
    """See `FlowStore.find_earlier`. The newest run of a key counts, as when an element is submitted."""
    wanted = set(keys)
    found: dict[str, Earlier] = {}
    for key, run_id, status in connection.execute(_OF_BACKFILLS, {"pipeline_name": pipeline_name}):
        first = ":".join(key.split(":")[:2])  # tries of what failed are `key:2`, `key:3` ...
        if first not in wanted:
            continue
        if status == RunStatus.FAILED.value:
            found.pop(first, None)
        else:
            found[first] = Earlier(run_id=run_id, is_done=status == RunStatus.SUCCESS.value)
    return found


def find_makers(connection: Connection, run_ids: Sequence[str]) -> Sequence[str]:
    """See `FlowStore.find_makers`: of all backfills with the run the oldest made it."""
    oldest = (
        select(func.min(ELEMENT.c.flow_id))
        .join(FLOW, FLOW.c.id == ELEMENT.c.flow_id)
        .where(ELEMENT.c.run_id.in_(run_ids), FLOW.c.kind == "backfill")
        .group_by(ELEMENT.c.run_id)
    )
    return sorted(set(connection.execute(oldest).scalars()))
