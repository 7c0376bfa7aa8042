"""The Docker executor keeps the executor contract, from fresh containers and from prepared ones."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fastflow.testing.docker_lab import DockerLab, PooledLab, docker_lab
from fastflow.testing.executor_contract import ExecutorContract, ExecutorLab


@pytest.fixture
async def lab(data_dir: Path, docker_host: str, request: pytest.FixtureRequest) -> AsyncIterator[ExecutorLab]:
    """An opened Docker executor in a data folder of its own."""
    pool = getattr(request.cls, "pool", 0)
    async with docker_lab(data_dir, docker_host, PooledLab if pool else DockerLab, pool=pool) as made:
        yield made


class TestDockerExecutor(ExecutorContract):
    """Every statement of the contract."""


class TestDockerExecutorWithPool(ExecutorContract):
    """The same from prepared containers."""

    pool = 1
