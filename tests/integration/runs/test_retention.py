"""What the runner keeps of real runs: the copy of the code as long as a run may need it, and no longer."""

import asyncio
import os
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.integration.runs.houses import OLGA, House

from fastflow.bootstrap import build_product
from fastflow.kernel.runs.dispatcher.retention import Retention
from fastflow.kernel.runs.domain.capsule import Capsule
from fastflow.kernel.runs.domain.errors import CapsuleIncomplete
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.infra.files import RunFolder
from fastflow.kernel.runs.infra.retention_store import SqlRetentionStore
from fastflow.kernel.runs.wiring import read_host_id
from fastflow.settings import Settings
from fastflow.testing.clock import FakeClock

WAITS = "import os, time\nwhile not os.path.exists(os.environ['FASTFLOW_ARTIFACTS'] + '/go'):\n    time.sleep(0.01)\n"


def store_of(house: House) -> SqlRetentionStore:
    return SqlRetentionStore(house.database, read_host_id(house.settings.data_dir))


def copy_of(house: House, run: Run) -> Path:
    return house.settings.data_dir / "code" / Capsule.from_json(run.capsule).tree_hash


def age(house: House, *copies: Path) -> None:
    """As if the copies had not been used for decades."""
    for copy in copies:
        os.utime(copy, (0, 0))
    if not house.database.is_sqlite:  # where further copies are kept for other servers
        with house.database.write() as connection:
            connection.execute(text("UPDATE code_archive SET stored_at = '1970-01-01T00:00:00Z'"))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - files tell nobody
            await asyncio.sleep(0.01)


async def test_copies_of_code_when_old_then_those_stay_that_kept_or_unfinished_runs_need(
    settings: Settings, database_url: str
) -> None:
    changed = {"database_url": database_url, "log_retention_runs": 1}
    with closing(build_product(settings.model_copy(update=changed))) as product:
        await _look_at_copies(House(product))


async def _look_at_copies(house: House) -> None:
    waits, quick = (house.pipelines_dir / f"{name}.py" for name in ("waits", "quick"))
    waits.write_text(WAITS)
    runs = []
    async with house.runner():
        waiting = await house.submit("waits")
        for number in range(3):
            quick.write_text(f"print({number})\n")
            runs.append(await house.submit("quick"))
            await house.succeeds(runs[-1])
    copies = [copy_of(house, run) for run in (*runs, waiting)]
    quick.write_text("# never run\n")
    never_run = house.product.pipelines.freeze("quick").code_dir
    age(house, *copies, never_run)

    # the runner looks after what has expired as soon as it serves: logs first, of which it keeps one for each pipeline
    async with house.runner():
        await until(lambda: not any(copy.exists() for copy in (*copies[:2], never_run)))
        assert copies[2].is_dir()
        assert copies[3].is_dir()

        again = await asyncio.to_thread(house.product.runs.rerun, runs[2].id, actor=OLGA, exact=True)
        await house.succeeds(again)
        with pytest.raises(CapsuleIncomplete, match="code"):
            await asyncio.to_thread(house.product.runs.rerun, runs[0].id, actor=OLGA, exact=True)
        (house.settings.data_dir / "artifacts" / waiting.id / "go").touch()
        await house.succeeds(waiting)

    # a run whose log has gone needs its copy no longer; copies are looked at once an hour
    clock = FakeClock()
    files = RunFolder(house.settings.logs_dir, house.settings.data_dir / "artifacts", clock)
    retention = Retention(store_of(house), files, clock, code=house.product.pipelines)
    age(house, *copies[2:])
    retention.collect_code()
    assert copies[3].is_dir()
    store_of(house).mark_log_deleted([waiting.id], clock.now())
    retention.collect_code()
    assert copies[3].is_dir()
    clock.advance(timedelta(hours=1))
    retention.collect_code()
    assert not copies[3].exists()
    assert copies[2].is_dir()
