"""The keeper's log says what keeps it from its work once."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from fastflow.kernel.daemons.ports import WAKE_MESSAGE
from fastflow.kernel.daemons.service import DaemonKeeper
from fastflow.kit.errors import Unavailable
from fastflow.testing.clock import FakeClock


class PipelinesAway:
    """Cannot be listed, first for one reason, then for another."""

    def __init__(self) -> None:
        self.asked = 0

    def list(self) -> Sequence[Any]:
        self.asked += 1
        raise Unavailable("The folder is away." if self.asked < 3 else "The disk is away.")


async def test_run_when_it_cannot_work_then_each_reason_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    pipelines: Any = PipelinesAway()
    nobody: Any = None
    keeper = DaemonKeeper(
        store=nobody, runs=nobody, pipelines=pipelines, probe=nobody, clock=FakeClock(), host="host-1", owner="one"
    )
    running = asyncio.create_task(keeper.run())
    async with asyncio.timeout(60):
        while pipelines.asked < 6:
            keeper.notify(WAKE_MESSAGE)
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    told: list[Any] = [vars(record)["fields"] for record in caplog.records if record.message == "daemons.wait"]
    assert told == [{"error": "The folder is away."}, {"error": "The disk is away."}]
