"""Every run has exactly one current reason, in words."""

from datetime import timedelta
from typing import Any

import pytest

from fastflow.kernel.runs.domain.explain import QueueView, explain
from fastflow.kernel.runs.domain.queue import Load
from fastflow.kernel.runs.domain.run import Run, Runner
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.testing.clock import START
from fastflow.testing.run_doubles import make_run

NOW = START + timedelta(seconds=10)
RUNNER = Runner(host="h", owner="o", hostname="box", pid=1, started_at=START, seen_at=START)


def view(load: Load | None = None, **values: Any) -> QueueView:
    given: dict[str, Any] = {"position": 3, "holders": ["r1", "r2"], "max_concurrent": 4, "runners": [RUNNER], **values}
    return QueueView(load=load or Load(), **given)


def busy(count: int, key: str | None = None) -> Load:
    load = Load()
    load.add("demo", key, count)
    return load


@pytest.mark.parametrize(
    ("run", "seen", "code", "text"),
    [
        (
            make_run(concurrency_key="acme", key_limit=1),
            view(busy(1, "acme"), holders=["r1"]),
            "key_limit",
            "waiting: key=acme 1/1 held by run r1, position 3 in the queue",
        ),
        (
            make_run(pipeline_limit=2),
            view(busy(2)),
            "pipeline_limit",
            "waiting: pipeline demo 2/2 held by run r1 and 1 more, position 3 in the queue",
        ),
        (make_run(), view(busy(4)), "slots_in_use", "queue position 3, 4/4 slots in use"),
        (make_run(), view(busy(1)), "starting", "queue position 3, 1/4 slots in use: about to start"),
        (
            make_run(),
            view(runners=[]),
            "runner_away",
            "runner is not running (none has ever reported): start `fastflow serve`",
        ),
        (
            make_run(status=RunStatus.RUNNING, claimed_at=START),
            None,
            "setup",
            "setting up environment since 10.0 s",
        ),
        (make_run(status=RunStatus.RUNNING, started_at=START), None, "running", "running since 10.0 s"),
        (
            make_run(status=RunStatus.RUNNING, cancel_requested_at=START, cancel_reason="cancelled by user:x"),
            None,
            "cancelling",
            "is being stopped: cancelled by user:x",
        ),
        (make_run(status=RunStatus.SUCCESS), None, "ended", "ended: success"),
        (
            make_run(status=RunStatus.FAILED, reason="oom", reason_text="needed more than 1 GB"),
            None,
            "ended",
            "ended: oom: needed more than 1 GB",
        ),
    ],
)
def test_explain_when_asked_gives_one_reason(run: Run, seen: QueueView | None, code: str, text: str) -> None:
    explanation = explain(run, seen, NOW)
    assert (explanation.code, explanation.text) == (code, text)


def test_explain_when_runner_is_silent_says_when_it_was_seen() -> None:
    late = START + timedelta(seconds=31)
    assert "last seen 2026-01-15 12:00:00 UTC on box" in explain(make_run(), view(), late).text
