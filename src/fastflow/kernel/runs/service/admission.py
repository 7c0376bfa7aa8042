"""What happens to a new run when a limit is reached; decided inside the inserting transaction."""

from collections.abc import Sequence
from dataclasses import replace

from fastflow.kernel.pipelines.domain.pipeline import Policy
from fastflow.kernel.runs.domain.errors import QueueFull, RunSkipped
from fastflow.kernel.runs.domain.explain import as_candidate
from fastflow.kernel.runs.domain.queue import Candidate, crowds, describe_crowd
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.scheduled import Overlap
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.ports import Admission, Verdict


def admission_for(
    run: Run, policy: Policy, *, max_concurrent: int, queue_when_full: bool, overlap: Overlap = "queue"
) -> Admission | None:
    """How the run is admitted; None when nothing has to be looked at: it simply waits for its turn.

    Args:
        run: the new one.
        policy: its pipeline's.
        max_concurrent: runs that may run at once.
        queue_when_full: False: a run that would have to wait for a slot is refused.
        overlap: its schedule's: what happens while an earlier run of that schedule is not over.
    """
    has_limit = run.pipeline_limit is not None or run.key_limit is not None
    is_limited = policy != "queue" and has_limit
    needs_active = is_limited or (run.schedule_id is not None and overlap != "queue")
    if queue_when_full and not needs_active:
        return None

    def decide(newcomer: Run, active: Sequence[Candidate], occupancy: int) -> Verdict:
        if not queue_when_full and occupancy >= max_concurrent:
            raise QueueFull(
                f"All {max_concurrent} slots are taken and runs do not queue here.", retry_after_seconds=5.0
            )
        earlier = _overlapped(newcomer, active, overlap)
        left = [run for run in active if run not in earlier]
        verdict = _apply_policy(policy, newcomer, left) if is_limited else Verdict(run=newcomer)
        if not earlier:
            return verdict
        why = verdict.why or f"replaced by run {newcomer.id} (the schedule's overlap is cancel-old)"
        return replace(verdict, cancel=[*earlier, *verdict.cancel], why=why)

    return Admission(decide=decide, needs_active=needs_active, needs_occupancy=not queue_when_full)


def _overlapped(run: Run, active: Sequence[Candidate], overlap: Overlap) -> Sequence[Candidate]:
    """The earlier runs of the same schedule that have to go for the new one."""
    if run.schedule_id is None or overlap == "queue":
        return ()
    earlier = [each for each in active if each.schedule_id == run.schedule_id]
    if earlier and overlap == "skip":
        more = f" (and {len(earlier) - 1} more)" if len(earlier) > 1 else ""
        raise RunSkipped(
            f"The run was skipped: run {earlier[0].id} of the same schedule is not over{more}.",
            hint="It starts at its next due time, or choose the overlap queue or cancel-old for the schedule.",
            extra={"held_by": [each.id for each in earlier[:20]]},
        )
    return earlier


def _apply_policy(policy: Policy, run: Run, active: Sequence[Candidate]) -> Verdict:
    found = crowds(as_candidate(run), active)
    if not found:
        return Verdict(run=run)
    told = describe_crowd(as_candidate(run), found[0])
    if policy == "skip":
        raise RunSkipped(
            f"The run was skipped: {told}.", extra={"held_by": [holder.id for holder in found[0].holders[:20]]}
        )
    if policy == "cancel-new":
        why = f"cancelled on arrival: {told} (policy cancel-new)"
        ended = replace(
            run, status=RunStatus.FAILED, reason="cancelled", reason_text=why, finished_at=run.queued_at, log_file=None
        )
        return Verdict(run=ended)
    surplus = {holder.id: holder for crowd in found for holder in crowd.surplus}
    return Verdict(run=run, cancel=list(surplus.values()), why=f"replaced by run {run.id} (policy cancel-old)")
