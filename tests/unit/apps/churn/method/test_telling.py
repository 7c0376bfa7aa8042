"""How far a pipeline is, told on its standard output."""

import json

import pytest

from fastflow.apps.churn.method.telling import tell


def test_progress_when_told_then_fast_flow_and_the_log_get_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    tell(progress=0.25, step="labels", total=8)
    tell(progress=0.3)
    first, second, third = capsys.readouterr().out.splitlines()
    assert json.loads(first.removeprefix("::fastflow::")) == {"progress": 0.25, "step": "labels", "total": 8}
    assert second == "labels"
    assert third == '::fastflow::{"progress": 0.3}'
