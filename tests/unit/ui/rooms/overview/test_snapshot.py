from types import SimpleNamespace
from typing import Any

from fastflow.kit.errors import NotFound
from fastflow.testing.run_doubles import make_run
from fastflow.ui.rooms.overview.snapshot import is_final_failure, startable


def test_startable_when_a_pipeline_is_gone_or_broken_then_it_is_not_offered() -> None:
    faults = {"fine": [], "odd": ["warning"], "broken": ["warning", "error"]}

    def get(name: str) -> Any:
        if name not in faults:
            raise NotFound(f"There is no pipeline {name!r}.")
        return SimpleNamespace(faults=[SimpleNamespace(severity=each) for each in faults[name]])

    assert startable(["gone", "odd", "fine", "broken", "odd"], get) == ["odd", "fine"]


def test_failures_when_one_is_tried_again_or_was_cancelled_then_it_does_not_count() -> None:
    last, again, cancelled = (
        make_run(reason="exit"), make_run(reason="exit", retried_by="2"), make_run(reason="cancelled"),
    )  # fmt: skip
    assert [is_final_failure(run) for run in (last, again, cancelled)] == [True, False, False]
