"""Moves flows on, inside whatever transaction brings news: the end of a run, an approval, a start, the keeper's look.

The flow's row is locked first, so that of two ends at once each sees what the other has written. Everything that follows is
decided from rows and written in the same transaction: a crash before its commit leaves nothing, and a crash after it leaves
nothing to do. What would make an ending transaction slow is left to the keeper by a due time in the flow's row.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from fastflow.kernel.flows.domain.after import DEFAULT_LIMIT, MAX_ELEMENTS, After, allowed_failures
from fastflow.kernel.flows.domain.deciding import Told, decide, judge_elements, judge_flow, make_resolver
from fastflow.kernel.flows.domain.expressions import MISSING
from fastflow.kernel.flows.domain.flow import Counts, Element, ElementState, Flow, FlowStatus, Step, StepState
from fastflow.kernel.flows.domain.references import ReferenceProblem, fill
from fastflow.kernel.flows.infra import elements as elements_of
from fastflow.kernel.flows.infra.elements import MAX_KEY, Admit, Later
from fastflow.kernel.flows.infra.rows import FLOW, FLOW_COLUMNS, STEP, STEP_COLUMNS, flow_of, step_of
from fastflow.kernel.flows.infra.telling import tell
from fastflow.kernel.flows.infra.waiting import tell_alarm
from fastflow.kernel.flows.ports import ApprovalAlarm
from fastflow.kernel.runs.domain.params import encode_value
from fastflow.kernel.runs.domain.prepared import PreparedRun

INLINE_ELEMENTS = 50
"""A longer list is spread out by the keeper, not in the transaction that ends a run."""
_INLINE_SUBMITS = 20
_KEEPER_SUBMITS = 200
_CANCEL_AGAIN = timedelta(seconds=5)
_LOCK = select(*FLOW_COLUMNS).where(FLOW.c.id == bindparam("flow_id")).with_for_update()
_STEPS = select(*STEP_COLUMNS).where(STEP.c.flow_id == bindparam("flow_id")).order_by(STEP.c.position)
_TEMPLATE = select(STEP.c.template, STEP.c.problem).where(
    STEP.c.flow_id == bindparam("flow_id"), STEP.c.name == bindparam("step_name")
)
_SAVE_FLOW = update(FLOW).where(FLOW.c.id == bindparam("of_flow"))
_OF_STEP = (STEP.c.flow_id == bindparam("of_flow"), STEP.c.name == bindparam("of_step"))


@dataclass(kw_only=True)
class Advance:
    """What moving a flow on did.

    Attributes:
        queued: runs were put into the queue.
        has_more: the keeper has to go on at once.
    """

    queued: bool = False
    has_more: bool = False


class FlowEngine:
    """Moves flows on. Safe in threads.

    Args:
        alarm: told of approvals; None: nobody is.
    """

    def __init__(self, alarm: ApprovalAlarm | None = None) -> None:
        self.alarm = alarm
        self._local = threading.local()
        self._left_work = threading.Event()

    def has_left_work(self) -> bool:
        """Whether, since the last call, a transaction of this process left work to the keeper."""
        found = self._left_work.is_set()
        self._left_work.clear()
        return found

    def advance(
        self,
        connection: Connection,
        flow_id: str,
        now: datetime,
        *,
        is_inline: bool,
        admit: Admit | None = None,
        locked: Flow | None = None,
    ) -> Advance:
        """Bring the flow to where its rows let it be.

        Args:
            connection: in a write transaction.
            flow_id: which.
            now: aware.
            is_inline: True: in somebody else's transaction, which must stay short.
            admit: see `elements.submit`.
            locked: the flow, if the transaction has locked it and not changed it since.
        """
        done = Advance()
        with self._alone(flow_id) as is_alone:
            flow = locked or self.lock(connection, flow_id)
            if not is_alone or flow is None or flow.status is not FlowStatus.RUNNING:
                return done  # not alone: we were called from within, and the call outside looks once more
            while True:
                self._news.discard(flow_id)
                _Moving(connection, flow, now, is_inline=is_inline, admit=admit, done=done, alarm=self.alarm).move()
                if flow_id not in self._news:
                    if done.has_more:
                        self._left_work.set()
                    return done

    @staticmethod
    def lock(connection: Connection, flow_id: str) -> Flow | None:
        """The flow, for this transaction alone; None when there is none."""
        row = connection.execute(_LOCK, {"flow_id": flow_id}).first()
        return None if row is None else flow_of(row)

    @property
    def _news(self) -> set[str]:
        found: set[str] = self._local.__dict__.setdefault("news", set())
        return found

    @contextmanager
    def _alone(self, flow_id: str) -> Iterator[bool]:
        busy: set[str] = self._local.__dict__.setdefault("busy", set())
        if flow_id in busy:
            self._news.add(flow_id)
            yield False
            return
        busy.add(flow_id)
        try:
            yield True
        finally:
            busy.discard(flow_id)
            self._news.discard(flow_id)


def load_steps(connection: Connection, flow_id: str) -> Mapping[str, Step]:
    """The flow's steps by name, upstreams first."""
    return {step.name: step for step in map(step_of, connection.execute(_STEPS, {"flow_id": flow_id}))}


def save_step(connection: Connection, before: Step, after: Step) -> None:
    """Keep what has changed of a step; where it stands never does."""
    changes = {name: value for name, value in vars(after).items() if value != getattr(before, name)}
    if changes:
        keys = {"of_flow": before.flow_id, "of_step": before.name}
        if "state" in changes:
            changes["state"] = after.state.value  # drivers know plain text
        connection.execute(update(STEP).where(*_OF_STEP).values(**changes), keys)


class _Moving:
    """One look at a flow whose row is locked."""

    def __init__(
        self,
        connection: Connection,
        flow: Flow,
        now: datetime,
        *,
        is_inline: bool,
        admit: Admit | None,
        done: Advance,
        alarm: ApprovalAlarm | None,
    ) -> None:
        self.alarm = alarm
        self.connection = connection
        self.flow = flow
        self.now = now
        self.is_inline = is_inline
        self.admit = admit
        self.done = done
        self.steps = dict(load_steps(connection, flow.id))
        self.moved: set[str] = set()
        self.is_later = False

    def move(self) -> None:
        for step in list(self.steps.values()):
            if step.state is StepState.WAITING:
                if self._has_news(step):
                    self._waiting(step)
            elif step.state is StepState.APPROVAL:
                self._approval(step)
            elif step.state is StepState.RUNNING:
                self._pump(step)
        self._conclude()

    def _has_news(self, step: Step) -> bool:
        """Whether anything a waiting step waits for may have changed: at the end of a run, only what that end moved."""
        if not self.is_inline or step.is_root or self.flow.cancel_requested_at is not None:
            return True
        return not self.moved.isdisjoint(step.upstreams)

    # -- the steps ------------------------------------------------------------------------------------------------------

    def _waiting(self, step: Step) -> None:
        if self.flow.cancel_requested_at is not None:
            self._end(step, StepState.SKIPPED, self._cancelled())
        elif step.is_root or step.after is None:
            self._begin(step)
        else:
            verdict = decide(step, self.steps, self._resolver(step.after))
            if verdict.move == "skip":
                self._end(step, StepState.SKIPPED, verdict.why)
            elif verdict.move == "wait":
                self._save(step, replace(step, why=verdict.why))
            elif step.after.approval is not None and step.decision is None:
                self._ask(step, verdict.why)
            else:
                self._begin(step)

    def _ask(self, step: Step, why: str) -> None:
        assert step.after is not None
        assert step.after.approval is not None
        rule = step.after.approval
        until = self.now + timedelta(seconds=rule.timeout)
        asked = f": {rule.note}" if rule.note else ""
        told = f"{why}; it waits until {_utc(until)} for somebody to approve it{asked}"
        self._save(step, replace(step, state=StepState.APPROVAL, why=told, asked_at=self.now, expires_at=until))

    def _approval(self, step: Step) -> None:
        assert step.after is not None
        assert step.after.approval is not None
        if self.flow.cancel_requested_at is not None:
            self._end(step, StepState.SKIPPED, self._cancelled())
            return
        if step.decision is None:
            if step.expires_at is None or self.now < step.expires_at:
                return
            word = step.after.approval.on_timeout
            decided = replace(step, decision=word, decided_at=self.now, decided_by="timeout")
            self._save(step, decided)
            step = decided
        if step.decision == "approve":
            self._begin(step)
        else:
            self._end(step, StepState.FAILED, _denied(step))

    def _begin(self, step: Step) -> None:
        """Make the step's elements and submit as many as may be under way."""
        template, problem = self._template(step)
        if template is None:
            self._end(step, StepState.FAILED, f"its run could not be made: {problem}")
            return
        is_known = step.total is not None  # roots bring their elements with them; a re-run keeps what succeeded
        if not is_known:
            try:
                items = self._items(step)
            except ReferenceProblem as error:
                self._end(step, StepState.FAILED, str(error))
                return
            if not items:
                why = f"the list {step.after.foreach if step.after else ''} is empty: there was nothing to run"
                self._end(replace(step, total=0), StepState.SUCCESS, why, before=step)
                return
            if self.is_inline and len(items) > INLINE_ELEMENTS:
                self._later()
                return
            if len(items) == 1 and not step.is_fan_out:
                self._begin_single(step, template)
                return
            elements_of.insert_elements(self.connection, self._elements(step, items))
            step = self._sized(step, len(items))
        begun = replace(step, state=StepState.RUNNING, why="its runs are being submitted", started_at=self.now)
        self._save(self.steps[step.name], begun)
        self._pump(begun, template)

    def _begin_single(self, step: Step, template: PreparedRun) -> None:
        """A plain step, in as few statements as can be."""
        try:
            (element,) = self._elements(step, [None])
            element = self._submit(step, element, template)
        except Later:
            self._later()
            return
        elements_of.insert_elements(self.connection, [element])
        begun = replace(step, total=1, state=StepState.RUNNING, why=element.why, started_at=self.now)
        if element.state is ElementState.RUNNING:
            self._save(self.steps[step.name], replace(begun, why=f"run {element.run_id} is under way"))
        else:
            self._end(begun, StepState(element.state.value), element.why, before=step)

    def _pump(self, step: Step, template: PreparedRun | None = None) -> None:
        """Submit what may be, and end the step when all its elements have ended."""
        if self.flow.cancel_requested_at is not None:
            elements_of.skip_waiting(self.connection, step, self._cancelled())
        budget = _INLINE_SUBMITS if self.is_inline else _KEEPER_SUBMITS
        while True:
            counts, single_why = self._count(step)
            is_cancelled = self.flow.cancel_requested_at is not None
            end = judge_elements(counts, step.allowed_failures, single_why=single_why, is_cancelled=is_cancelled)
            if end.state is not None:
                if counts.waiting:
                    elements_of.skip_waiting(self.connection, step, "more elements had failed than may")
                self._end(step, end.state, end.why + self._first_failure(step, end.state))
                return
            room = 0 if end.stops else min(step.run_limit - counts.running, counts.waiting)
            if room <= 0:
                self._save(step, replace(step, why=end.why))
                return
            if budget <= 0:
                self._later()
                return
            template = template or self._template(step)[0]
            assert template is not None, "it was there when the step began"
            for element in elements_of.load_waiting(self.connection, step, min(room, budget)):
                budget -= 1
                try:
                    elements_of.save(self.connection, self._submit(step, element, template))
                except Later:
                    self._later()
                    return

    def _first_failure(self, step: Step, state: StepState) -> str:
        """Of a fan-out that failed: where to begin looking."""
        if state is not StepState.FAILED or not step.is_fan_out:
            return ""
        first = elements_of.load_first_failed(self.connection, step)
        if first is None:
            return ""
        others = f"`fastflow flows elements {self.flow.id} {step.name} --state FAILED` lists them"
        return f"; the first that failed is {first.key or first.element}: {first.why}; {others}"

    def _count(self, step: Step) -> tuple[Counts, str]:
        """The step's elements by state, and, of a plain step, what its one element says."""
        if step.total == 1 and not step.is_fan_out:
            return elements_of.look_at_single(self.connection, step)
        return elements_of.count(self.connection, step), ""

    def _submit(self, step: Step, element: Element, template: PreparedRun) -> Element:
        try:
            params = self._params(step, element)
        except ReferenceProblem as error:
            return replace(element, state=ElementState.FAILED, why=f"its run could not be made: {error}")
        element = elements_of.submit(self.connection, self.flow, element, template, params, self.now, self.admit)
        self.done.queued = self.done.queued or element.state is ElementState.RUNNING
        return element

    def _params(self, step: Step, element: Element) -> Mapping[str, Any]:
        if step.is_root or step.after is None:
            params: Mapping[str, Any] = element.item["params"]
            return params
        item = element.item["item"] if step.is_fan_out else MISSING
        filled = fill(step.after.params, self._resolver(step.after, item))
        if step.is_fan_out and step.after.item not in step.after.params:
            filled[step.after.item] = item
        return dict(filled)

    def _items(self, step: Step) -> Sequence[Any]:
        assert step.after is not None
        if step.after.foreach is None:
            return [None]
        found: Any = step.after.foreach
        if isinstance(found, str):
            found = self._resolver(step.after)(found)
            if found is MISSING:
                raise ReferenceProblem(f"the list {step.after.foreach} was not told")
        if not isinstance(found, list | tuple):
            raise ReferenceProblem(f"{step.after.foreach} is no list but {encode_value(found)[:80]}")
        if len(found) > MAX_ELEMENTS:
            raise ReferenceProblem(
                f"the list {step.after.foreach} has {len(found)} elements; at most {MAX_ELEMENTS} are allowed"
            )
        return found

    def _elements(self, step: Step, items: Sequence[Any]) -> Sequence[Element]:
        return [
            Element(
                flow_id=step.flow_id,
                step=step.name,
                element=place,
                attempt=step.attempt,
                key="" if not step.is_fan_out else encode_value(item)[:MAX_KEY],
                item=None if not step.is_fan_out else {"item": item},
                run_id=None,
                state=ElementState.WAITING,
                why="it waits for its turn",
            )
            for place, item in enumerate(items)
        ]

    @staticmethod
    def _sized(step: Step, total: int) -> Step:
        after: After | None = step.after
        limit = after.limit if after is not None and step.is_fan_out else DEFAULT_LIMIT
        allowed = allowed_failures(after.max_failures, total) if after is not None and step.is_fan_out else 0
        return replace(step, total=total, run_limit=limit, allowed_failures=allowed)

    def _resolver(self, after: After, item: Any = MISSING) -> Any:
        return make_resolver(after, self.flow.params, self._ask_step, item)

    def _ask_step(self, name: str) -> Told:
        return tell(self.connection, self.steps[name])

    def _template(self, step: Step) -> tuple[PreparedRun | None, str]:
        values = {"flow_id": step.flow_id, "step_name": step.name}
        row = self.connection.execute(_TEMPLATE, values).one()
        return (None if row.template is None else PreparedRun.from_json(row.template)), row.problem or "no code is kept"

    # -- the flow -------------------------------------------------------------------------------------------------------

    def _conclude(self) -> None:
        status, reason = judge_flow(list(self.steps.values()))
        changes: dict[str, Any] = {}
        if status is not FlowStatus.RUNNING:
            if self.flow.cancel_requested_at is not None:
                status, reason = FlowStatus.FAILED, self._cancelled()
            changes = {"status": status.value, "reason_text": reason, "finished_at": self.now, "due_at": None}
        else:
            due = self._due()
            if due != self.flow.due_at:
                changes = {"due_at": due}
        if changes:
            self.connection.execute(_SAVE_FLOW.values(**changes), {"of_flow": self.flow.id})
        self.done.has_more = self.is_later

    def _due(self) -> datetime | None:
        if self.is_later:
            return self.now
        if self.flow.cancel_requested_at is not None:
            return self.now + _CANCEL_AGAIN
        asked = [step.expires_at for step in self.steps.values() if step.state is StepState.APPROVAL]
        if self.is_inline:  # not every step was looked at: what was left to the keeper before still is
            asked.append(self.flow.due_at)
        return min((instant for instant in asked if instant is not None), default=None)

    def _later(self) -> None:
        self.is_later = True

    def _cancelled(self) -> str:
        why = f": {self.flow.cancel_reason}" if self.flow.cancel_reason else ""
        return f"the {self.flow.kind} was cancelled by {self.flow.cancel_requested_by}{why}"

    def _end(self, step: Step, state: StepState, why: str, *, before: Step | None = None) -> None:
        after = replace(step, state=state, why=why, finished_at=self.now)
        self._save(before or self.steps[step.name], after)

    def _save(self, before: Step, after: Step) -> None:
        if before.state is not after.state:
            self.moved.add(after.name)
        save_step(self.connection, before, after)
        tell_alarm(self.alarm, self.connection, self.flow, before, after, self.now)
        self.steps[after.name] = after


def _denied(step: Step) -> str:
    note = f": {step.note}" if step.note else ""
    if step.decided_by == "timeout":
        return f"nobody decided until {_utc(step.expires_at)}, and it is denied then"
    return f"denied by {step.decided_by}{note}"


def _utc(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC" if instant is not None else "its end"
