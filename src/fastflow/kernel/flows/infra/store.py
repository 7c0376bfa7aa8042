"""Flows as people and the keeper see and change them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, insert, or_, select, update
from sqlalchemy import text as sql
from sqlalchemy.exc import IntegrityError

from fastflow.kernel.audit import record
from fastflow.kernel.db.engine import Database
from fastflow.kernel.flows.domain.approving import Question
from fastflow.kernel.flows.domain.errors import FlowNotFound, FlowRuns, NoApproval, NothingFailed, StepNotFound
from fastflow.kernel.flows.domain.flow import Counts, Element, ElementState, Flow, FlowStatus, Step, StepState
from fastflow.kernel.flows.domain.rerunning import Again, steps_again
from fastflow.kernel.flows.infra.at_end import find_overlooked, take_overlooked
from fastflow.kernel.flows.infra.earlier import find_earlier, find_makers
from fastflow.kernel.flows.infra.elements import Admit, insert_elements
from fastflow.kernel.flows.infra.engine import FlowEngine, load_steps, save_step
from fastflow.kernel.flows.infra.handed import load_handed_bytes
from fastflow.kernel.flows.infra.removed import end_steps, find_flows_with
from fastflow.kernel.flows.infra.rows import (
    ELEMENT,
    ELEMENT_COLUMNS,
    FLOW,
    FLOW_COLUMNS,
    STEP,
    STEP_COLUMNS,
    element_of,
    flow_of,
    step_of,
    values_of_flow,
    values_of_step,
)
from fastflow.kernel.flows.infra.tables import OPEN
from fastflow.kernel.flows.infra.waiting import is_seen, load_questions, tell_alarm
from fastflow.kernel.flows.ports import Earlier, FlowFilter, FlowView, Looked, Membership, NewFlow, NewStep
from fastflow.kernel.runs.domain.prepared import PreparedRun
from fastflow.kernel.runs.domain.run import Run
from fastflow.kit.identity import Actor

_BY_ID = select(*FLOW_COLUMNS).where(FLOW.c.id == bindparam("flow_id"))
_BY_KEY = select(*FLOW_COLUMNS).where(FLOW.c.idempotency_key == bindparam("key"))
_DUE = (
    select(FLOW.c.id)
    .where(FLOW.c.due_at.is_not(None), FLOW.c.due_at <= bindparam("now"))
    .order_by(FLOW.c.due_at)
    .limit(bindparam("count"))
)
_NEXT_DUE = select(func.min(FLOW.c.due_at)).where(FLOW.c.due_at.is_not(None))
_OPEN_STEP = sql(OPEN)
_CHUNK = 500
_CANCEL = {"backfill": "Wait for its end, or cancel it first with `fastflow backfill cancel`."}
_AGAIN = {"backfill": "A backfill with `again` runs what was done once more."}


class SqlFlowStore:
    """See `ports.FlowStore`.

    Args:
        database: migrated.
        engine: moves flows on.
        admit: puts runs of pipelines with limits that refuse or replace into the queue.
    """

    def __init__(self, database: Database, engine: FlowEngine, admit: Admit) -> None:
        self._database = database
        self._engine = engine
        self._admit = admit

    # -- new flows ------------------------------------------------------------------------------------------------------

    def add(self, new: NewFlow, *, actor: Actor, now: datetime) -> tuple[Flow, bool]:
        """See `FlowStore.add`."""
        key = new.flow.idempotency_key
        try:
            with self._database.write() as connection:
                self._database.lock(connection, "claim")  # before the flow's row, as whoever admits runs takes them
                found = None if key is None else connection.execute(_BY_KEY, {"key": key}).first()
                if found is not None:
                    return flow_of(found), False
                self._insert(connection, new, actor)
                insert_elements(connection, new.elements)
                self._engine.advance(connection, new.flow.id, now, is_inline=False, admit=self._admit)
        except IntegrityError:
            with self._database.read() as connection:
                found = None if key is None else connection.execute(_BY_KEY, {"key": key}).first()
            if found is None:
                raise
            return flow_of(found), False
        return new.flow, True

    def add_beside(self, connection: Any, new: NewFlow, run: Run, *, actor: Actor) -> None:
        """See `FlowStore.add_beside`."""
        self._insert(connection, new, actor)
        under_way = {"run_id": run.id, "state": ElementState.RUNNING, "why": "its run is under way"}
        insert_elements(connection, [replace(element, **under_way) for element in new.elements])  # type: ignore[arg-type]

    def _insert(self, connection: Connection, new: NewFlow, actor: Actor) -> None:
        connection.execute(insert(FLOW), values_of_flow(new.flow))
        connection.execute(insert(STEP), [_row_of(step) for step in new.steps])
        detail = {"name": new.flow.name, "kind": new.flow.kind, "steps": len(new.steps), **new.flow.detail}
        action = f"{new.flow.kind}.start"
        record(connection, at=new.flow.created_at, actor=actor, action=action, subject=new.flow.id, detail=detail)

    # -- looking --------------------------------------------------------------------------------------------------------

    def find(self, flow_id: str) -> FlowView | None:
        """See `FlowStore.find`."""
        with self._database.read() as connection:
            row = connection.execute(_BY_ID, {"flow_id": flow_id}).first()
            return None if row is None else _views(connection, [flow_of(row)])[0]

    def load_page(self, wanted: FlowFilter, *, before_id: str | None, limit: int) -> Sequence[FlowView]:
        """See `FlowStore.load_page`."""
        query = select(*FLOW_COLUMNS).where(FLOW.c.kind == wanted.kind).order_by(FLOW.c.id.desc()).limit(limit)
        if wanted.status is not None:
            query = query.where(FLOW.c.status == wanted.status.value)
        if before_id is not None:
            query = query.where(FLOW.c.id < before_id)
        of_flow = STEP.c.flow_id == FLOW.c.id
        if wanted.pipeline_name is not None:
            query = query.where(select(STEP.c.name).where(of_flow, STEP.c.name == wanted.pipeline_name).exists())
        if wanted.run_id is not None:
            query = query.where(FLOW.c.id.in_(select(ELEMENT.c.flow_id).where(ELEMENT.c.run_id == wanted.run_id)))
        if wanted.pipelines is not None:
            query = query.where(is_seen(wanted.pipelines))
        with self._database.read() as connection:
            return _views(connection, [flow_of(row) for row in connection.execute(query)])

    def find_memberships(self, run_ids: Sequence[str], pipelines: Sequence[str] | None) -> Mapping[str, Membership]:
        """See `FlowStore.find_memberships`."""
        query = (
            select(ELEMENT.c.run_id, FLOW.c.id, FLOW.c.kind, FLOW.c.name, ELEMENT.c.step, ELEMENT.c.key)
            .join_from(ELEMENT, FLOW, FLOW.c.id == ELEMENT.c.flow_id)
            .where(ELEMENT.c.run_id.in_(list(run_ids[:_CHUNK])))
            .order_by(FLOW.c.id.desc())
        )
        if pipelines is not None:
            query = query.where(is_seen(pipelines))
        with self._database.read() as connection:
            return {
                run_id: Membership(flow_id=flow_id, kind=kind, name=name, step=step, key=key)
                for run_id, flow_id, kind, name, step, key in connection.execute(query)
            }

    def load_elements(
        self, flow_id: str, step: str, state: ElementState | None, *, after: tuple[int, int], limit: int
    ) -> Sequence[Element]:
        """See `FlowStore.load_elements`."""
        place, attempt = after
        beyond = or_(ELEMENT.c.element > place, and_(ELEMENT.c.element == place, ELEMENT.c.attempt > attempt))
        query = (
            select(*ELEMENT_COLUMNS)
            .where(ELEMENT.c.flow_id == flow_id, ELEMENT.c.step == step, beyond)
            .order_by(ELEMENT.c.element, ELEMENT.c.attempt)
            .limit(limit)
        )
        if state is not None:
            query = query.where(ELEMENT.c.state == state.value, ELEMENT.c.is_current)
        with self._database.read() as connection:
            return [element_of(row) for row in connection.execute(query)]

    def load_questions(
        self, pipelines: Sequence[str] | None, *, after: tuple[str, str] | None, limit: int
    ) -> Sequence[Question]:
        """See `FlowStore.load_questions`."""
        with self._database.read() as connection:
            return load_questions(connection, pipelines, after=after, limit=limit)

    def load_running(self, flow_id: str, *, limit: int) -> Sequence[str]:
        """See `FlowStore.load_running`."""
        running = ELEMENT.c.state == ElementState.RUNNING.value
        query = select(ELEMENT.c.run_id).where(ELEMENT.c.flow_id == flow_id, running).limit(limit)
        with self._database.read() as connection:
            return [str(run_id) for run_id in connection.execute(query).scalars()]

    def find_earlier(self, pipeline_name: str, keys: Collection[str]) -> Mapping[str, Earlier]:
        """See `FlowStore.find_earlier`."""
        with self._database.read() as connection:
            return find_earlier(connection, pipeline_name, keys)

    def find_makers(self, run_ids: Sequence[str]) -> Sequence[str]:
        """See `FlowStore.find_makers`."""
        with self._database.read() as connection:
            return find_makers(connection, run_ids[:_CHUNK])

    def load_handed_bytes(self, runs: Sequence[Run]) -> Mapping[str, int]:
        """See `load_handed_bytes`."""
        with self._database.read() as connection:
            return load_handed_bytes(connection, runs)

    def find_needed_code(self, tree_hashes: Sequence[str]) -> Collection[str]:
        """See `FlowStore.find_needed_code`."""
        found: set[str] = set()
        with self._database.read() as connection:
            for start in range(0, len(tree_hashes), _CHUNK):
                chunk = list(tree_hashes[start : start + _CHUNK])
                query = select(STEP.c.tree_hash).where(_OPEN_STEP, STEP.c.tree_hash.in_(chunk)).distinct()
                found.update(each for each in connection.execute(query).scalars() if each)
        return found

    # -- changing -------------------------------------------------------------------------------------------------------

    def cancel(self, flow_id: str, *, actor: Actor, reason: str | None, now: datetime) -> bool:
        """See `FlowStore.cancel`."""
        with self._database.write() as connection:
            flow = self._engine.lock(connection, flow_id)
            if flow is None or flow.status is not FlowStatus.RUNNING or flow.cancel_requested_at is not None:
                return False
            asked = {
                "cancel_requested_at": now,
                "cancel_requested_by": actor.name[:200],
                "cancel_reason": reason,
            }
            connection.execute(update(FLOW).where(FLOW.c.id == flow_id).values(**asked))
            detail = {"reason": reason} if reason else {}
            record(connection, at=now, actor=actor, action=f"{flow.kind}.cancel", subject=flow_id, detail=detail)
            self._engine.advance(connection, flow_id, now, is_inline=False)
            still = and_(FLOW.c.id == flow_id, FLOW.c.status == FlowStatus.RUNNING.value)
            connection.execute(update(FLOW).where(still).values(due_at=now))  # the keeper stops what runs
            return True

    def decide(self, flow_id: str, step: str, decision: str, *, note: str | None, actor: Actor, now: datetime) -> Step:
        """See `FlowStore.decide`."""
        problem: NoApproval | None = None
        with self._database.write() as connection:
            self._database.lock(connection, "claim")
            if self._engine.lock(connection, flow_id) is None:
                raise FlowNotFound(flow_id)
            before = load_steps(connection, flow_id).get(step)
            if before is None:
                raise StepNotFound(f"The flow {flow_id} has no step {step!r}.")
            problem = _approval_problem(before, now)
            if problem is None:
                decided = replace(before, decision=decision, decided_at=now, decided_by=actor.name[:200], note=note)
                save_step(connection, before, decided)
                detail = {"step": step, "note": note} if note else {"step": step}
                record(connection, at=now, actor=actor, action=f"flow.{decision}", subject=flow_id, detail=detail)
            self._engine.advance(connection, flow_id, now, is_inline=False, admit=self._admit)  # its time may be over
        if problem is not None:
            raise problem
        return before

    def rerun(self, flow_id: str, templates: Mapping[str, NewStep], *, actor: Actor, now: datetime) -> None:
        """See `FlowStore.rerun`."""
        with self._database.write() as connection:
            self._database.lock(connection, "claim")
            flow = self._engine.lock(connection, flow_id)
            if flow is None:
                raise FlowNotFound(flow_id)
            if flow.status is FlowStatus.RUNNING:
                raise FlowRuns(f"The {flow.kind} {flow_id} is not over.", hint=_CANCEL.get(flow.kind))
            steps = load_steps(connection, flow_id).values()
            again = steps_again(steps, was_cancelled=flow.cancel_requested_at is not None)
            if flow.status is FlowStatus.SUCCESS or not again:
                raise NothingFailed(f"Nothing of {flow.kind} {flow_id} has failed.", hint=_AGAIN.get(flow.kind))
            attempt = flow.attempt + 1
            trace = _trace_of(connection, flow_id) if templates else None
            for each in again:
                step = each.step
                _reset(connection, each, attempt)
                if step.name in templates:
                    new = _row_of(_traced(templates[step.name], trace))
                    renewed = {name: new[name] for name in ("template", "problem", "tree_hash")}
                    connection.execute(
                        update(STEP).where(STEP.c.flow_id == flow_id, STEP.c.name == step.name).values(**renewed)
                    )
            fresh = {"status": FlowStatus.RUNNING.value, "attempt": attempt, "due_at": None}
            emptied = dict.fromkeys(
                ("reason_text", "finished_at", "cancel_requested_at", "cancel_requested_by", "cancel_reason")
            )
            connection.execute(update(FLOW).where(FLOW.c.id == flow_id).values(**fresh, **emptied))
            detail = {"attempt": attempt, "steps": [each.step.name for each in again][:100]}
            record(connection, at=now, actor=actor, action=f"{flow.kind}.rerun", subject=flow_id, detail=detail)
            self._engine.advance(connection, flow_id, now, is_inline=False, admit=self._admit)

    def find_with(self, pipelines: Sequence[str], *, limit: int) -> Sequence[str]:
        """See `FlowStore.find_with`."""
        with self._database.read() as connection:
            return find_flows_with(connection, pipelines, limit=limit)

    def end_steps(self, pipelines: Sequence[str], *, why: str, actor: Actor, now: datetime) -> Sequence[Step]:
        """See `FlowStore.end_steps`."""
        with self._database.read() as connection:
            flow_ids = find_flows_with(connection, pipelines)
        ended: list[Step] = []
        for flow_id in flow_ids:
            with self._database.write() as connection:
                self._database.lock(connection, "claim")
                flow = self._engine.lock(connection, flow_id)
                if flow is None or flow.status is not FlowStatus.RUNNING:
                    continue
                tell = partial(tell_alarm, self._engine.alarm, connection, flow)
                ended += end_steps(connection, flow_id, pipelines, why=why, actor=actor, now=now, tell=tell)
                self._engine.advance(connection, flow_id, now, is_inline=False, admit=self._admit)
        return ended

    # -- the keeper -----------------------------------------------------------------------------------------------------

    def find_due(self, now: datetime, *, limit: int) -> Sequence[str]:
        """See `FlowStore.find_due`."""
        with self._database.read() as connection:
            return connection.execute(_DUE, {"now": now, "count": limit}).scalars().all()

    def next_due(self) -> datetime | None:
        """See `FlowStore.next_due`."""
        with self._database.read() as connection:
            return connection.execute(_NEXT_DUE).scalar()

    def look(self, flow_id: str, now: datetime) -> Looked:
        """See `FlowStore.look`."""
        with self._database.write() as connection:
            self._database.lock(connection, "claim")
            flow = self._engine.lock(connection, flow_id)
            done = self._engine.advance(connection, flow_id, now, is_inline=False, admit=self._admit)
            return Looked(flow=flow, queued=done.queued, has_more=done.has_more)

    def reconcile(self, now: datetime, *, limit: int) -> int:
        """See `FlowStore.reconcile`."""
        with self._database.read() as connection:
            flow_ids = find_overlooked(connection, limit)
        for flow_id in flow_ids:
            with self._database.write() as connection:
                self._database.lock(connection, "claim")
                self._engine.lock(connection, flow_id)
                take_overlooked(connection, flow_id)
                self._engine.advance(connection, flow_id, now, is_inline=False, admit=self._admit)
        return len(flow_ids)


def _trace_of(connection: Connection, flow_id: str) -> str | None:
    """The caller's trace that all runs of the flow belong to."""
    kept = select(STEP.c.template).where(STEP.c.flow_id == flow_id, STEP.c.tree_hash.is_not(None)).limit(1)
    template = connection.execute(kept).scalar()
    return None if template is None else PreparedRun.from_json(template).capsule.get("trace")


def _traced(new: NewStep, trace: str | None) -> NewStep:
    return new if new.template is None else replace(new, template=new.template.traced(trace))


def _row_of(new: NewStep) -> dict[str, Any]:
    template = new.template
    return {
        **values_of_step(new.step),
        "template": None if template is None else template.to_json(),
        "problem": new.problem,
        "tree_hash": None if template is None else template.capsule.get("tree_hash"),
    }


def _approval_problem(step: Step, now: datetime) -> NoApproval | None:
    if step.decision is not None:
        by = "its timeout" if step.decided_by == "timeout" else step.decided_by
        word = "approved" if step.decision == "approve" else "denied"
        return NoApproval(
            f"The step {step.name} was {word} already by {by} at {step.decided_at:%Y-%m-%d %H:%M:%S} UTC."
        )
    if step.state is not StepState.APPROVAL:
        return NoApproval(f"The step {step.name} does not wait for an approval: {step.why}.")
    if step.expires_at is not None and now >= step.expires_at:
        return NoApproval(f"The time to decide about {step.name} was over at {step.expires_at:%Y-%m-%d %H:%M:%S} UTC.")
    return None


def _reset(connection: Connection, again: Again, attempt: int) -> None:
    """Let the step wait again, with new rows for the elements that run again; what follows from something new gets its list
    anew."""
    step = again.step
    current = and_(ELEMENT.c.flow_id == step.flow_id, ELEMENT.c.step == step.name, ELEMENT.c.is_current)
    replaced = current if again.is_whole else and_(current, ELEMENT.c.state != ElementState.SUCCESS.value)
    rows = connection.execute(select(*ELEMENT_COLUMNS).where(replaced).order_by(ELEMENT.c.element))
    old = [element_of(row) for row in rows]
    connection.execute(update(ELEMENT).where(replaced).values(is_current=False))
    keeps_list = step.is_root or (step.is_fan_out and not again.is_whole)
    if keeps_list:
        fresh = {"attempt": attempt, "run_id": None, "state": ElementState.WAITING, "why": "it waits for its turn"}
        insert_elements(connection, [replace(element, **fresh) for element in old])  # type: ignore[arg-type]
    after = replace(
        step,
        state=StepState.WAITING,
        why="it waits for its turn again",
        attempt=attempt,
        total=step.total if keeps_list and old else None,
        started_at=None,
        finished_at=None,
        asked_at=None,
        expires_at=None,
        decision=None,
        decided_at=None,
        decided_by=None,
        note=None,
    )
    save_step(connection, step, after)


def _views(connection: Connection, flows: Sequence[Flow]) -> Sequence[FlowView]:
    ids = [flow.id for flow in flows]
    steps: dict[str, list[Step]] = {flow_id: [] for flow_id in ids}
    counts: dict[str, dict[str, Counts]] = {flow_id: {} for flow_id in ids}
    run_ids: dict[str, dict[str, str]] = {flow_id: {} for flow_id in ids}
    if ids:
        query = select(*STEP_COLUMNS).where(STEP.c.flow_id.in_(ids)).order_by(STEP.c.flow_id, STEP.c.position)
        for step in map(step_of, connection.execute(query)):
            steps[step.flow_id].append(step)
        grouped = (
            select(ELEMENT.c.flow_id, ELEMENT.c.step, ELEMENT.c.state, func.count(), func.min(ELEMENT.c.run_id))
            .where(ELEMENT.c.flow_id.in_(ids), ELEMENT.c.is_current)
            .group_by(ELEMENT.c.flow_id, ELEMENT.c.step, ELEMENT.c.state)
        )
        for flow_id, name, state, number, run_id in connection.execute(grouped):
            before = counts[flow_id].get(name, Counts())
            counts[flow_id][name] = replace(before, **{state.lower(): number})
            if run_id is not None and number == 1:
                run_ids[flow_id][name] = run_id
    return [
        FlowView(flow=flow, steps=steps[flow.id], counts=counts[flow.id], run_ids=run_ids[flow.id]) for flow in flows
    ]
