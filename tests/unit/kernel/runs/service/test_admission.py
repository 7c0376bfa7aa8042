"""A schedule's overlap: what happens to its new run while an earlier one is not over."""

from typing import Any

import pytest

from fastflow.kernel.runs.domain.errors import RunSkipped
from fastflow.kernel.runs.domain.explain import as_candidate
from fastflow.kernel.runs.domain.queue import Candidate
from fastflow.kernel.runs.ports import Verdict
from fastflow.kernel.runs.service.admission import admission_for
from fastflow.testing.run_doubles import make_run


def admit(overlap: Any, active: list[Candidate], policy: Any = "queue", **values: Any) -> Verdict | None:
    run = make_run("demo", schedule_id="s", **values)
    admission = admission_for(run, policy, max_concurrent=10, queue_when_full=True, overlap=overlap)
    return None if admission is None else admission.decide(run, active, 0)


EARLIER = [as_candidate(make_run("demo", schedule_id="s")), as_candidate(make_run("demo", schedule_id="s"))]
OTHERS = [as_candidate(make_run("demo")), as_candidate(make_run("demo", schedule_id="another"))]


def test_overlap_when_queue_then_nothing_is_looked_at() -> None:
    assert admit("queue", EARLIER) is None


def test_overlap_when_skip_then_an_earlier_run_keeps_the_new_one_from_being_made() -> None:
    with pytest.raises(RunSkipped, match=f"run {EARLIER[0].id} of the same schedule is not over"):
        admit("skip", [*OTHERS, *EARLIER])


@pytest.mark.parametrize("overlap", ["skip", "cancel-old"])
def test_overlap_when_no_earlier_run_of_the_schedule_then_the_new_one_waits_for_its_turn(overlap: str) -> None:
    verdict = admit(overlap, OTHERS)
    assert verdict is not None
    assert (verdict.cancel, verdict.why) == ((), "")


def test_overlap_when_cancel_old_then_the_earlier_runs_go() -> None:
    verdict = admit("cancel-old", [*OTHERS, *EARLIER])
    assert verdict is not None
    assert list(verdict.cancel) == EARLIER
    assert f"replaced by run {verdict.run.id} (the schedule's overlap is cancel-old)" == verdict.why


def test_overlap_when_cancel_old_then_the_cancelled_runs_count_for_no_limit_of_the_pipeline() -> None:
    verdict = admit("cancel-old", EARLIER, policy="skip", pipeline_limit=1)
    assert verdict is not None and list(verdict.cancel) == EARLIER
    with pytest.raises(RunSkipped, match="pipeline demo 2/1"):
        admit("cancel-old", [*OTHERS, *EARLIER], policy="skip", pipeline_limit=1)


def test_overlap_when_the_run_has_no_schedule_then_nothing_is_looked_at() -> None:
    run = make_run("demo")
    assert admission_for(run, "queue", max_concurrent=1, queue_when_full=True, overlap="skip") is None
