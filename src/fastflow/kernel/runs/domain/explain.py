"""Why a run is where it is: for every state exactly one current reason, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fastflow.kernel.runs.domain.capsule import Capsule
from fastflow.kernel.runs.domain.queue import Candidate, Load, blocked_by
from fastflow.kernel.runs.domain.retrying import policy_of, why_final
from fastflow.kernel.runs.domain.run import Run, Runner
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kit.words import counted


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
        code: stable word: not_before, key_limit, pipeline_limit, slots_in_use, runner_away, disk_low, starting, setup,
            no_room, running, cancelling, ended.
        text: the same as one whole sentence: what the run does, why, and what comes next or is to be done.
        position: place in the queue; None when it is not in it.
        held_by: the runs it waits for.
    """

    code: str
    text: str
    position: int | None = None
    held_by: Sequence[str] = ()


def explain(run: Run, view: QueueView | None, now: datetime, runners: Sequence[Runner] = ()) -> Explanation:
    """The reason why `run` is where it is: one whole sentence that says what it does, why, and what comes next.

    Args:
        run: in any state.
        view: needed for a PENDING run alone.
        now: aware.
        runners: every runner that ever reported; needed for a RUNNING run alone.
    """
    if run.has_ended:
        return Explanation(code="ended", text=_ended(run))
    if run.status is RunStatus.RUNNING and _is_unattended(run, runners, now):
        return Explanation(code="runner_away", text=_unattended(run, runners))
    if run.cancel_requested_at is not None:
        return Explanation(code="cancelling", text=_stopping(run))
    if run.status is RunStatus.RUNNING:
        if run.started_at is None and run.waits_for is not None:
            return Explanation(code="no_room", text=_without_room(run, run.waits_for, now))
        if run.started_at is None:
            return Explanation(code="setup", text=_setting_up(run, now))
        return Explanation(code="running", text=_running(run, now))
    assert view is not None
    return _waiting(run, view, now)


def _waiting(run: Run, view: QueueView, now: datetime) -> Explanation:
    if run.not_before is not None and run.not_before > now:
        return Explanation(code="not_before", text=_too_early(run, run.not_before, now))
    if not any(runner.is_alive(now) for runner in view.runners):
        return Explanation(code="runner_away", text=_runner_away(view.runners), position=view.position)
    if all(runner.held_back for runner in view.runners if runner.is_alive(now)):
        return Explanation(code="disk_low", text=_held_back(view, now), position=view.position)
    blocker = blocked_by(as_candidate(run), view.load, view.max_concurrent)
    waits = f"The run waits at position {view.position} of the queue"
    if blocker == "key":
        limit = _may_run(run.key_limit, f"of pipeline {run.pipeline_name} with the key {run.concurrency_key!r}")
        return Explanation(
            code="key_limit", text=f"{waits}: {limit}, {_held(view)}", position=view.position, held_by=view.holders
        )
    if blocker == "pipeline":
        limit = _may_run(run.pipeline_limit, f"of pipeline {run.pipeline_name}")
        return Explanation(
            code="pipeline_limit", text=f"{waits}: {limit}, {_held(view)}", position=view.position, held_by=view.holders
        )
    if blocker == "global":
        slots = "the one slot" if view.max_concurrent == 1 else f"all {view.max_concurrent} slots"
        text = (
            f"{waits}: {slots} of this installation (MAX_CONCURRENT_RUNS) {_are(view.max_concurrent)} in use; "
            "it starts when its turn comes."
        )
        return Explanation(code="slots_in_use", text=text, position=view.position)
    text = (
        f"{waits} and starts in a moment: {view.load.total} of {counted(view.max_concurrent, 'slot')} "
        f"{_are(view.load.total)} in use and no limit holds it back."
    )
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
        schedule_id=run.schedule_id,
    )


def _too_early(run: Run, until: datetime, now: datetime) -> str:
    why = ""
    if run.retry_of is not None:
        why = f": it is attempt {run.attempt} of at most {policy_of(run).retries + 1}, after run {run.retry_of} failed"
    waits = f"The run waits until {until:%Y-%m-%d %H:%M:%S} UTC ({_seconds(now, until)} from now){why}"
    return f"{waits}; " + "`POST /runs/{id}/hurry` puts it into the queue now.".replace("{id}", run.id)


def _may_run(limit: int | None, which: str) -> str:
    return f"at most {counted(limit or 0, 'run')} {which} may run at once"


def _held(view: QueueView) -> str:
    """Who holds the places, and when one will be free."""
    if not view.holders:
        return "and the limit is reached; it starts when a place is free."
    if len(view.holders) == 1:
        return f"and run {view.holders[0]} does; it starts when that run has ended."
    return (
        f"and run {view.holders[0]} and {counted(len(view.holders) - 1, 'other')} do; "
        "it starts when one of them has ended."
    )


def _held_back(view: QueueView, now: datetime) -> str:
    first = next(runner for runner in view.runners if runner.is_alive(now))
    return (
        f"The run waits at position {view.position} of the queue: the server {first.hostname} starts no runs at present, as "
        f"{first.held_back}; it starts by itself when there is space again."
    )


def _runner_away(runners: Sequence[Runner]) -> str:
    waits = "The run waits because no runner is at work here"
    if not runners:
        return f"{waits}, nor has one ever been: start `fastflow serve`, and it begins."
    return f"{waits} ({_last_seen(runners)}): start `fastflow serve`, and it begins."


def _is_unattended(run: Run, runners: Sequence[Runner], now: datetime) -> bool:
    """Neither a runner nor a `fastflow run` in the foreground has it in hand."""
    is_leased = run.lease_expires_at is not None and run.lease_expires_at > now
    return bool(runners) and not is_leased and not any(runner.is_alive(now) for runner in runners)


def _unattended(run: Run, runners: Sequence[Runner]) -> str:
    is_to_stop = run.cancel_requested_at is not None
    what = "is to be stopped, but goes on" if is_to_stop else "goes on, or has ended meanwhile,"
    then = "it is stopped then, or its end is seen" if is_to_stop else "its end is seen then"
    return f"The run {what} with no runner at work here ({_last_seen(runners)}): start `fastflow serve`, and {then}."


def _last_seen(runners: Sequence[Runner]) -> str:
    last = max(runners, key=lambda runner: runner.stopped_at or runner.seen_at)
    if last.stopped_at:
        return f"the last one, on {last.hostname}, was stopped at {last.stopped_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"the one on {last.hostname} was last heard of at {last.seen_at:%Y-%m-%d %H:%M:%S} UTC"


def _without_room(run: Run, waits_for: str, now: datetime) -> str:
    since = f" {_seconds(run.claimed_at, now)} ago" if run.claimed_at else ""
    if run.wait_deadline is None:
        bound = "as no wait_timeout is set, it waits until that has happened or it is cancelled"
    else:
        bound = f"it fails if it has not begun by {run.wait_deadline:%Y-%m-%d %H:%M:%S} UTC (its wait_timeout)"
    return f"The run left the queue{since}, but {waits_for}; {bound}."


def _setting_up(run: Run, now: datetime) -> str:
    since = f" {_seconds(run.claimed_at, now)} ago" if run.claimed_at else ""
    return f"The run left the queue{since} and its environment is being made ready; its script starts after that."


def _running(run: Run, now: datetime) -> str:
    text = f"The run's script has been running for {_seconds(run.started_at, now)}"
    timeout = Capsule.from_json(run.capsule).timeouts.run
    if timeout is None:
        return f"{text}; it ends when the script does, as no timeout is set."
    return f"{text}; it ends when the script does, or is stopped after {timeout:g} s (its timeout)."


def _stopping(run: Run) -> str:
    grace = Capsule.from_json(run.capsule).grace
    why = f": {run.cancel_reason}" if run.cancel_reason else ""
    return f"The run is being stopped{why}; what has not ended {grace:g} s after SIGTERM is killed."


def _ended(run: Run) -> str:
    at = f" at {run.finished_at:%Y-%m-%d %H:%M:%S} UTC" if run.finished_at else ""
    if run.status is RunStatus.SUCCESS:
        return f"The run ended{at} with success{f', but of its log {run.reason_text}' if run.reason_text else ''}."
    reason = run.reason or "exit"
    what = _NEXT.get(reason, "its log says more: `GET /runs/{id}/logs`").replace("{id}", run.id)
    failed = f"The run failed{at} ({_why(reason, run.reason_text)})"
    if run.retried_by is not None:
        return f"{failed}; run {run.retried_by} tries it again, as attempt {run.attempt + 1} of at most {policy_of(run).retries + 1}."
    if policy_of(run).retries and reason != "cancelled":
        return f"{failed} and is not tried again, as {why_final(run)}; {what}."
    return f"{failed}; {what}."


def _why(reason: str, text: str | None) -> str:
    """The reason and the first line of its text, which may begin with the same word."""
    first = (text or "").strip().split("\n")[0].removeprefix("×").removeprefix("error:").strip().rstrip(".:")
    if not first or first.startswith(reason):
        return first or reason
    return f"{reason}: {first}"


_NEXT: Mapping[str, str] = {
    "exit": "the end of its log says why: `GET /runs/{id}/logs`",
    "timeout": "raise the limit in the pipeline's settings, or find in its log what took so long: `GET /runs/{id}/logs`",
    "cancelled": "submit it again with `POST /runs/{id}/rerun` if it is wanted after all",
    "oom": "raise limits.memory in the pipeline's settings or RUN_MEMORY, or let it need less",
    "setup": "correct what its log names, then submit it again: `GET /runs/{id}/logs`",
    "lost": "submit it again with `POST /runs/{id}/rerun`, as nobody saw its end",
}
"""What to do about a failed run, by its reason."""


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _seconds(since: datetime | None, now: datetime) -> str:
    return f"{max(0.0, (now - since).total_seconds()):.1f} s" if since else "a moment"
