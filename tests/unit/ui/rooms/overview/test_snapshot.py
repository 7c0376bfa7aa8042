from types import SimpleNamespace
from typing import Any

from fastflow.kit.errors import NotFound
from fastflow.ui.rooms.overview.snapshot import startable


def test_startable_when_a_pipeline_is_gone_or_broken_then_it_is_not_offered() -> None:
    faults = {"fine": [], "odd": ["warning"], "broken": ["warning", "error"]}

    def get(name: str) -> Any:
        if name not in faults:
            raise NotFound(f"There is no pipeline {name!r}.")
        return SimpleNamespace(faults=[SimpleNamespace(severity=each) for each in faults[name]])

    assert startable(["gone", "odd", "fine", "broken", "odd"], get) == ["odd", "fine"]
