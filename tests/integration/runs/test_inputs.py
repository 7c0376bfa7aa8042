"""Real runs of a shipped pipeline on inputs that its workbench handed them."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.integration.runs.houses import OLGA, House

from fastflow.bootstrap import build_product
from fastflow.kernel.pipelines.ports import Shipped
from fastflow.kernel.runs.dispatcher.retention import Retention
from fastflow.kernel.runs.domain.capsule import Capsule
from fastflow.kernel.runs.domain.errors import (
    CapsuleIncomplete,
    InputsNotFound,
    InputsNotTaken,
    ShippedCovered,
    StartedByWorkbench,
)
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.infra.files import RunFolder
from fastflow.kernel.runs.infra.inputs import DiskInputs
from fastflow.kernel.runs.infra.retention_store import SqlRetentionStore
from fastflow.kernel.runs.service.inputs import Given
from fastflow.kernel.runs.wiring import read_host_id
from fastflow.settings import Settings

SAYS = "import os, pathlib\nprint('given', pathlib.Path(os.environ['FASTFLOW_INPUTS'], 'word').read_text())\n"
FAILS_ONCE = SAYS + "assert os.environ['FASTFLOW_ATTEMPT'] == '2'\n"


@pytest.fixture
def house(settings: Settings, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    folder = tmp_path / "weather"
    for path, text in {
        "__init__.py": "",
        "pipelines/rain/main.py": SAYS,
        "pipelines/hail/main.py": FAILS_ONCE,
        "pipelines/hail/pipeline.toml": "[retry]\nmax_retries = 1\ndelay = 0\n",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    monkeypatch.setattr("fastflow.workbenches.SHIPPED", (Shipped(workbench="weather", folder=folder, packages=()),))
    with closing(build_product(settings.model_copy(update={"database_url": database_url}))) as product:
        yield House(product)


def word(text: str) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        (folder / "word").write_text(text)

    return fill


def given(house: House, text: str) -> Given:
    return Given(workbench="weather", inputs=house.product.runs.inputs.keep(word(text)))


def log_of(house: House, run: Run) -> str:
    return (house.settings.logs_dir / f"{run.id}.log").read_text()


def remove_everything_unneeded(house: House) -> None:
    inputs = DiskInputs(house.settings.data_dir / "inputs")
    store = SqlRetentionStore(house.database, read_host_id(house.settings.data_dir))
    clock = house.product.clock
    files = RunFolder(house.settings.logs_dir, house.settings.data_dir / "artifacts", clock)
    Retention(store, files, clock, code=house.product.pipelines, inputs=inputs).collect_code()


async def test_run_when_handed_inputs_then_it_and_its_repeats_see_them(house: House) -> None:
    runs = house.product.runs
    async with house.runner():
        run = runs.submit("rain", actor=OLGA, given=given(house, "sun"))
        await house.succeeds(run)
        assert "given sun" in log_of(house, run)
        assert Capsule.from_json(run.capsule).inputs == given(house, "sun").inputs
        for exact in (True, False):
            again = runs.rerun(run.id, actor=OLGA, exact=exact)
            await house.succeeds(again)
            assert "given sun" in log_of(house, again)


async def test_retry_when_the_first_attempt_failed_then_it_sees_the_same(house: House) -> None:
    async with house.runner():
        run = house.product.runs.submit("hail", actor=OLGA, given=given(house, "ice"))
        await house.product.runs.wait(run.id, 60, actor=OLGA)
        retry = house.product.runs.get(run.id, actor=OLGA).retried_by
        assert retry is not None
        ended = await house.product.runs.wait(retry, 60, actor=OLGA)
        assert ended.status == "SUCCESS", ended.reason_text
        assert "given ice" in log_of(house, ended)


async def test_retention_when_the_log_is_gone_then_inputs_go_and_an_exact_repeat_says_so(house: House) -> None:
    runs = house.product.runs
    async with house.runner():
        run = runs.submit("rain", actor=OLGA, given=given(house, "fog"))
        await house.succeeds(run)
    folder = house.settings.data_dir / "inputs" / given(house, "fog").inputs
    os.utime(folder, (0, 0))
    await asyncio.to_thread(remove_everything_unneeded, house)
    assert folder.is_dir()
    SqlRetentionStore(house.database, "x").mark_log_deleted([run.id], house.product.clock.now())
    os.utime(folder, (0, 0))
    await asyncio.to_thread(remove_everything_unneeded, house)
    assert not folder.exists()
    with pytest.raises(CapsuleIncomplete, match=r"inputs .*: not on this server"):
        runs.rerun(run.id, actor=OLGA, exact=True)
    with pytest.raises(InputsNotFound):
        runs.rerun(run.id, actor=OLGA)


def test_submit_when_it_could_not_have_its_inputs_then_refused_before_anything_starts(house: House) -> None:
    runs = house.product.runs
    with pytest.raises(StartedByWorkbench) as caught:
        runs.submit("rain", actor=OLGA)
    assert "`fastflow weather --help`" in caught.value.hint
    with pytest.raises(InputsNotFound):
        runs.submit("rain", actor=OLGA, given=Given(workbench="weather", inputs="0" * 64))
    with pytest.raises(InputsNotTaken):
        runs.submit("rain", actor=OLGA, given=given(house, "sun"), executor="ray")
    (house.pipelines_dir / "rain.py").write_text("print('mine')\n")
    with pytest.raises(ShippedCovered, match="another one has its name"):
        runs.submit("rain", actor=OLGA, given=given(house, "sun"))
    assert runs.submit("rain", actor=OLGA).capsule["inputs"] is None
