"""What doctor says of history and its bounds."""

from typing import Any

import pytest

from fastflow.cli.history_check import MANY_RUNS, judge_history
from fastflow.settings import Settings


@pytest.mark.parametrize(
    ("given", "runs", "level", "text"),
    [
        ({}, 1, "ok", "1 run; runs are kept for ever, their logs for ever"),
        ({}, MANY_RUNS, "note", "10000 runs; runs are kept for ever, their logs for ever"),
        ({"log_retention_days": 1}, MANY_RUNS, "note", "10000 runs; runs are kept for ever, their logs 1 day"),
        ({"run_retention_days": 90}, MANY_RUNS, "ok", "10000 runs; runs are kept 90 days, their logs 90 days"),
        (
            {"run_retention_days": 90, "log_retention_runs": 5},
            2,
            "ok",
            "2 runs; runs are kept 90 days, their logs up to 5 for each pipeline",
        ),
    ],
)
def test_history_when_judged_then_its_bounds_are_told(given: dict[str, Any], runs: int, level: str, text: str) -> None:
    finding = judge_history(Settings(_env_file=None, **given), runs)
    assert (finding.level, finding.text) == (level, text)
    assert bool(finding.remedy) == (level == "note")
