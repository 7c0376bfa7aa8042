"""Engines that are away, come back, are restarted or killed while runs go on: always a clear reason, nothing stuck."""

import asyncio
import gc
import os
import shutil
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fastflow.kernel.executors.docker import executor as executor_module
from fastflow.kernel.executors.docker.executor import DockerExecutor
from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.kernel.executors.port import RunSpec
from fastflow.kernel.executors.registry import DockerSettings
from fastflow.testing.docker_engine import DockerEngine, import_image
from fastflow.testing.docker_lab import DockerLab, docker_lab, until

TICKS = "import time\nfor i in range({count}):\n    print('tick', i, flush=True)\n    time.sleep(0.1)\nprint('done')"

Start = Callable[..., DockerEngine]


@pytest.fixture
def start_engine() -> Iterator[Start]:
    """Starts an engine of the test's own."""
    made: list[DockerEngine] = []

    def start(*, live_restore: bool = False) -> DockerEngine:
        engine = DockerEngine(Path(tempfile.mkdtemp(prefix="ff-e-")) / "engine", live_restore=live_restore)
        made.append(engine)
        engine.start()
        import_image(engine.host)
        return engine

    yield start
    for engine in made:
        engine.remove()
        shutil.rmtree(engine.folder.parent)


@pytest.fixture(autouse=True)
def _without_sockets_of_the_sdk() -> Iterator[None]:
    """Where nobody listens the SDK leaves the socket it knocked with open until it is collected: here, in no other test."""
    yield
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "unclosed <socket", ResourceWarning)
        gc.collect()


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_module, "LOOK_SECONDS", 0.2)


async def ticking(lab: DockerLab, count: int) -> RunSpec:
    spec = lab.spec(TICKS.format(count=count))
    await lab.launch(spec)
    await lab.until_logged(spec, b"tick 1\n")
    return spec


async def until_left(lab: DockerLab, count: int) -> None:
    """Return when no more containers than that are left."""
    async with asyncio.timeout(60):
        while len(await lab.containers()) > count:  # noqa: ASYNC110  the engine tells nobody
            await asyncio.sleep(0.05)


async def test_engine_when_restarted_with_live_restore_then_runs_go_on_without_a_gap(
    data_dir: Path, start_engine: Start
) -> None:
    engine = await asyncio.to_thread(start_engine, live_restore=True)
    async with docker_lab(data_dir, engine.host) as lab:
        spec = await ticking(lab, 40)
        await asyncio.to_thread(engine.stop)
        await until(lambda: not lab.docker.describe()["reachable"])
        await asyncio.to_thread(engine.start)
        outcome = await asyncio.wait_for(lab.finish(spec), 60)
        assert outcome.exit.reason is None
        assert outcome.text("stdout") == b"".join(b"tick %d\n" % i for i in range(40)) + b"done\n"
        await lab.executor.discard(spec.key)
        assert (await lab.run("print('next')")).text("stdout") == b"next\n"


async def test_engine_when_restarted_without_live_restore_then_runs_end_as_lost_and_the_next_starts(
    data_dir: Path, start_engine: Start
) -> None:
    engine = await asyncio.to_thread(start_engine)
    async with docker_lab(data_dir, engine.host) as lab:
        spec = await ticking(lab, 3000)
        await asyncio.to_thread(engine.stop)
        outcome = await asyncio.wait_for(lab.finish(spec), 60)
        assert outcome.exit.reason == "lost" and "engine's shutdown" in (outcome.exit.reason_text or "")
        await lab.executor.discard(spec.key)  # the engine is away: the container is removed when it is back
        assert list((data_dir / "containers").glob(f"{spec.key.run_id}*")) == []
        meanwhile = asyncio.create_task(lab.run("print('next')"))  # waits for the engine for a moment
        await asyncio.to_thread(engine.start)
        assert (await meanwhile).text("stdout") == b"next\n"
        await until_left(lab, 1)


async def test_engine_when_killed_then_runs_end_by_themselves_with_their_exit(
    data_dir: Path, start_engine: Start
) -> None:
    engine = await asyncio.to_thread(start_engine)
    async with docker_lab(data_dir, engine.host) as lab:
        spec = await ticking(lab, 10)
        await asyncio.to_thread(engine.stop, signal.SIGKILL)
        outcome = await asyncio.wait_for(lab.finish(spec), 60)
        assert outcome.exit.reason is None and outcome.text("stdout").endswith(b"done\n")
        await lab.executor.discard(spec.key)
        await asyncio.to_thread(engine.start)
        await until_left(lab, 0)


async def test_engine_when_killed_and_back_before_the_end_then_the_run_has_an_end_in_words(
    data_dir: Path, start_engine: Start
) -> None:
    """An engine without live-restore ends what an engine before it had left running."""
    engine = await asyncio.to_thread(start_engine)
    async with docker_lab(data_dir, engine.host) as lab:
        spec = await ticking(lab, 3000)
        await asyncio.to_thread(engine.stop, signal.SIGKILL)
        await asyncio.to_thread(engine.start)
        ended = await asyncio.wait_for(lab.executor.wait(spec.key), 60)
        assert ended.reason == "lost" and ended.reason_text
        await lab.executor.discard(spec.key)
        assert (await lab.run("print('next')")).text("stdout") == b"next\n"


async def test_engine_when_nobody_has_asked_for_it_then_nothing_is_made_and_it_is_left_alone(data_dir: Path) -> None:
    settings = DockerSettings(host=f"unix://{data_dir}/nothing.sock", image="any")
    executor = DockerExecutor(data_dir=data_dir, settings=settings)
    await executor.open()
    assert await executor.find_all() == []
    assert executor.describe()["why"] == "not asked yet, for no run has gone there"
    await executor.close()
    assert os.listdir(data_dir) == []


async def test_engine_when_it_was_never_there_then_launch_fails_at_once_in_words(data_dir: Path) -> None:
    async with docker_lab(data_dir, f"unix://{data_dir}/nothing.sock") as lab:
        told = lab.docker.describe()
        assert told["reachable"] is False and "there is no socket" in told["why"]
        with pytest.raises(LaunchFailed) as caught:
            await asyncio.wait_for(lab.launch(lab.spec("print(1)")), 5)
        assert f"{data_dir}/nothing.sock" in caught.value.message
        with pytest.raises(LaunchFailed):
            await lab.docker.base_image(lambda _line: None)


async def test_engine_when_its_socket_answers_nonsense_then_launch_fails_in_words(data_dir: Path) -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_unix_server(hang_up, str(data_dir / "odd.sock"))
    async with server, docker_lab(data_dir, f"unix://{data_dir}/odd.sock") as lab:
        with pytest.raises(LaunchFailed, match="The container engine at"):
            await asyncio.wait_for(lab.launch(lab.spec("print(1)")), 10)
