"""What happens to a new run when a limit is reached; decided inside the inserting transaction."""

from collections.abc import Sequence
from dataclasses import replace

from fastflow.kernel.pipelines.domain.pipeline import Policy
from fastflow.kernel.runs.domain.errors import QueueFull, RunSkipped
from fastflow.kernel.runs.domain.explain import as_candidate
from fastflow.kernel.runs.domain.queue import Candidate, crowds, describe_crowd
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.ports import Admission, Verdict


def admission_for(run: Run, policy: Policy, *, max_concurrent: int, queue_when_full: bool) -> Admission | None:
    """How the run is admitted; None when nothing has to be looked at: it simply waits for its turn."""
    has_limit = run.pipeline_limit is not None or run.key_limit is not None
    needs_active = policy != "queue" and has_limit
    if queue_when_full and not needs_active:
        return None

    def decide(newcomer: Run, active: Sequence[Candidate], occupancy: int) -> Verdict:
        if not queue_when_full and occupancy >= max_concurrent:
            raise QueueFull(
                f"All {max_concurrent} slots are taken and runs do not queue here.", retry_after_seconds=5.0
            )
        return _apply_policy(policy, newcomer, active) if needs_active else Verdict(run=newcomer)

    return Admission(decide=decide, needs_active=needs_active, needs_occupancy=not queue_when_full)


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
