"""The use cases of flows: begin, look, cancel, decide, run again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, cast

from fastflow.kernel.flows.domain.approving import Question, find_refusal, rule_of
from fastflow.kernel.flows.domain.errors import FlowNotFound, InvalidFlow, NoApproval, StepNotFound, flow_ended
from fastflow.kernel.flows.domain.flow import Element, ElementState, Flow, FlowStatus, Step
from fastflow.kernel.flows.domain.planned import FlowPlan, PlannedStep
from fastflow.kernel.flows.domain.rerunning import steps_again
from fastflow.kernel.flows.ports import (
    WAKE_MESSAGE,
    FlowFilter,
    FlowStore,
    FlowView,
    Membership,
    NewFlow,
    NewStep,
    Runs,
    WakeUp,
)
from fastflow.kernel.flows.service.planning import Planner, detail_of, element_of, name_of, new_step, refuse
from fastflow.kernel.runs.domain.prepared import PreparedRun
from fastflow.kit.clock import Clock
from fastflow.kit.identity import Actor, Role
from fastflow.kit.ids import new_id, parse_id
from fastflow.kit.pages import DEFAULT_PAGE_SIZE, Page, bad_cursor, decode_cursor, encode_cursor

MAX_ROOTS = 100
Decision = Literal["approve", "deny"]


class FlowService:
    """Flows as their users see them."""

    def __init__(self, store: FlowStore, planner: Planner, runs: Runs, wakeup: WakeUp, clock: Clock) -> None:
        self._store = store
        self._planner = planner
        self._runs = runs
        self._wakeup = wakeup
        self._clock = clock

    # -- begin ----------------------------------------------------------------------------------------------------------

    def plan(self, roots: Sequence[str], *, actor: Actor) -> FlowPlan:
        """The steps that a flow with these roots would have now; changes nothing. Raises as `start`."""
        return self._planner.plan(self._checked(roots, actor))

    def start(
        self,
        roots: Sequence[str],
        params: Mapping[str, Any] | None = None,
        *,
        actor: Actor,
        trigger: str = "api",
        priority: int = 0,
        idempotency_key: str | None = None,
        trace: str | None = None,
    ) -> FlowView:
        """Begin a flow: the roots are submitted, and everything after them follows. All code is frozen here.

        Args:
            roots: pipelines; what they run after does not count.
            params: of the roots; of several roots each takes those that its schema has.
            actor: needs the role operator on the roots.
            trigger: what begins it.
            priority: of every run.
            idempotency_key: a second start with it returns the first flow.
            trace: the caller's `traceparent`, as checked; every run belongs to it.

        Raises:
            NotFound: a root is no pipeline.
            FlowCycle: pipelines run after one another in a circle.
            InvalidFlow: no root, or a step that cannot run; names each.
            InvalidParams: names every wrong parameter.
            Forbidden: role or scope.
        """
        plan = self._planner.plan(self._checked(roots, actor, Role.OPERATOR))
        planned = plan.steps
        templates = self._templates(planned)
        given = self._params_of_roots([step.name for step in planned if step.is_root], templates, params or {})
        flow = Flow(
            id=new_id(),
            name=name_of([step.name for step in planned if step.is_root]),
            trigger=trigger,
            submitted_by=actor.name[:200],
            params={name: value for each in given.values() for name, value in each.items()},
            priority=priority,
            created_at=self._clock.now(),
            idempotency_key=idempotency_key,
            detail=detail_of(plan.warnings),
        )
        new = NewFlow(
            flow=flow,
            steps=[new_step(flow, step, templates[step.name].traced(trace), None) for step in planned],
            elements=[element_of(flow, name, 0, "", each) for name, each in given.items()],
        )
        kept, is_new = self._store.add(new, actor=actor, now=flow.created_at)
        if is_new:
            self._wake()
        return self.get(kept.id, actor=actor)

    def _checked(self, roots: Sequence[str], actor: Actor, role: Role = Role.VIEWER) -> Sequence[str]:
        names = list(dict.fromkeys(roots))
        if not 1 <= len(names) <= MAX_ROOTS:
            problem = f"names {len(names)} pipelines; 1 to {MAX_ROOTS} are allowed"
            raise InvalidFlow(f"The flow cannot begin: roots {problem}.", fields={"roots": problem})
        for name in names:
            actor.require_pipeline(name, role)
        return names

    def _templates(self, planned: Sequence[PlannedStep]) -> Mapping[str, PreparedRun]:
        prepared = {step.name: self._planner.prepare(step.name) for step in planned}
        refuse({name: problem for name, (_, problem) in prepared.items() if problem is not None})
        return {name: cast("PreparedRun", template) for name, (template, _) in prepared.items()}

    @staticmethod
    def _params_of_roots(
        roots: Sequence[str], templates: Mapping[str, PreparedRun], params: Mapping[str, Any]
    ) -> Mapping[str, Mapping[str, Any]]:
        """The parameters of each root, checked and complete."""
        if len(roots) == 1:
            return {roots[0]: templates[roots[0]].complete(params)}
        taken = {name: _taken(templates[name], params) for name in roots}
        strange = [name for name in params if all(name not in each for each in taken.values())]
        if strange:
            problems = {f"params.{name}": "none of the roots takes it" for name in strange}
            raise InvalidFlow(f"The flow cannot begin: no root takes {', '.join(strange[:5])}.", fields=problems)
        return {name: templates[name].complete(each) for name, each in taken.items()}

    # -- look -----------------------------------------------------------------------------------------------------------

    def get(self, flow_id: str, *, actor: Actor) -> FlowView:
        """The flow with its steps.

        Raises:
            InvalidInput: not an id.
            FlowNotFound: there is none.
            Forbidden: a root is outside the actor's scope.
        """
        flow_id = parse_id(flow_id, "flow_id")
        view = self._store.find(flow_id)
        if view is None:
            raise FlowNotFound(flow_id)
        for root in view.roots:
            actor.require_pipeline(root)
        return view

    def list(
        self,
        wanted: FlowFilter | None = None,
        *,
        actor: Actor,
        cursor: str | None = None,
        limit: int = DEFAULT_PAGE_SIZE,
    ) -> Page[FlowView]:
        """One page of flows, newest first; those outside the actor's scope are left out.

        Raises:
            InvalidInput: the cursor was not given out by this list.
            Forbidden: the filter names a pipeline outside the actor's scope.
        """
        wanted = wanted or FlowFilter()
        if wanted.pipeline_name is not None:
            actor.require_pipeline(wanted.pipeline_name)
        wanted = replace(wanted, pipelines=actor.reach())
        before = parse_id(str(decode_cursor(cursor, (str,))[0]), "cursor") if cursor else None
        found = self._store.load_page(wanted, before_id=before, limit=limit + 1)
        items = found[:limit]
        return Page(items=items, next_cursor=encode_cursor(items[-1].flow.id) if len(found) > limit else None)

    def memberships(self, run_ids: Sequence[str], *, actor: Actor) -> Mapping[str, Membership]:
        """Which flow each of these runs belongs to, as far as it is in one that the actor may see."""
        return self._store.find_memberships(run_ids, actor.reach()) if run_ids else {}

    def questions(self, *, actor: Actor, cursor: str | None = None, limit: int = DEFAULT_PAGE_SIZE) -> Page[Question]:
        """One page of the steps that wait for a person, of the oldest flows first; those outside the actor's scope are left
        out, those that others have to decide are not: `find_refusal` tells.

        Raises:
            InvalidInput: the cursor was not given out by this list.
        """
        after = None
        if cursor:
            flow_id, step = cast("tuple[str, str]", decode_cursor(cursor, (str, str)))
            after = (flow_id, step)
        found = self._store.load_questions(actor.reach(), after=after, limit=limit + 1)
        items = found[:limit]
        more = encode_cursor(items[-1].flow_id, items[-1].step) if len(found) > limit else None
        return Page(items=items, next_cursor=more)

    def list_elements(
        self,
        flow_id: str,
        step: str,
        state: ElementState | None = None,
        *,
        actor: Actor,
        cursor: str | None = None,
        limit: int = DEFAULT_PAGE_SIZE,
    ) -> Page[Element]:
        """One page of a step's elements in their order, with every attempt; with `state`, the present ones in it.

        Raises:
            StepNotFound: the flow has no such step.
            Forbidden: the step's pipeline, or a root, is outside the actor's scope.
            Others: as `get` and `list`.
        """
        view = self.get(flow_id, actor=actor)
        actor.require_pipeline(_step_of(view, step).name)
        after = (-1, 0)
        if cursor:
            place, attempt = cast("tuple[int, int]", decode_cursor(cursor, (int, int)))
            if not (-1 <= place < 2**31 and 0 <= attempt < 2**31):
                raise bad_cursor()
            after = (place, attempt)
        found = self._store.load_elements(view.flow.id, step, state, after=after, limit=limit + 1)
        items = found[:limit]
        last = items[-1] if items else None
        more = encode_cursor(last.element, last.attempt) if last is not None and len(found) > limit else None
        return Page(items=items, next_cursor=more)

    # -- change ---------------------------------------------------------------------------------------------------------

    def cancel(self, flow_id: str, *, actor: Actor, reason: str | None = None) -> FlowView:
        """End the flow: nothing more is submitted, and what runs is stopped. Asking twice changes nothing.

        Raises:
            FlowEnded: it is over.
            Others: as `get`.
        """
        flow = self._operated(flow_id, actor).flow
        is_new = self._store.cancel(flow.id, actor=actor, reason=reason, now=self._clock.now())
        after = self.get(flow.id, actor=actor)
        if not is_new and after.flow.status is not FlowStatus.RUNNING:
            raise flow_ended(after.flow)
        self._wake()
        return after

    def decide(self, flow_id: str, step: str, decision: Decision, *, actor: Actor, note: str | None = None) -> FlowView:
        """Approve or deny a step that waits for it.

        Raises:
            NoApproval: it does not wait for one: its turn has not come, it was decided, or its time is over.
            Forbidden: the rule names others; or it names nobody, and the actor is no operator of the step's pipeline.
            Others: as `get`.
        """
        view = self.get(flow_id, actor=actor)
        found = _step_of(view, step)
        rule = rule_of(found)
        refusal = find_refusal(step, () if rule is None else rule.users, actor)
        if refusal is not None:
            raise refusal
        if rule is None:
            raise NoApproval(f"The step {step} needs no approval.")
        self._store.decide(view.flow.id, step, decision, note=note, actor=actor, now=self._clock.now())
        self._wake()
        return self.get(flow_id, actor=actor)

    def rerun(self, flow_id: str, *, actor: Actor, exact: bool = False) -> FlowView:
        """Run again what did not succeed and everything that depends on it, as a new attempt of the same flow; what else
        succeeded is kept.

        Args:
            flow_id: of a flow that is over.
            actor: needs the role operator on the roots.
            exact: True: with the code of its beginning. False: with the code as it is now.

        Raises:
            FlowRuns: it is not over.
            NothingFailed: everything succeeded.
            InvalidFlow: a step cannot run now; names it.
            Others: as `get`.
        """
        view = self._operated(flow_id, actor)
        was_cancelled = view.flow.cancel_requested_at is not None
        steps = [each.step for each in steps_again(view.steps, was_cancelled=was_cancelled)]
        _refuse_doubts(view.flow, steps)
        templates: dict[str, NewStep] = {}
        if not exact and view.flow.status is FlowStatus.FAILED:
            prepared = self._templates([PlannedStep(name=step.name, position=0, after=None) for step in steps])
            templates = {step.name: NewStep(step=step, template=prepared[step.name]) for step in steps}
        self._store.rerun(view.flow.id, templates, actor=actor, now=self._clock.now())
        self._wake()
        return self.get(flow_id, actor=actor)

    def end_removed(self, pipelines: Sequence[str], *, actor: Actor, why: str) -> Sequence[Step]:
        """Of pipelines that were removed by force, end the steps that wait in flows and backfills under way. Idempotent.

        Args:
            pipelines: that are gone.
            actor: who removed them; their scope was asked for then.
            why: one clause, for the steps.

        Returns:
            The steps of which anything was ended.
        """
        ended = self._store.end_steps(pipelines, why=why, actor=actor, now=self._clock.now())
        if ended:
            self._wake()
        return ended

    def _operated(self, flow_id: str, actor: Actor) -> FlowView:
        """The flow, which the actor may change."""
        actor.require_somewhere(Role.OPERATOR)
        view = self.get(flow_id, actor=actor)
        for root in view.roots:
            actor.require_pipeline(root, Role.OPERATOR)
        return view

    def _wake(self) -> None:
        self._wakeup.wake_runner("wake")
        self._wakeup.wake_runner(WAKE_MESSAGE)


def _refuse_doubts(flow: Flow, steps: Sequence[Step]) -> None:
    """A step that got its place by a guess must not run at it, also when the pipeline is mended now."""
    doubts = {step.name: step.after.doubt for step in steps if step.after is not None and step.after.doubt}
    if doubts and flow.status is FlowStatus.FAILED:
        first = next(iter(doubts))
        raise InvalidFlow(
            f"The flow cannot be run again: where its step {first} stands was not known when it began: {doubts[first]}",
            hint=f"Correct the pipeline and begin a new flow: `fastflow flows run {flow.name}`.",
            fields={f"steps.{name}": doubt for name, doubt in doubts.items()},
        )


def _taken(template: PreparedRun, params: Mapping[str, Any]) -> Mapping[str, Any]:
    schema = template.params_schema
    if schema is None or "properties" not in schema or schema.get("additionalProperties"):
        return params
    return {name: value for name, value in params.items() if name in schema["properties"]}


def _step_of(view: FlowView, name: str) -> Step:
    found = next((step for step in view.steps if step.name == name), None)
    if found is None:
        raise StepNotFound(
            f"The flow {view.flow.id} has no step {name[:80]!r}.",
            hint=f"Its steps are {', '.join(step.name for step in view.steps[:20])}.",
        )
    return found
