"""The last line of a run's log: why it was ended, once, and nothing that is not so."""

import asyncio
import time
from typing import Any

import pytest
from tests.integration.runs.conftest import Bench

from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.kernel.executors.port import Reason, RunKey, RunSpec
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.testing.memory_executor import MemoryExecutor

OURS = "2026-11-21T04:35:18.123456789Z stderr F [fastflow] "
TEXTS: dict[Reason, str] = {"timeout": "ran longer than its timeout of 5 s", "oom": "needed more than 100 MB"}


class Stubborn(MemoryExecutor):
    """Cannot remove what an attempt left, as on a disk that went read-only."""

    refusals = 0

    async def discard(self, key: RunKey) -> None:
        """See `Executor.discard`."""
        self.refusals += 1
        raise OSError(30, "Read-only file system")


@pytest.mark.parametrize("reason", ["timeout", "oom"])
@pytest.mark.parametrize("is_told", [True, False], ids=["by its supervisor", "by nobody"])
async def test_log_when_run_is_ended_then_its_last_line_says_why_once(
    bench: Bench, reason: Reason, is_told: bool
) -> None:
    line = f"[fastflow] the run was ended: {TEXTS[reason]}"

    def launched(executor: MemoryExecutor, spec: RunSpec) -> None:
        spec.log_path.parent.mkdir(exist_ok=True)
        spec.log_path.write_text(f"{OURS}begun\n" + (f"{OURS[:-11]}{line}\n" if is_told else ""))
        executor.end(spec.key, exit_code=-15, reason=reason, reason_text=TEXTS[reason])

    async with bench.serving(MemoryExecutor(launched)):
        run = await bench.ended(await asyncio.to_thread(bench.submit))
    assert run.reason == reason
    lines = bench.files.log_path(run.id).read_text().splitlines()
    assert len(lines) == 2 and lines[1].split(" ", 3)[1:] == ["stderr", "F", line], lines


async def test_log_when_the_attempt_of_an_ended_run_cannot_be_removed_then_nothing_false_is_added(bench: Bench) -> None:
    def launched(executor: MemoryExecutor, spec: RunSpec) -> None:
        spec.log_path.parent.mkdir(exist_ok=True)
        spec.log_path.write_text(f"{OURS}begun\n")
        executor.end(spec.key)

    executor = Stubborn(launched)
    async with bench.serving(executor):
        run = await bench.ended(await asyncio.to_thread(bench.submit))
        await _until(lambda: executor.refusals)
        after = await bench.ended(await asyncio.to_thread(bench.submit))  # its slot is free again
    assert (bench.get(run).status, after.status) == (RunStatus.SUCCESS, RunStatus.SUCCESS)
    assert bench.files.log_path(run.id).read_text() == f"{OURS}begun\n"


async def test_log_when_the_attempt_of_a_refused_launch_cannot_be_removed_then_said_once(bench: Bench) -> None:
    executor = Stubborn()
    executor.launch_error = LaunchFailed("no supervisor could be forked")
    async with bench.serving(executor):
        run = await bench.ended(await asyncio.to_thread(bench.submit))
        await _until(lambda: executor.refusals)
    lines = [line.split(" ", 3)[3] for line in bench.files.log_path(run.id).read_text().splitlines()]
    assert bench.get(run).reason_text == "no supervisor could be forked"
    assert lines.count("[fastflow] no supervisor could be forked") == 1
    assert not any("machine refused" in line for line in lines), lines


async def _until(condition: Any) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
