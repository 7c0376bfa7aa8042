"""A run's spans, made of the instants in its row."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.domain.tracing import RunTrace, TraceContext

Value = str | int | float | bool


@dataclass(frozen=True, kw_only=True)
class Span:
    """What happened between two instants.

    Attributes:
        context: its ids.
        parent: the span it hangs below.
        is_parent_remote: it is a caller's.
        problem: why it failed; None: it did not.
        links: spans that it follows from: the attempt before, the run it repeats, the steps before it.
    """

    name: str
    context: TraceContext
    parent: TraceContext | None
    since: datetime
    until: datetime
    attributes: Mapping[str, Value]
    is_parent_remote: bool = False
    problem: str | None = None
    links: Sequence[TraceContext] = ()


@dataclass(frozen=True, kw_only=True)
class EndedRun:
    """A run that is over, and the runs it follows from with their capsules."""

    run: Run
    earlier: Sequence[tuple[str, Mapping[str, object]]] = ()


def spans_of(ended: EndedRun, share: float) -> Sequence[Span]:
    """The run as a whole, and below it its time in the queue, its setting up and its execution, as far as it came.

    Args:
        ended: the run.
        share: see `RunTrace.of`; nothing of a run that is not sampled.
    """
    run = ended.run
    trace = RunTrace.of(run.id, run.capsule, share)
    if not trace.is_sampled or run.finished_at is None:
        return ()
    problem = None if run.status is RunStatus.SUCCESS else str(run.reason)
    links = [RunTrace.of(run_id, capsule, share).context("run") for run_id, capsule in ended.earlier]
    whole = Span(
        name=f"run {run.pipeline_name}",
        context=trace.context("run"),
        parent=trace.parent,
        is_parent_remote=True,
        since=run.queued_at,
        until=max(run.queued_at, run.finished_at),
        attributes=_attributes(run),
        problem=problem,
        links=links,
    )
    return [whole, *_parts(run, whole, trace)]


def _parts(run: Run, whole: Span, trace: RunTrace) -> Iterator[Span]:
    begun = [("queued", run.queued_at), ("setup", run.claimed_at), ("running", run.started_at)]
    reached = [(name, at) for name, at in begun if at is not None]
    for (name, since), (_, until) in pairwise([*reached, ("", whole.until)]):
        yield Span(
            name=name,
            context=trace.context(name),
            parent=whole.context,
            since=since,
            until=max(since, until),
            attributes={"fastflow.run.id": run.id},
            problem=whole.problem if name == reached[-1][0] else None,
        )


def _attributes(run: Run) -> Mapping[str, Value]:
    flow = run.capsule.get("flow") or {}
    told: Mapping[str, Value | None] = {
        "fastflow.run.id": run.id,
        "fastflow.pipeline": run.pipeline_name,
        "fastflow.run.status": run.status.value,
        "fastflow.run.reason": run.reason,
        "fastflow.run.exit_code": run.exit_code,
        "fastflow.run.attempt": run.attempt,
        "fastflow.run.trigger": run.trigger,
        "fastflow.run.executor": run.executor,
        "fastflow.run.retry_of": run.retry_of,
        "fastflow.run.rerun_of": run.rerun_of,
        "fastflow.run.host": run.host,
        "fastflow.flow.id": flow.get("id"),
        "fastflow.flow.step": flow.get("step"),
        "fastflow.schedule.id": run.schedule_id,
        "fastflow.environment": run.environment,
        "vcs.ref.head.revision": run.commit,
    }
    return {name: value for name, value in told.items() if value is not None}
