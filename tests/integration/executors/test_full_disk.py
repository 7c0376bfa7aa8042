"""On a full disk a run goes on, and what it told and how it ended are there as soon as there is room again."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.kernel.executors.port import RunSpec
from fastflow.kernel.executors.process.executor import ProcessExecutor
from fastflow.testing.executor_contract import ExecutorContract, ExecutorLab
from fastflow.testing.small_disk import SmallDisk, small_disk

TALKATIVE = """
import os, time
for _ in range(9000):
    print("x" * 1000)
print('::fastflow::{"output": {"rows": 7}}')
print('::fastflow::{"metric": {"auc": 0.8}}', flush=True)
mark = os.environ["FASTFLOW_ARTIFACTS"] + "/said"
os.mkdir(mark)
while os.path.exists(mark):
    time.sleep(0.01)
"""
processes_of = ExecutorContract().processes_of


@pytest.fixture
def disk(data_dir: Path) -> Iterator[SmallDisk]:
    with small_disk(data_dir / "small", 8) as mounted:
        mounted.keep(2)
        yield mounted


@pytest.fixture
async def lab(disk: SmallDisk, data_dir: Path, empty_environment: Path) -> AsyncIterator[ExecutorLab]:
    """An opened process executor whose data and logs are on the small disk."""
    environment = data_dir / "contract"
    shutil.copytree(empty_environment.parent.parent, environment, symlinks=True)
    executor = ProcessExecutor(data_dir=disk.folder, readable=(environment,))
    await executor.open()

    yield ExecutorLab(
        executor=executor, reopen=executor_stays, folder=disk.folder, python=environment / "bin" / "python"
    )
    await executor.close()


async def test_run_when_the_disk_is_full_then_its_end_and_all_it_told_wait_for_room(
    lab: ExecutorLab, disk: SmallDisk
) -> None:
    spec = await _said_all(lab)
    control = disk.folder / "supervised" / f"{spec.key.run_id}.{spec.key.token}" / "ctl"
    assert not (control / "exit.json").exists()

    disk.give_back()

    ended = await asyncio.wait_for(lab.executor.wait(spec.key), 20)
    assert (ended.reason, ended.exit_code) == (None, 0)
    told = [(event.kind, event.data) async for event in lab.executor.follow(spec.key, -1) if event.kind != "sample"]
    assert told == [("output", {"rows": 7}), ("metric", {"auc": 0.8})]
    last = spec.log_path.read_bytes().splitlines()[-1]
    assert b"stderr F [fastflow] " in last
    assert last.endswith(b" bytes of output could not be written: No space left on device")


async def test_run_when_there_is_no_room_to_record_its_end_then_it_does_not_begin_and_says_so(
    lab: ExecutorLab, disk: SmallDisk
) -> None:
    spec = lab.spec("print('begun')")
    disk.fill(leaving=3 * 4096)
    with pytest.raises(LaunchFailed, match="the disk has no room for the record of its end"):
        await lab.launch(spec)
    assert await lab.executor.seal(spec.key) and spec.log_path.read_bytes() == b""
    await lab.executor.discard(spec.key)
    disk.give_back()
    assert (await lab.run("print('begun')")).exit.reason is None


async def test_log_when_it_has_no_room_even_to_say_so_then_the_end_says_what_it_lacks(
    disk: SmallDisk, data_dir: Path, empty_environment: Path
) -> None:
    """The logs' disk alone is full, and stays so: nothing of the end has to wait for it."""
    executor = ProcessExecutor(data_dir=data_dir, readable=(empty_environment.parent.parent,))
    await executor.open()
    python = empty_environment.parent.parent / "bin" / "python"
    lab = ExecutorLab(executor=executor, reopen=executor_stays, folder=data_dir, python=python)
    for script, reason, begins in (
        ("", None, ""),
        ("raise SystemExit(3)", "exit", "the script ended with exit code 3; "),
    ):
        spec = replace(
            lab.spec("for _ in range(9000):\n    print('x' * 1000)\n" + script), log_path=disk.folder / "run.log"
        )
        await lab.launch(spec)
        ended = await asyncio.wait_for(executor.wait(spec.key), 30)
        assert ended.reason == reason and ended.reason_text
        assert re.fullmatch(
            begins + r"\d+ bytes of output could not be written: No space left on device", ended.reason_text
        )
        await executor.discard(spec.key)
    await executor.close()


async def test_stop_when_the_result_is_held_back_for_want_of_room_then_it_ends_at_once_without_what_it_told(
    lab: ExecutorLab, disk: SmallDisk
) -> None:
    spec = await _said_all(lab)

    await lab.executor.stop(spec.key, reason="cancelled", reason_text="cancelled by olga", grace=5.0)

    ended = await asyncio.wait_for(lab.executor.wait(spec.key), 20)
    assert (ended.reason, ended.exit_code) == ("cancelled", 0)
    assert re.fullmatch(r"cancelled by olga; \d+ bytes of output could not be written: .*", ended.reason_text or "")
    assert [event async for event in lab.executor.follow(spec.key, -1) if event.kind == "output"] == []


async def _said_all(lab: ExecutorLab) -> RunSpec:
    """A run whose script has told all and ended, so that its supervisor alone is left; that has the server's environment."""
    spec = lab.spec(TALKATIVE)
    await lab.launch(spec)
    said = spec.artifacts_dir / "said"
    await _until(said.exists)
    said.rmdir()
    await _until(lambda: not processes_of(spec.key))
    return spec


async def executor_stays() -> ProcessExecutor:
    raise AssertionError("these tests do not reopen")


async def _until(condition: object) -> None:
    async with asyncio.timeout(30):
        while not condition():  # type: ignore[operator]  # noqa: ASYNC110 - files and processes tell nobody
            await asyncio.sleep(0.01)
