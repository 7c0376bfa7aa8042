"""Whatever of a container run is killed or removed, its end is known, nothing is left behind and the next run starts."""

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fastflow.kernel.executors.docker import executor as executor_module
from fastflow.kernel.executors.docker.engine import Engine
from fastflow.kernel.executors.docker.identity import read_identity
from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.testing.docker_engine import WORKER_IMAGE
from fastflow.testing.docker_lab import DockerLab, docker_lab, until
from fastflow.testing.executor_contract import ExecutorContract

processes_of = ExecutorContract().processes_of
SLEEPER = "import time\nprint('up', flush=True)\ntime.sleep(600)"


@pytest.fixture
async def lab(data_dir: Path, docker_host: str) -> AsyncIterator[DockerLab]:
    async with docker_lab(data_dir, docker_host) as made:
        yield made


@pytest.fixture
def other_data_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ff-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


async def test_container_when_killed_by_the_engine_then_run_is_lost_in_words(lab: DockerLab) -> None:
    spec = lab.spec(SLEEPER)
    await lab.launch(spec)
    await lab.until_logged(spec, b"up")
    await lab.engine.kill(lab.container(spec.key))
    ended = await asyncio.wait_for(lab.executor.wait(spec.key), 20)
    assert ended.reason == "lost" and "exit code 137" in (ended.reason_text or "")
    assert processes_of(spec.key) == []


async def test_container_when_stopped_by_an_operator_then_script_has_its_grace_and_run_is_lost(lab: DockerLab) -> None:
    spec = lab.spec(
        "import os, signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'bye\\n'), sys.exit(0)))\n"
        "print('up', flush=True)\ntime.sleep(600)"
    )
    await lab.launch(spec)
    await lab.until_logged(spec, b"up")
    await lab.engine._call(lambda client: client.stop(lab.container(spec.key)))
    outcome = await asyncio.wait_for(lab.finish(spec), 20)
    assert outcome.exit.reason == "lost" and "stopped from outside" in (outcome.exit.reason_text or "")
    assert outcome.text("stdout") == b"up\nbye\n"


async def test_container_when_removed_while_the_runner_is_away_then_run_is_lost_in_words(lab: DockerLab) -> None:
    spec = lab.spec(SLEEPER)
    await lab.launch(spec)
    await lab.until_logged(spec, b"up")
    engine, container = lab.engine, lab.container(spec.key)
    await engine.remove(container)
    lab.executor = await lab.reopen()
    assert spec.key in await lab.executor.find_all()
    ended = await lab.executor.wait(spec.key)
    assert ended.reason == "lost" and "removed from outside" in (ended.reason_text or "")
    await lab.executor.discard(spec.key)


async def test_supervisor_when_it_does_not_answer_then_the_engine_ends_the_run(
    lab: DockerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor_module, "STOP_PATIENCE_SECONDS", 0.3)
    spec = lab.spec(SLEEPER)
    await lab.launch(spec)
    await lab.until_logged(spec, b"up")
    container = lab.container(spec.key)
    await lab.engine._call(lambda client: client.pause(container))
    await lab.executor.stop(spec.key, reason="cancelled", reason_text="by anna", grace=0.2)
    ended = await asyncio.wait_for(lab.executor.wait(spec.key), 20)
    assert (ended.reason, ended.reason_text) == ("cancelled", "by anna")


async def test_containers_when_no_slot_is_behind_them_then_removed_at_the_start_and_others_left_alone(
    lab: DockerLab, docker_host: str, other_data_dir: Path
) -> None:
    async with docker_lab(other_data_dir, docker_host) as other:
        kept, foreign = lab.spec(SLEEPER), other.spec(SLEEPER)
        orphan = lab.spec(SLEEPER)
        for place, spec in ((lab, kept), (lab, orphan), (other, foreign)):
            await place.launch(spec)
        orphaned = lab.container(orphan.key)
        shutil.rmtree(lab.folder / "containers" / f"{orphan.key.run_id}.1")
        lab.executor = await lab.reopen()
        ours = {container["Id"] for container in await lab.containers()}
        assert ours == {lab.container(kept.key)} and orphaned not in ours
        assert {container["Id"] for container in await other.containers()} == {other.container(foreign.key)}


async def test_data_folder_when_copied_then_the_copy_leaves_the_originals_containers_alone(
    lab: DockerLab, docker_host: str, other_data_dir: Path
) -> None:
    spec = lab.spec(SLEEPER)
    await lab.launch(spec)
    (other_data_dir / "containers").mkdir()
    shutil.copy(lab.folder / "containers" / "identity", other_data_dir / "containers" / "identity")
    async with docker_lab(other_data_dir, docker_host) as copy:
        assert copy.owner != lab.owner
    assert [container["Id"] for container in await lab.containers()] == [lab.container(spec.key)]


KILLED_RUNNER = """
import asyncio, json, sys
from pathlib import Path
from fastflow.testing.docker_lab import docker_lab

async def main():
    async with docker_lab(Path(sys.argv[1]), sys.argv[2], pool=1) as lab:
        spec = lab.spec("import time\\nprint('up', flush=True)\\ntime.sleep(600)")
        await lab.prepare(spec)
        await lab.launch(spec)
        await lab.prepare(spec)
        print(json.dumps({"run": spec.key.run_id}), flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_runner_when_killed_then_its_prepared_containers_end_and_its_runs_go_on(
    data_dir: Path, docker_host: str
) -> None:
    runner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED_RUNNER, str(data_dir), docker_host, stdout=asyncio.subprocess.PIPE
    )
    assert runner.stdout is not None
    run_id = json.loads(await runner.stdout.readline())["run"]
    runner.send_signal(signal.SIGKILL)
    await runner.wait()
    labels = ["fastflow-role=pool", f"fastflow-data={read_identity(data_dir / 'containers')}"]
    with closing(Engine(docker_host)) as engine:
        async with asyncio.timeout(20):  # nobody has told it: it ends because its runner has
            while sum(found["State"] == "running" for found in await engine.containers(labels)) > 1:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    async with docker_lab(data_dir, docker_host) as lab:
        keys = await lab.executor.find_all()
        assert [key.run_id for key in keys] == [run_id]
        assert [container["Id"] for container in await lab.containers()] == [lab.container(keys[0])]
        await lab.executor.stop(keys[0], reason="cancelled", reason_text="found again", grace=1)
        assert (await lab.executor.wait(keys[0])).reason_text == "found again"
        assert not [path for path in (data_dir / "containers").iterdir() if path.name.startswith("slot.")]


async def test_executor_when_closed_then_no_prepared_container_is_left(data_dir: Path, docker_host: str) -> None:
    async with docker_lab(data_dir, docker_host, pool=1) as lab:
        await lab.prepare(lab.spec("print(1)"))
        assert len(await lab.containers()) == 1
        owner = lab.owner
    with closing(Engine(docker_host)) as engine:
        assert await engine.containers([f"fastflow-data={owner}"]) == []


async def test_attempt_when_sealed_before_launch_then_refused_and_nothing_left(lab: DockerLab) -> None:
    spec = lab.spec("print(1)")
    assert await lab.executor.seal(spec.key)
    with pytest.raises(LaunchFailed, match="sealed"):
        await lab.launch(spec)
    assert await lab.containers() == []


async def test_code_folder_when_gone_then_launch_fails_in_words_and_nothing_left(lab: DockerLab) -> None:
    spec = lab.spec("print(1)")
    shutil.rmtree(spec.code_dir)
    with pytest.raises(LaunchFailed) as caught:
        await lab.launch(spec)
    assert str(spec.code_dir) in str(caught.value)
    assert await lab.containers() == []


async def test_runs_when_many_at_once_then_each_has_its_own_output_and_none_is_left(lab: DockerLab) -> None:
    async def one(number: int) -> bytes:
        outcome = await lab.run(f"print({number} * 1000)")
        await lab.executor.discard(outcome.spec.key)
        return outcome.text("stdout")

    printed = await asyncio.gather(*(one(number) for number in range(12)))
    assert printed == [b"%d\n" % (number * 1000) for number in range(12)]
    assert await lab.containers() == []


async def test_launch_when_cancelled_half_way_then_no_container_is_left(lab: DockerLab) -> None:
    spec = lab.spec(SLEEPER)
    launching = asyncio.create_task(lab.launch(spec))
    await until(lambda: any((lab.folder / "containers").glob("slot.*/container")))
    launching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await launching
    assert await lab.containers() == []
    assert list((lab.folder / "containers").glob("slot.*")) == []


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = Path(tempfile.mkdtemp(prefix="ff-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0711", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()


async def test_disk_when_full_then_launch_fails_in_words_and_works_once_there_is_room(
    small_disk: Path, docker_host: str
) -> None:
    async with docker_lab(small_disk, docker_host) as lab:
        ready = lab.spec("print('room')")
        ballast = small_disk / "ballast"
        with pytest.raises(OSError, match="space"), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        with pytest.raises(LaunchFailed, match="No space left on device"):
            await lab.launch(ready)
        ballast.unlink()
        assert await lab.executor.seal(ready.key)
        await lab.executor.discard(ready.key)
        assert (await lab.run("print('room')")).text("stdout") == b"room\n"
        assert len(await lab.containers()) == 1


async def test_image_when_nowhere_then_the_reason_names_both_ways_to_get_one(data_dir: Path, docker_host: str) -> None:
    async with docker_lab(data_dir, docker_host) as lab:
        assert (await lab.docker.base_image(lambda _line: None)).reference == WORKER_IMAGE
        told: list[str] = []
        with pytest.raises(LaunchFailed) as caught:
            await lab.docker._opened().images.current("127.0.0.1:9/nowhere/image:1", told.append)
    words = caught.value.message
    assert "127.0.0.1:9/nowhere/image:1" in words
    assert "docker pull" in words and "make worker-image" in words
    assert told == ["pulling the image 127.0.0.1:9/nowhere/image:1"]
