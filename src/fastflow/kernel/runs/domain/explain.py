"""Why a run is where it is: for every state exactly one current reason, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fastflow.kernel.runs.domain.queue import Candidate, Load, blocked_by
from fastflow.kernel.runs.domain.run import Run, Runner
from fastflow.kernel.runs.domain.states import RunStatus


@dataclass(frozen=True, kw_only=True)
class QueueView:
    """What decides about a waiting run, read in one transaction.

    Attributes:
        position: 1 is the head of the queue.
        load: what holds slots.
        holders: ids of the running runs of its pipeline and key, or, without a key, of its pipeline; oldest first.
        max_concurrent: MAX_CONCURRENT_RUNS.
        runners: every runner that ever reported.
    """

    position: int
    load: Load
    holders: Sequence[str]
    max_concurrent: int
    runners: Sequence[Runner]


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The one current reason.

    Attributes:
        code: stable word: key_limit, pipeline_limit, slots_in_use, runner_away, starting, setup, running, cancelling,
            ended.
        text: the same as a sentence.
        position: place in the queue; None when it is not in it.
        held_by: the runs it waits for.
    """

    code: str
    text: str
    position: int | None = None
    held_by: Sequence[str] = ()


def explain(run: Run, view: QueueView | None, now: datetime) -> Explanation:
    """The reason why `run` is where it is.

    Args:
        run: in any state.
        view: needed for a PENDING run alone.
        now: aware.
    """
    if run.has_ended:
        return Explanation(code="ended", text=_ended(run))
    if run.cancel_requested_at is not None:
        return Explanation(code="cancelling", text=f"is being stopped: {run.cancel_reason or 'cancelled'}")
    if run.status is RunStatus.RUNNING:
        if run.started_at is None:
            since = f" since {_seconds(run.claimed_at, now)}" if run.claimed_at else ""
            return Explanation(code="setup", text=f"setting up environment{since}")
        return Explanation(code="running", text=f"running since {_seconds(run.started_at, now)}")
    assert view is not None
    return _waiting(run, view, now)


def _waiting(run: Run, view: QueueView, now: datetime) -> Explanation:
    if not any(runner.is_alive(now) for runner in view.runners):
        return Explanation(code="runner_away", text=_runner_away(view.runners), position=view.position)
    blocker = blocked_by(as_candidate(run), view.load, view.max_concurrent)
    place = f"position {view.position} in the queue"
    if blocker == "key":
        count = view.load.by_key[run.pipeline_name, run.concurrency_key or ""]
        text = f"waiting: key={run.concurrency_key} {count}/{run.key_limit} {_held(view)}, {place}"
        return Explanation(code="key_limit", text=text, position=view.position, held_by=view.holders)
    if blocker == "pipeline":
        count = view.load.by_pipeline[run.pipeline_name]
        text = f"waiting: pipeline {run.pipeline_name} {count}/{run.pipeline_limit} {_held(view)}, {place}"
        return Explanation(code="pipeline_limit", text=text, position=view.position, held_by=view.holders)
    if blocker == "global":
        text = f"queue position {view.position}, {view.load.total}/{view.max_concurrent} slots in use"
        return Explanation(code="slots_in_use", text=text, position=view.position)
    text = f"queue position {view.position}, {view.load.total}/{view.max_concurrent} slots in use: about to start"
    return Explanation(code="starting", text=text, position=view.position)


def as_candidate(run: Run) -> Candidate:
    """The run as far as limits are concerned."""
    return Candidate(
        id=run.id,
        pipeline_name=run.pipeline_name,
        concurrency_key=run.concurrency_key,
        pipeline_limit=run.pipeline_limit,
        key_limit=run.key_limit,
        is_running=run.status is RunStatus.RUNNING,
    )


def _held(view: QueueView) -> str:
    if not view.holders:
        return "held"
    others = f" and {len(view.holders) - 1} more" if len(view.holders) > 1 else ""
    return f"held by run {view.holders[0]}{others}"


def _runner_away(runners: Sequence[Runner]) -> str:
    if not runners:
        return "runner is not running (none has ever reported): start `fastflow serve`"
    last = max(runners, key=lambda runner: runner.stopped_at or runner.seen_at)
    if last.stopped_at:
        return f"runner is not running (stopped {last.stopped_at:%Y-%m-%d %H:%M:%S} UTC): start `fastflow serve`"
    return f"runner is not running (last seen {last.seen_at:%Y-%m-%d %H:%M:%S} UTC on {last.hostname})"


def _ended(run: Run) -> str:
    if run.status is RunStatus.SUCCESS:
        return "ended: success"
    return f"ended: {run.reason}: {run.reason_text}" if run.reason_text else f"ended: {run.reason}"


def _seconds(since: datetime | None, now: datetime) -> str:
    return f"{max(0.0, (now - since).total_seconds()):.1f} s" if since else "now"
