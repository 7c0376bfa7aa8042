"""Whatever is killed, a run's end is known, nothing of it stays behind and the next run starts."""

import asyncio
import os
import shutil
import signal
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.kernel.executors.process.executor import ProcessExecutor
from fastflow.testing.executor_contract import ExecutorContract, ExecutorLab

processes_of = ExecutorContract().processes_of
SLEEPER = "import time\nprint('up', flush=True)\ntime.sleep(600)"


@pytest.fixture
async def lab(tmp_path: Path, empty_environment: Path) -> AsyncIterator[ExecutorLab]:
    """An opened process executor."""
    data = tmp_path / "data"
    data.mkdir(mode=0o711)
    environment = data / "envs" / "contract"
    shutil.copytree(empty_environment.parent.parent, environment, symlinks=True)
    executor = ProcessExecutor(data_dir=data)
    await executor.open()

    async def reopen() -> ProcessExecutor:
        raise AssertionError("these tests do not reopen")

    laboratory = ExecutorLab(executor=executor, reopen=reopen, folder=data, python=environment / "bin" / "python")
    yield laboratory
    for key in await executor.find_all():
        await executor.stop(key, reason="cancelled", reason_text="the test is over", grace=0)
        await executor.discard(key)
    await executor.close()


def supervisor_of(lab: ExecutorLab, run_id: str) -> int:
    """The process that listens in the run's control folder."""
    control = os.open(lab.folder / "supervised" / f"{run_id}.1" / "ctl", os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(f"/proc/self/fd/{control}/control.sock")
            told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    finally:
        os.close(control)
    return int(struct.unpack("3i", told)[0])


def zygotes_of(executor: ProcessExecutor) -> list[int]:
    stable = executor._stable
    return [zygote.process.pid for zygote in (*stable._cold.values(), *stable._warm.values())]


async def test_supervisor_when_killed_then_run_is_lost_and_nothing_stays(lab: ExecutorLab) -> None:
    spec = lab.spec(SLEEPER)
    await lab.launch(spec)
    await lab.until_logged(spec, b"up")
    os.kill(supervisor_of(lab, spec.key.run_id), signal.SIGKILL)
    ended = await asyncio.wait_for(lab.executor.wait(spec.key), 10)
    assert ended.reason == "lost" and "supervisor was killed" in (ended.reason_text or "")
    assert processes_of(spec.key) == []


async def test_zygote_when_killed_then_its_runs_go_on_and_the_next_starts(lab: ExecutorLab) -> None:
    assert isinstance(lab.executor, ProcessExecutor)
    first = lab.spec("import time\nprint('up', flush=True)\ntime.sleep(1)\nprint('done')")
    await lab.launch(first)
    await lab.until_logged(first, b"up")
    for pid in zygotes_of(lab.executor):
        os.kill(pid, signal.SIGKILL)
    second = await lab.run("print('second')")
    assert second.exit.reason is None and second.text("stdout") == b"second\n"
    assert (await lab.finish(first)).text("stdout") == b"up\ndone\n"


async def test_attempt_when_sealed_before_launch_then_refused(lab: ExecutorLab) -> None:
    spec = lab.spec("print(1)")
    assert await lab.executor.seal(spec.key)
    with pytest.raises(LaunchFailed):
        await lab.launch(spec)


async def test_log_when_disk_refuses_then_run_ends_and_says_so(lab: ExecutorLab) -> None:
    full = Path("/dev/full")
    spec = lab.spec("print('x' * 1000)", log_path=full)
    await lab.launch(spec)
    ended = await asyncio.wait_for(lab.executor.wait(spec.key), 10)
    assert ended.reason is None


async def test_code_folder_when_gone_then_launch_fails_in_words(lab: ExecutorLab) -> None:
    spec = lab.spec("print(1)")
    (spec.code_dir / "main.py").unlink()
    spec.code_dir.rmdir()
    with pytest.raises(LaunchFailed) as caught:
        await lab.launch(spec)
    assert str(spec.code_dir) in str(caught.value)


async def test_runs_when_many_at_once_then_each_has_its_own_output(lab: ExecutorLab) -> None:
    async def one(number: int) -> bytes:
        return (await lab.run(f"print({number} * 1000)")).text("stdout")

    printed = await asyncio.gather(*(one(number) for number in range(24)))
    assert printed == [b"%d\n" % (number * 1000) for number in range(24)]
