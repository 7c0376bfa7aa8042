"""What doctor says of channels and rules."""

from datetime import UTC, datetime, timedelta
from typing import Any

from fastflow.cli.channel_check import judge_channels


def channel(**values: Any) -> dict[str, Any]:
    return {"name": "ops", "dead": False, "last_error": None, **values}


def test_channels_when_judged_then_the_worst_is_told() -> None:
    rule = {"pipeline_name": None, "name": "failure-1", "problem": None}
    assert judge_channels([channel()], [rule], []).level == "ok"
    dead = judge_channels([channel(dead=True, last_error="smtp: refused")], [rule], [])
    assert (dead.level, "ops (smtp: refused)" in dead.text) == ("fault", True)
    lost = judge_channels([channel()], [{**rule, "problem": "There is no channel x."}], [])
    assert (lost.level, "*/failure-1" in lost.text) == ("warning", True)
    long_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    assert "1 notification should have been sent" in judge_channels([channel()], [], [{"not_before": long_ago}]).text
    assert judge_channels([channel(last_error="smtp: refused")], [], []).level == "warning"
