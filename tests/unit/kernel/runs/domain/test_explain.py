"""Every run has exactly one current reason, in words."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fastflow.kernel.executors.port import Reason
from fastflow.kernel.runs.domain.capsule import Capsule, Timeouts
from fastflow.kernel.runs.domain.explain import QueueView, explain
from fastflow.kernel.runs.domain.queue import Load
from fastflow.kernel.runs.domain.run import Run, Runner
from fastflow.kernel.runs.domain.states import REASONS, RunStatus
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


def with_timeout(seconds: float) -> dict[str, Any]:
    capsule = Capsule.from_json(make_run().capsule)
    return replace(capsule, timeouts=Timeouts(run=seconds)).to_json()


@pytest.mark.parametrize(
    ("run", "seen", "code", "text"),
    [
        (
            make_run(concurrency_key="acme", key_limit=1),
            view(busy(1, "acme"), holders=["r1"]),
            "key_limit",
            (
                "The run waits at position 3 of the queue: at most 1 run of pipeline demo with the key 'acme' may run at once, "
                "and run r1 does; it starts when that run has ended."
            ),
        ),
        (
            make_run(pipeline_limit=2),
            view(busy(2)),
            "pipeline_limit",
            (
                "The run waits at position 3 of the queue: at most 2 runs of pipeline demo may run at once, and run r1 and "
                "1 other do; it starts when one of them has ended."
            ),
        ),
        (
            make_run(),
            view(busy(4)),
            "slots_in_use",
            (
                "The run waits at position 3 of the queue: all 4 slots of this installation (MAX_CONCURRENT_RUNS) are in use; "
                "it starts when its turn comes."
            ),
        ),
        (
            make_run(),
            view(busy(1)),
            "starting",
            (
                "The run waits at position 3 of the queue and starts in a moment: 1 of 4 slots is in use and no limit holds it "
                "back."
            ),
        ),
        (
            make_run(),
            view(runners=[]),
            "runner_away",
            "The run waits because no runner is at work here, nor has one ever been: start `fastflow serve`, and it begins.",
        ),
        (
            make_run(status=RunStatus.RUNNING, claimed_at=START),
            None,
            "setup",
            "The run left the queue 10.0 s ago and its environment is being made ready; its script starts after that.",
        ),
        (
            make_run(status=RunStatus.RUNNING, claimed_at=START, waits_for="it asks for 8 CPU"),
            None,
            "no_room",
            (
                "The run left the queue 10.0 s ago, but it asks for 8 CPU; as no wait_timeout is set, it waits until that has "
                "happened or it is cancelled."
            ),
        ),
        (
            make_run(status=RunStatus.RUNNING, claimed_at=START, waits_for="it asks for 8 CPU", wait_deadline=NOW),
            None,
            "no_room",
            (
                "The run left the queue 10.0 s ago, but it asks for 8 CPU; it fails if it has not begun by "
                "2026-01-15 12:00:10 UTC (its wait_timeout)."
            ),
        ),
        (
            make_run(status=RunStatus.RUNNING, started_at=START, waits_for="it asks for 8 CPU"),
            None,
            "running",
            "The run's script has been running for 10.0 s; it ends when the script does, as no timeout is set.",
        ),
        (
            make_run(status=RunStatus.RUNNING, started_at=START, capsule=with_timeout(60)),
            None,
            "running",
            (
                "The run's script has been running for 10.0 s; it ends when the script does, or is stopped after 60 s "
                "(its timeout)."
            ),
        ),
        (
            make_run(status=RunStatus.RUNNING, cancel_requested_at=START, cancel_reason="cancelled by user:x"),
            None,
            "cancelling",
            "The run is being stopped: cancelled by user:x; what has not ended 10 s after SIGTERM is killed.",
        ),
        (
            make_run(status=RunStatus.SUCCESS, finished_at=START),
            None,
            "ended",
            "The run ended at 2026-01-15 12:00:00 UTC with success.",
        ),
        (
            make_run(status=RunStatus.SUCCESS, finished_at=START, reason_text="9 bytes could not be written: full"),
            None,
            "ended",
            "The run ended at 2026-01-15 12:00:00 UTC with success, but of its log 9 bytes could not be written: full.",
        ),
        (
            make_run(status=RunStatus.FAILED, reason="oom", reason_text="needed more than 1 GB"),
            None,
            "ended",
            (
                "The run failed (oom: needed more than 1 GB); raise limits.memory in the pipeline's settings or RUN_MEMORY, or "
                "let it need less."
            ),
        ),
        (
            make_run(id="r9", status=RunStatus.FAILED, reason="cancelled", reason_text="cancelled by user:x"),
            None,
            "ended",
            "The run failed (cancelled by user:x); submit it again with `POST /runs/r9/rerun` if it is wanted after all.",
        ),
        (
            make_run(id="r9", status=RunStatus.FAILED, reason="setup", reason_text="× No solution found:\n  because x"),
            None,
            "ended",
            (
                "The run failed (setup: No solution found); correct what its log names, then submit it again: "
                "`GET /runs/r9/logs`."
            ),
        ),
    ],
)
def test_explain_when_asked_gives_one_whole_sentence(run: Run, seen: QueueView | None, code: str, text: str) -> None:
    explanation = explain(run, seen, NOW)
    assert (explanation.code, explanation.text) == (code, text)


@pytest.mark.parametrize("reason", REASONS)
def test_explain_when_a_run_failed_for_any_reason_says_what_to_do(reason: Reason) -> None:
    text = explain(make_run(status=RunStatus.FAILED, reason=reason), None, NOW).text
    assert text.startswith(f"The run failed ({reason})")
    assert text.count("; ") == 1 and text.endswith(".") and "{id}" not in text


def test_explain_when_runner_is_silent_or_stopped_says_when_it_was_there() -> None:
    late = START + timedelta(seconds=31)
    assert "(the one on box was last heard of at 2026-01-15 12:00:00 UTC)" in explain(make_run(), view(), late).text
    stopped = replace(RUNNER, stopped_at=START)
    assert (
        "(the last one, on box, was stopped at 2026-01-15 12:00:00 UTC)"
        in explain(make_run(), view(runners=[stopped]), NOW).text
    )


def test_explain_when_nobody_attends_to_a_running_run_says_so_instead_of_how_it_goes() -> None:
    late = START + timedelta(seconds=31)
    run = make_run(status=RunStatus.RUNNING, started_at=START)
    told = explain(run, None, late, [RUNNER])
    assert told.code == "runner_away"
    assert told.text == (
        "The run goes on, or has ended meanwhile, with no runner at work here (the one on box was last heard of at "
        "2026-01-15 12:00:00 UTC): start `fastflow serve`, and its end is seen then."
    )
    stopping = explain(replace(run, cancel_requested_at=START), None, late, [RUNNER])
    assert "is to be stopped, but goes on with no runner at work here" in stopping.text
    in_the_foreground = replace(run, lease_expires_at=late + timedelta(seconds=1))
    assert explain(in_the_foreground, None, late, [RUNNER]).code == "running"
    assert explain(run, None, NOW, [RUNNER]).code == "running"
