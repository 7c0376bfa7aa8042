"""Rows of the flow tables and the domain records they become."""

from collections.abc import Iterable
from typing import Any, Final, cast

from sqlalchemy import Row, Table

from fastflow.kernel.flows.domain.after import After
from fastflow.kernel.flows.domain.flow import Element, ElementState, Flow, FlowStatus, Step, StepState
from fastflow.kernel.flows.infra.tables import FlowRow, FlowRunRow, FlowStepRow

FLOW: Final = cast("Table", FlowRow.__table__)  # type: ignore[attr-defined]  # SQLModel adds it at class creation
STEP: Final = cast("Table", FlowStepRow.__table__)  # type: ignore[attr-defined]
ELEMENT: Final = cast("Table", FlowRunRow.__table__)  # type: ignore[attr-defined]

_FLOW_FIELDS: Final = tuple(Flow.__dataclass_fields__)
_STEP_FIELDS: Final = tuple(Step.__dataclass_fields__)
_ELEMENT_FIELDS: Final = tuple(Element.__dataclass_fields__)
FLOW_COLUMNS: Final = tuple(FLOW.c[name] for name in _FLOW_FIELDS)
STEP_COLUMNS: Final = tuple(STEP.c[name] for name in _STEP_FIELDS)
ELEMENT_COLUMNS: Final = tuple(ELEMENT.c[name] for name in _ELEMENT_FIELDS)


def flow_of(row: Row[Any]) -> Flow:
    """The record of a row that was selected with `FLOW_COLUMNS`."""
    values = dict(zip(_FLOW_FIELDS, row, strict=True))
    return Flow(**{**values, "status": FlowStatus(values["status"])})


def step_of(row: Iterable[Any]) -> Step:
    """The record of a row that was selected with `STEP_COLUMNS`."""
    values = dict(zip(_STEP_FIELDS, row, strict=True))
    after = values["after"]
    return Step(
        **{
            **values,
            "state": StepState(values["state"]),
            "after": None if after is None else After.from_json(after),
        }
    )


def element_of(row: Row[Any]) -> Element:
    """The record of a row that was selected with `ELEMENT_COLUMNS`."""
    values = dict(zip(_ELEMENT_FIELDS, row, strict=True))
    return Element(**{**values, "state": ElementState(values["state"])})


def values_of_flow(flow: Flow) -> dict[str, Any]:
    """The row of a flow."""
    values = {name: getattr(flow, name) for name in _FLOW_FIELDS}
    return {**values, "status": flow.status.value, "params": dict(flow.params), "detail": dict(flow.detail)}


def values_of_step(step: Step) -> dict[str, Any]:
    """The row of a step, without its template."""
    values = {name: getattr(step, name) for name in _STEP_FIELDS}
    after = None if step.after is None else step.after.to_json()
    return {**values, "state": step.state.value, "after": after}


def values_of_element(element: Element) -> dict[str, Any]:
    """The row of an element."""
    return {**{name: getattr(element, name) for name in _ELEMENT_FIELDS}, "state": element.state.value}
