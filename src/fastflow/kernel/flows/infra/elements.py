"""The elements of a step inside a transaction: counting, making, submitting, settling."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, func, insert, select, update
from sqlalchemy import text as sql

from fastflow.kernel.flows.domain.flow import Counts, Element, ElementState, Flow, Step
from fastflow.kernel.flows.infra.rows import ELEMENT, ELEMENT_COLUMNS, element_of, values_of_element
from fastflow.kernel.runs.domain.errors import RunSkipped
from fastflow.kernel.runs.domain.prepared import PreparedRun
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.queueing import put_in_queue
from fastflow.kernel.runs.infra.rows import RUN
from fastflow.kit.errors import InvalidInput
from fastflow.kit.identity import Actor, Role

MAX_KEY = 300
_FEW = 20
_COLUMNS: Final = [column.name for column in ELEMENT.columns]
_INSERT_MANY = sql(
    f"INSERT INTO flow_run ({', '.join(_COLUMNS)}) SELECT {', '.join(_COLUMNS)} "  # noqa: S608 - names of ours alone
    "FROM jsonb_populate_recordset(NULL::flow_run, CAST(:rows AS jsonb))"
)
"""PostgreSQL's driver sends row by row: one text of all of them takes a tenth of the time."""
_OF_STEP = and_(ELEMENT.c.flow_id == bindparam("of_flow"), ELEMENT.c.step == bindparam("of_step"), ELEMENT.c.is_current)
_COUNT = select(ELEMENT.c.state, func.count()).where(_OF_STEP).group_by(ELEMENT.c.state)
_IN_STATE = and_(_OF_STEP, ELEMENT.c.state == bindparam("in_state"))
_NEXT = select(*ELEMENT_COLUMNS).where(_IN_STATE).order_by(ELEMENT.c.element).limit(bindparam("count"))
_SAY = select(ELEMENT.c.state, ELEMENT.c.why).where(_OF_STEP).limit(1)
_THIS = and_(
    ELEMENT.c.flow_id == bindparam("of_flow"),
    ELEMENT.c.step == bindparam("of_step"),
    ELEMENT.c.element == bindparam("of_element"),
    ELEMENT.c.attempt == bindparam("of_attempt"),
)
_BEFORE = (
    select(ELEMENT.c.run_id)
    .where(
        ELEMENT.c.flow_id == bindparam("of_flow"),
        ELEMENT.c.step == bindparam("of_step"),
        ELEMENT.c.element == bindparam("of_element"),
        ELEMENT.c.attempt < bindparam("of_attempt"),
        ELEMENT.c.key == bindparam("of_key"),
    )
    .order_by(ELEMENT.c.attempt.desc())
    .limit(1)
)
"""The run of the element's attempt before, if it stood for the same: a list that is made anew may be another."""
_CHANGE = (
    update(ELEMENT)
    .where(_THIS)
    .values(run_id=bindparam("new_run_id"), state=bindparam("new_state"), why=bindparam("new_why"))
)
_END_IN_STATE = update(ELEMENT).where(_IN_STATE).values(state=bindparam("new_state"), why=bindparam("new_why"))
_SAME = (
    select(RUN.c.id, RUN.c.status, RUN.c.reason_text, RUN.c.reason, RUN.c.idempotency_key)
    .where(
        RUN.c.pipeline_name == bindparam("pipeline_name"),
        RUN.c.idempotency_key >= bindparam("key"),
        RUN.c.idempotency_key < bindparam("beyond"),
    )
    .order_by(RUN.c.id.desc())
    .limit(1)
)

Admit = Callable[[Connection, Run, Actor, Mapping[str, Any]], Run]
"""Puts a run into the queue under the policy of its pipeline's limits; raises RunSkipped."""


class Later(Exception):
    """This has to be done in a transaction of its own, by the keeper of flows."""


def count(connection: Connection, step: Step) -> Counts:
    """The step's present elements by state."""
    found: dict[str, int] = {row[0]: row[1] for row in connection.execute(_COUNT, _of(step))}
    return Counts(**{state.value.lower(): found.get(state.value, 0) for state in ElementState})


def load_waiting(connection: Connection, step: Step, limit: int) -> Sequence[Element]:
    """The next elements that wait, at most so many."""
    values = {**_of(step), "in_state": ElementState.WAITING.value, "count": limit}
    return [element_of(row) for row in connection.execute(_NEXT, values)]


def load_first_failed(connection: Connection, step: Step) -> Element | None:
    """The first in the list that failed; None when none did."""
    values = {**_of(step), "in_state": ElementState.FAILED.value, "count": 1}
    row = connection.execute(_NEXT, values).first()
    return None if row is None else element_of(row)


def look_at_single(connection: Connection, step: Step) -> tuple[Counts, str]:
    """The one element of a plain step: its state, and what it says."""
    row = connection.execute(_SAY, _of(step)).first()
    return (Counts(), "") if row is None else (Counts(**{row.state.lower(): 1}), row.why)


def skip_waiting(connection: Connection, step: Step, why: str) -> int:
    """Submit no more of the step's elements; how many that were."""
    return _end_waiting(connection, step, ElementState.SKIPPED, why)


def fail_waiting(connection: Connection, step: Step, why: str) -> int:
    """Count the step's elements that wait as failed; how many that were."""
    return _end_waiting(connection, step, ElementState.FAILED, why)


def _end_waiting(connection: Connection, step: Step, state: ElementState, why: str) -> int:
    values = {**_of(step), "in_state": ElementState.WAITING.value, "new_state": state.value, "new_why": why}
    return connection.execute(_END_IN_STATE, values).rowcount


def insert_elements(connection: Connection, elements: Sequence[Element]) -> None:
    """Keep new elements. One that is there already fails the transaction: the primary key lets none be made twice."""
    rows = [values_of_element(element) for element in elements]
    if not rows:
        return
    if connection.dialect.name == "sqlite" or len(rows) <= _FEW:
        connection.execute(insert(ELEMENT), rows)
    else:
        connection.execute(_INSERT_MANY, {"rows": json.dumps(rows)})


def save(connection: Connection, element: Element) -> None:
    """Keep the element's new state."""
    values = {"new_run_id": element.run_id, "new_state": element.state.value, "new_why": element.why}
    connection.execute(_CHANGE, {**_key(element), **values})


def submit(
    connection: Connection,
    flow: Flow,
    element: Element,
    template: PreparedRun,
    params: Mapping[str, Any],
    now: datetime,
    admit: Admit | None,
) -> Element:
    """Put the element's run into the queue; the element as it is then, not kept yet.

    Args:
        connection: in a write transaction that holds the flow.
        flow: whose it is.
        element: WAITING.
        template: what its runs are made of.
        params: of this run.
        now: aware.
        admit: for pipelines whose limits refuse or replace runs; None: not here.

    Raises:
        Later: the pipeline's limits have to be asked, and `admit` is None.
    """
    key = element.item.get("idempotency_key") if isinstance(element.item, Mapping) and flow.kind == "backfill" else None
    if key is not None:
        same = _find_same(connection, template.pipeline_name, key)
        if same is not None and same.status != RunStatus.FAILED.value:
            return _adopt(element, same)
        if same is not None:
            key = _next_key(key, same.idempotency_key)
    place = {
        "id": flow.id,
        "step": element.step,
        "element": element.element,
        "attempt": element.attempt,
        "key": element.key,
    }
    try:
        run = template.make(
            params,
            now=now,
            trigger=flow.kind,
            submitted_by=flow.submitted_by,
            priority=flow.priority,
            idempotency_key=key,
            flow=place,
        )
        if element.attempt > 1:
            run = replace(run, rerun_of=connection.execute(_BEFORE, {**_key(element), "of_key": element.key}).scalar())
        run = _put(connection, run, template, flow, place, admit)
    except RunSkipped as error:
        return replace(element, state=ElementState.SKIPPED, why=error.message)
    except InvalidInput as error:
        return replace(element, state=ElementState.FAILED, why=f"its run could not be made: {error.message}")
    if run.has_ended:
        return replace(element, state=ElementState.FAILED, run_id=run.id, why=run.reason_text or "it was cancelled")
    return replace(element, state=ElementState.RUNNING, run_id=run.id, why="its run is under way")


def _put(
    connection: Connection,
    run: Run,
    template: PreparedRun,
    flow: Flow,
    place: Mapping[str, Any],
    admit: Admit | None,
) -> Run:
    actor = Actor(name=f"{flow.kind}:{flow.name}"[:200], role=Role.OPERATOR)
    detail = {"pipeline": run.pipeline_name, "trigger": run.trigger, "flow": flow.id, "element": place["element"]}
    if template.policy == "queue" or (run.pipeline_limit is None and run.key_limit is None):
        put_in_queue(connection, run, actor=actor, action="run.submit", detail=detail)
        return run
    if admit is None:
        raise Later
    return admit(connection, run, actor, detail)


def settle(element: Element, status: str, reason: str | None, reason_text: str | None, run_id: str) -> Element:
    """The element after the last end of its run."""
    if status == RunStatus.SUCCESS.value:
        return replace(element, state=ElementState.SUCCESS, run_id=run_id, why=f"run {run_id} succeeded")
    why = f"run {run_id} failed ({reason or 'exit'}): {(reason_text or 'it did not say why')[:500]}"
    return replace(element, state=ElementState.FAILED, run_id=run_id, why=why)


def _find_same(connection: Connection, pipeline_name: str, key: str) -> Any:
    values = {"pipeline_name": pipeline_name, "key": key, "beyond": f"{key}~"}
    return connection.execute(_SAME, values).first()


def _adopt(element: Element, same: Any) -> Element:
    if same.status == RunStatus.SUCCESS.value:
        why = f"run {same.id} of an earlier backfill did the same"
        return replace(element, state=ElementState.SUCCESS, run_id=same.id, why=why)
    why = f"run {same.id} of an earlier backfill does the same and is under way"
    return replace(element, state=ElementState.RUNNING, run_id=same.id, why=why)


def _next_key(key: str, last: str) -> str:
    """The key of the next try of what failed: `key`, `key:2`, `key:3` ..."""
    _, _, number = last[len(key) :].partition(":")
    return f"{key}:{int(number or 1) + 1}"


def _of(step: Step) -> dict[str, Any]:
    return {"of_flow": step.flow_id, "of_step": step.name}


def _key(element: Element) -> dict[str, Any]:
    return {
        "of_flow": element.flow_id,
        "of_step": element.step,
        "of_element": element.element,
        "of_attempt": element.attempt,
    }
