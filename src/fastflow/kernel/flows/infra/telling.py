"""What the steps of a flow told, for conditions, for parameters, and for the runs after them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, select

from fastflow.kernel.db.engine import Database
from fastflow.kernel.executors.port import Handed
from fastflow.kernel.flows.domain.deciding import Told
from fastflow.kernel.flows.domain.flow import ElementState, Step, StepState
from fastflow.kernel.flows.infra.rows import ELEMENT, STEP, STEP_COLUMNS, step_of
from fastflow.kernel.runs.domain.capsule import Capsule
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.infra.rows import RUN

MAX_HANDED_FOLDERS = 100
"""Folders of artifacts that one run is given: each is a mount of its own."""
_ENDS = (
    select(
        ELEMENT.c.element,
        ELEMENT.c.key,
        ELEMENT.c.state,
        ELEMENT.c.run_id,
        RUN.c.status,
        RUN.c.reason,
        RUN.c.exit_code,
        RUN.c.outputs,
    )
    .join_from(ELEMENT, RUN, RUN.c.id == ELEMENT.c.run_id, isouter=True)
    .where(ELEMENT.c.flow_id == bindparam("of_flow"), ELEMENT.c.step == bindparam("of_step"), ELEMENT.c.is_current)
    .order_by(ELEMENT.c.element)
)
_STEPS = select(*STEP_COLUMNS).where(STEP.c.flow_id == bindparam("of_flow"))


def tell(connection: Connection, step: Step) -> Told:
    """What the step left to those after it."""
    rows = _load(connection, step)
    if not step.is_fan_out:
        row = rows[0] if rows and rows[0].run_id is not None else None
        facts: dict[str, Any] = {"status": step.state.value, "reason": None, "exit_code": None, "run_id": None}
        if row is not None:
            facts.update(reason=row.reason, exit_code=row.exit_code, run_id=row.run_id)
        return Told(facts=facts, outputs=row.outputs or {} if row is not None else {})
    states = [row.state for row in rows]
    outputs = {
        "total": len(rows),
        "succeeded": states.count(ElementState.SUCCESS.value),
        "failed": states.count(ElementState.FAILED.value),
        "results": [row.outputs or {} for row in rows if row.state == ElementState.SUCCESS.value],
    }
    return Told(facts={"status": step.state.value, "reason": None, "exit_code": None, "run_id": None}, outputs=outputs)


def _load(connection: Connection, step: Step) -> Sequence[Any]:
    if step.state in (StepState.WAITING, StepState.APPROVAL):
        return ()
    return connection.execute(_ENDS, {"of_flow": step.flow_id, "of_step": step.name}).all()


class Handing:
    """Gathers, at its launch, what a run of a flow is given of the runs before it.

    Args:
        database: migrated.
        artifacts_root: one folder for each run, on this machine.
    """

    def __init__(self, database: Database, artifacts_root: Path) -> None:
        self._database = database
        self._root = artifacts_root

    def of(self, run: Run) -> Handed | None:
        """What the run is given; None when it is in no flow. Several runs may be served at once."""
        place = Capsule.from_json(run.capsule).flow
        if place is None:
            return None
        with self._database.read() as connection:
            rows = connection.execute(_STEPS, {"of_flow": place["id"]})
            steps = {step.name: step for step in map(step_of, rows)}
            own = steps.get(str(place["step"]))
            found = (
                {name: self._record(connection, steps[name]) for name in own.upstreams if name in steps} if own else {}
            )
        folders = self._folders(found.values())
        variables = {"FASTFLOW_FLOW_ID": str(place["id"]), "FASTFLOW_STEP": str(place["step"])}
        return Handed(upstream=found, folders=folders, variables=variables)

    def _record(self, connection: Connection, step: Step) -> dict[str, Any]:
        told = tell(connection, step)
        record: dict[str, Any] = {**told.facts, "outputs": dict(told.outputs), "artifacts": told.facts["run_id"]}
        if step.is_fan_out:
            record["outputs"].pop("results")
            record["elements"] = [
                {
                    "key": row.key,
                    "run_id": row.run_id,
                    "status": row.state,
                    "outputs": row.outputs or {},
                    "artifacts": row.run_id,
                }
                for row in _load(connection, step)
            ]
        return record

    def _folders(self, records: Any) -> Mapping[str, Path]:
        """The folders of artifacts that are here and not empty."""
        ids = [entry["run_id"] for record in records for entry in (record, *record.get("elements", ()))]
        found: dict[str, Path] = {}
        for run_id in ids:
            folder = self._root / run_id if run_id else None
            if folder is None or len(found) >= MAX_HANDED_FOLDERS:
                continue
            if folder.is_dir() and not folder.is_symlink() and any(folder.iterdir()):
                found[run_id] = folder
        return found
