"""What a job tells of its progress."""

from types import SimpleNamespace
from typing import Any

from fastflow.apps.churn.service.runs import Job


def test_step_of_a_job_when_its_progress_is_told_then_it_is_the_number_of_the_phase() -> None:
    def told(**progress: Any) -> int | None:
        run: Any = SimpleNamespace(progress=progress)
        return Job(run=run, experiment_id=1).step

    assert [told(progress=index / 7, step="x", total=7) for index in range(7)] == [1, 2, 3, 4, 5, 6, 7]
    assert (told(progress=1.0, total=7), told(progress=0.5), told()) == (7, None, None)
