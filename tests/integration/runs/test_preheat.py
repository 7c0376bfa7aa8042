"""The runner builds environments ahead of runs, beside the runs, and everybody can see how far it is."""

import asyncio
import logging
from contextlib import closing
from pathlib import Path

import pytest
from tests.integration.environments.projects import Gate, gate_build, write_local_project
from tests.integration.runs.houses import House

from fastflow.bootstrap import Product, build_product
from fastflow.settings import Settings


@pytest.fixture
def settings(settings: Settings, data_dir: Path) -> Settings:
    """With pipelines where the user that builds can reach them, for the sake of the gate."""
    pipelines = data_dir / "pipelines"
    pipelines.mkdir(mode=0o755)
    return settings.model_copy(update={"pipelines_dir": pipelines})


@pytest.fixture
def gate(settings: Settings) -> Gate:
    """A pipeline `gated` whose environment is not built before the gate is opened."""
    folder = settings.pipelines_dir / "gated"
    write_local_project(folder / "lib")
    (folder / "main.py").write_text("import lib\nprint(lib.ORIGIN)\n")
    (folder / "requirements.txt").write_text("./lib\n")
    made = gate_build(folder / "lib")
    for pipe in (made.told, made.wait):
        pipe.chmod(0o666)
    return made


def states(product: Product) -> dict[str, str]:
    return {name: one.state for name, one in product.make_warm_up().states(product.pipelines.list()).items()}


async def test_runner_when_it_preheats_then_no_run_waits_for_it_and_all_see_how_far_it_is(
    settings: Settings, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    quick = settings.pipelines_dir / "quick.py"
    quick.write_text("print(1)\n")
    with closing(build_product(settings)) as product, closing(build_product(settings)) as web:
        house = House(product)
        assert states(web) == {"gated": "not built", "quick": "not built"}
        with caplog.at_level(logging.DEBUG):
            async with house.runner():
                await asyncio.to_thread(gate.told.read_text)
                assert states(web)["gated"] == "building"
                await house.succeeds(await house.submit("quick"))
                assert states(web) == {"gated": "building", "quick": "ready"}

                waiting = await house.submit("gated")  # which joins the build that goes on
                await asyncio.to_thread(gate.wait.write_text, "")
                await house.succeeds(waiting)
                assert states(web)["gated"] == "ready"
        told = [(record.message, vars(record).get("fields", {})) for record in caplog.records]
        assert ("preheat.begun", {"pipelines": 2}) in told
        assert {fields["pipeline"] for name, fields in told if name == "preheat.ready"} >= {"gated"}
        assert any("lib" in fields["line"] for name, fields in told if name == "preheat.uv")


async def test_runner_when_told_not_to_preheat_then_nothing_is_built_before_a_run_needs_it(
    settings: Settings, gate: Gate
) -> None:
    gate.close()
    with closing(build_product(settings.model_copy(update={"uv_pre_heat": False}))) as product:
        house = House(product)
        async with house.runner():
            await house.succeeds(await house.submit("gated"))
        assert states(product) == {"gated": "ready"}
        (settings.pipelines_dir / "other.py").write_text("print(1)\n")
        (settings.pipelines_dir / "gated" / "main.py").write_text("print(2)\n")
        async with house.runner():
            assert states(product) == {"gated": "not built", "other": "not built"}
