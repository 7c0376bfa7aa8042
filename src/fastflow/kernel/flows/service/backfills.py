"""Backfills: a pipeline over a range of times, kept as a flow of one step with an element for each time."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from fastflow.kernel.flows.domain.after import allowed_failures
from fastflow.kernel.flows.domain.backfilling import Already, BackfillRequest, Slot, plan_backfill
from fastflow.kernel.flows.domain.errors import InvalidBackfill
from fastflow.kernel.flows.domain.flow import Flow
from fastflow.kernel.flows.domain.planned import PlannedStep
from fastflow.kernel.flows.ports import WAKE_MESSAGE, FlowStore, FlowView, NewFlow, Runs, WakeUp
from fastflow.kernel.flows.service.planning import Planner, element_of, new_step
from fastflow.kernel.runs.domain.prepared import PreparedRun
from fastflow.kit.clock import Clock
from fastflow.kit.errors import named
from fastflow.kit.identity import Actor, Role
from fastflow.kit.ids import new_id

_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class BackfillPlan:
    """What a backfill would run.

    Attributes:
        slots: in their order, with complete parameters.
        allowed_failures: failed ones after which no more are started.
        done_by: the earlier backfills that have done, or are doing, some of them.
    """

    slots: Sequence[Slot]
    allowed_failures: int
    done_by: Sequence[str] = ()

    @property
    def to_run(self) -> int:
        """Slots that will get a run of their own."""
        return sum(slot.already is None for slot in self.slots)

    @property
    def done_already(self) -> int:
        """Slots that an earlier backfill has done with success."""
        return sum(slot.already == "done" for slot in self.slots)

    @property
    def under_way_already(self) -> int:
        """Slots that an earlier backfill is doing."""
        return sum(slot.already == "under_way" for slot in self.slots)

    def beginning(self) -> dict[str, Any]:
        """What the backfill keeps of this, when an earlier one leaves it less to do."""
        if self.to_run == len(self.slots):
            return {}
        names = ("to_run", "done_already", "under_way_already")
        return {**{name: getattr(self, name) for name in names}, "done_by": list(self.done_by[:_NAMED])}


class BackfillService:
    """Backfills. What holds for flows holds for them: they are looked at, cancelled and resumed as flows."""

    def __init__(self, store: FlowStore, planner: Planner, runs: Runs, wakeup: WakeUp, clock: Clock) -> None:
        self._store = store
        self._planner = planner
        self._runs = runs
        self._wakeup = wakeup
        self._clock = clock

    def plan(self, request: BackfillRequest, *, actor: Actor) -> BackfillPlan:
        """What would run; changes nothing.

        Raises:
            NotFound: no such pipeline.
            InvalidBackfill: names every wrong field; too many runs; all of them alike.
            InvalidParams: names every wrong parameter of the first run that has any.
            InvalidInput: the pipeline is broken.
            Forbidden: role or scope.
        """
        return self._plan(request, actor)[0]

    def start(self, request: BackfillRequest, *, actor: Actor, trace: str | None = None) -> FlowView:
        """Begin the backfill. Times that an earlier backfill with the same parameters has done, or is doing, are not run
        again, unless asked for; raises as `plan`. Every run belongs to `trace`, the caller's `traceparent`."""
        plan, template = self._plan(request, actor)
        flow = Flow(
            id=new_id(),
            kind="backfill",
            name=request.pipeline_name,
            trigger="backfill",
            submitted_by=actor.name[:200],
            priority=request.priority,
            created_at=self._clock.now(),
            detail={
                **{name: value for name, value in asdict(request).items() if name != "pipeline_name"},
                **plan.beginning(),
            },
        )
        planned = PlannedStep(name=request.pipeline_name, position=0, after=None)
        new = new_step(flow, planned, template.traced(trace), None)
        step = replace(
            new.step, total=len(plan.slots), run_limit=request.throttle, allowed_failures=plan.allowed_failures
        )
        elements = [
            element_of(
                flow,
                request.pipeline_name,
                place,
                slot.key,
                slot.params,
                idempotency_key=_key(request, slot.params, flow.id, place),
            )
            for place, slot in enumerate(plan.slots)
        ]
        self._store.add(
            NewFlow(flow=flow, steps=[replace(new, step=step)], elements=elements), actor=actor, now=flow.created_at
        )
        self._wakeup.wake_runner("wake")
        self._wakeup.wake_runner(WAKE_MESSAGE)
        view = self._store.find(flow.id)
        assert view is not None, "it was kept just now"
        return view

    def _plan(self, request: BackfillRequest, actor: Actor) -> tuple[BackfillPlan, PreparedRun]:
        actor.require_pipeline(request.pipeline_name, Role.OPERATOR)
        with named("pipeline_name"):
            template = self._runs.prepare(request.pipeline_name)
        slots = plan_backfill(request)
        complete = [Slot(key=slot.key, params=template.complete(slot.params)) for slot in slots]
        if len({_digest(request.pipeline_name, slot.params) for slot in complete}) < len(complete):
            raise InvalidBackfill(
                {"params": "several times have the same parameters, so the same would run again and again"},
                hint="Let a parameter tell them apart, such as DATE={date}.",
            )
        marked, done_by = self._marked(request, complete)
        allowed = allowed_failures(request.max_failures, len(slots))
        return BackfillPlan(slots=marked, allowed_failures=allowed, done_by=done_by), template

    def _marked(self, request: BackfillRequest, slots: Sequence[Slot]) -> tuple[Sequence[Slot], Sequence[str]]:
        """The slots with what earlier backfills leave of them, and those backfills."""
        if request.again:
            return slots, ()
        keys = [_key(request, slot.params, "", 0) for slot in slots]
        earlier = self._store.find_earlier(request.pipeline_name, keys)
        if not earlier:
            return slots, ()
        marked: list[Slot] = []
        for slot, key in zip(slots, keys, strict=True):
            same = earlier.get(key)
            already: Already | None = None if same is None else "done" if same.is_done else "under_way"
            marked.append(replace(slot, already=already))
        return marked, self._store.find_makers([same.run_id for same in earlier.values()])


def _key(request: BackfillRequest, params: Mapping[str, Any], flow_id: str, place: int) -> str:
    if request.again:
        return f"backfill:{flow_id}:{place}/"
    return f"backfill:{_digest(request.pipeline_name, params)}"


def _digest(pipeline_name: str, params: Mapping[str, Any]) -> str:
    text = json.dumps([pipeline_name, params], sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:48]
