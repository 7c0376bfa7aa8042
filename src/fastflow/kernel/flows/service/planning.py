"""From pipelines to a flow that can be kept: its steps with everything frozen."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fastflow.kernel.flows.domain.after import DEFAULT_LIMIT
from fastflow.kernel.flows.domain.doubts import Graph, read_graph
from fastflow.kernel.flows.domain.errors import FlowCycle, InvalidFlow
from fastflow.kernel.flows.domain.flow import Element, ElementState, Flow, Step, StepState
from fastflow.kernel.flows.domain.planned import FlowPlan, PlannedStep, plan_steps
from fastflow.kernel.flows.ports import FlowStore, NewFlow, NewStep, Pipelines, Runs
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.ports import Beside
from fastflow.kit.clock import Clock
from fastflow.kit.errors import FastFlowError, Unavailable, named
from fastflow.kit.identity import Actor, Role
from fastflow.kit.ids import new_id

_GRAPH_SECONDS = 1.0
"""How long the graph is taken for known: looking through every pipeline's files costs more than a submission."""
_MAX_NAME = 300
_MAX_WARNINGS = 20


class Planner:
    """Plans flows.

    Args:
        store: keeps those that runs begin.
        pipelines: what can be run, and what each runs after.
        runs: freezes what runs are made of.
        clock: tells the time.
    """

    def __init__(self, store: FlowStore, pipelines: Pipelines, runs: Runs, clock: Clock) -> None:
        self._store = store
        self._pipelines = pipelines
        self._runs = runs
        self._clock = clock
        self._graph: tuple[float, Graph] | None = None

    def plan(self, roots: Sequence[str]) -> FlowPlan:
        """The steps of a flow that would begin now.

        Raises:
            NotFound: a root is no pipeline.
            FlowCycle: pipelines run after one another in a circle.
            InvalidFlow: of a step it is not certain what it runs after; names each.
        """
        with named("roots"):
            for root in roots:
                self._pipelines.get(root)
        graph = self._look(fresh=True)
        _refuse_faults(roots, graph)
        steps = plan_steps(roots, graph.afters)
        refuse({step.name: step.after.doubt for step in steps if step.after is not None and step.after.doubt})
        return FlowPlan(steps=steps, warnings=graph.warnings)

    def following(self, pipeline_name: str) -> Beside | None:
        """What follows a run of the pipeline: keeps a flow beside the run; None when nothing does. A `Follow`.

        Raises:
            FlowCycle, InvalidFlow: the pipeline's own place among the others is wrong, or they run in a circle.
        """
        graph = self._look(fresh=False)
        _refuse_faults([pipeline_name], graph)
        if not any(pipeline_name in after.pipelines for after in graph.afters.values()):
            return None
        planned = plan_steps([pipeline_name], graph.afters)
        prepared = [self._prepare_step(step) for step in planned]

        def keep(connection: Any, run: Run) -> None:
            flow = Flow(
                id=new_id(),
                name=pipeline_name,
                trigger=run.trigger,
                submitted_by=run.submitted_by,
                params=run.params,
                priority=run.priority,
                created_at=run.queued_at,
                detail=detail_of(graph.warnings),
            )
            trace = run.capsule.get("trace")
            steps = [
                new_step(flow, step, template and template.traced(trace), problem)
                for step, (template, problem) in zip(planned, prepared, strict=True)
            ]
            begun = {"state": StepState.RUNNING, "why": f"run {run.id} is under way", "started_at": run.queued_at}
            steps = [_changed(each, begun) if each.step.is_root else each for each in steps]
            new = NewFlow(flow=flow, steps=steps, elements=[element_of(flow, pipeline_name, 0, "", dict(run.params))])
            actor = Actor(name=run.submitted_by, role=Role.OPERATOR)
            self._store.add_beside(connection, new, run, actor=actor)

        return keep

    def prepare(self, pipeline_name: str) -> tuple[Any, str | None]:
        """What runs of the pipeline are made of, or None and why that cannot be said."""
        try:
            return self._runs.prepare(pipeline_name), None
        except Unavailable:
            raise
        except FastFlowError as error:
            return None, error.message

    def _prepare_step(self, step: PlannedStep) -> tuple[Any, str | None]:
        if step.after is not None and step.after.doubt is not None:
            return None, step.after.doubt
        return self.prepare(step.name)

    def _look(self, *, fresh: bool) -> Graph:
        known = self._graph
        if not fresh and known is not None and time.monotonic() - known[0] < _GRAPH_SECONDS:
            return known[1]
        graph = read_graph(self._pipelines.list())
        self._graph = (time.monotonic(), graph)
        return graph


def refuse(problems: Mapping[str, str]) -> None:
    """Let no flow begin with these steps, by name with why they cannot run.

    Raises:
        InvalidFlow: there are any.
    """
    if problems:
        first = next(iter(problems))
        raise InvalidFlow(
            f"The flow cannot begin: its step {first} cannot run: {problems[first]}",
            hint="Correct the pipelines, which `fastflow pipelines check` looks at; nothing was started.",
            fields={f"steps.{name}": problem for name, problem in problems.items()},
        )


def detail_of(warnings: Sequence[str]) -> Mapping[str, Any]:
    """What a flow keeps of the warnings at its beginning."""
    return {"warnings": list(warnings[:_MAX_WARNINGS])} if warnings else {}


def _refuse_faults(roots: Sequence[str], graph: Graph) -> None:
    for root in roots:
        for fault in graph.faults.get(root, ()):
            told = f"{root} cannot begin a flow: {fault}"
            hint = f"{fault.hint} Or run the pipeline alone (`alone`)."
            is_circle = "in a circle" in fault.message
            raise (FlowCycle if is_circle else InvalidFlow)(told, hint=hint, fields={f"steps.{root}": str(fault)})


def new_step(flow: Flow, planned: PlannedStep, template: Any, problem: str | None) -> NewStep:
    """A step as it is kept at first."""
    after = planned.after
    waits = "it waits for its turn" if after is None else f"it waits for {', '.join(after.pipelines[:5])}"
    step = Step(
        flow_id=flow.id,
        name=planned.name,
        position=planned.position,
        is_root=planned.is_root,
        after=after,
        state=StepState.WAITING,
        why=waits,
        total=1 if planned.is_root else None,
        run_limit=DEFAULT_LIMIT,
    )
    return NewStep(step=step, template=template, problem=problem)


def element_of(
    flow: Flow, step: str, place: int, key: str, params: Mapping[str, Any], *, idempotency_key: str | None = None
) -> Element:
    """An element of a root."""
    item: dict[str, Any] = {"params": dict(params)}
    if idempotency_key is not None:
        item["idempotency_key"] = idempotency_key
    return Element(
        flow_id=flow.id,
        step=step,
        element=place,
        attempt=flow.attempt,
        key=key,
        item=item,
        run_id=None,
        state=ElementState.WAITING,
        why="it waits for its turn",
    )


def name_of(roots: Sequence[str]) -> str:
    """What a flow that begins with these is called."""
    return " + ".join(roots)[:_MAX_NAME]


def _changed(new: NewStep, values: Mapping[str, Any]) -> NewStep:
    return replace(new, step=replace(new.step, **values))
