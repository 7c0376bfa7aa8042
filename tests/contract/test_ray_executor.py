"""The Ray executor keeps the executor contract, on a real cluster of two nodes."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.testing.executor_contract import ExecutorContract, ExecutorLab
from fastflow.testing.inputs_contract import kept_inputs
from fastflow.testing.ray_cluster import RayCluster
from fastflow.testing.ray_lab import opened_lab

pytestmark = pytest.mark.xdist_group("ray")  # two of them: a job costs a second of one processor

PYTHON = Path(sys.executable).resolve()


@pytest.fixture
async def lab(data_dir: Path, ray_cluster: RayCluster) -> AsyncIterator[ExecutorLab]:
    """An opened Ray executor in a data folder of its own."""
    async with opened_lab(data_dir, ray_cluster, PYTHON) as laboratory:
        yield laboratory


class TestRayExecutor(ExecutorContract):
    """Every statement of the contract."""

    fresh_starts = 2

    async def test_inputs_when_handed_then_seen_whole_and_never_changed(self, lab: ExecutorLab) -> None:
        """Not yet: it says so before anything is started, and names what to do."""
        with pytest.raises(LaunchFailed, match="run it with executor process or docker"):
            await lab.launch(lab.spec("print(1)", inputs=kept_inputs(lab, {"a": "b"})))
