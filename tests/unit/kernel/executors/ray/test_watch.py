"""Changes in a folder are told at once."""

import asyncio
from pathlib import Path

from fastflow.kernel.executors.ray.watch import FolderWatch


async def test_folder_when_something_appears_then_told_and_afterwards_not_any_more(tmp_path: Path) -> None:
    watch, changed = FolderWatch(), asyncio.Event()
    watch.add(tmp_path, changed.set)
    (tmp_path / "a").touch()
    async with asyncio.timeout(5):
        await changed.wait()
    watch.remove(tmp_path, changed.set)
    watch.remove(tmp_path, changed.set)
    changed.clear()
    (tmp_path / "b").touch()
    await asyncio.sleep(0.05)
    assert not changed.is_set()


async def test_folder_when_several_watch_it_then_each_is_told_until_it_leaves(tmp_path: Path) -> None:
    watch, told = FolderWatch(), []
    one, other = (lambda: told.append("one")), (lambda: told.append("other"))
    watch.add(tmp_path, one)
    watch.add(tmp_path, other)
    watch.remove(tmp_path, one)
    changed = asyncio.Event()
    watch.add(tmp_path, changed.set)
    (tmp_path / "a").touch()
    async with asyncio.timeout(5):
        await changed.wait()
    watch.close()
    assert "other" in told and "one" not in told


async def test_watch_when_closed_then_everybody_is_called_a_last_time(tmp_path: Path) -> None:
    watch, told = FolderWatch(), asyncio.Event()
    watch.add(tmp_path, told.set)
    watch.close()
    assert told.is_set()
