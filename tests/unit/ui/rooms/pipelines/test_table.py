from types import SimpleNamespace
from typing import Any

from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.testing.run_doubles import make_run
from fastflow.ui.rooms.pipelines.table import success_rate


def test_success_when_the_pipeline_is_a_daemon_then_no_share_is_told() -> None:
    runs = [make_run(status=RunStatus.FAILED, reason="exit")]
    plain: Any = SimpleNamespace(daemon=None)
    daemon: Any = SimpleNamespace(daemon={"instances": 2})
    assert (success_rate(plain, runs), success_rate(daemon, runs)) == ("0 %", "–")
