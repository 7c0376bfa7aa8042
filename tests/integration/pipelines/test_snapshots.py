import os
import stat
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from tests.integration.pipelines.conftest import Write

from fastflow.kernel.pipelines.domain.errors import PipelineBroken, PipelineChanging, SnapshotFailed, SnapshotNotFound
from fastflow.kernel.pipelines.infra.git import GitRevisions
from fastflow.kernel.pipelines.infra.snapshots import DiskSnapshots
from fastflow.kernel.pipelines.service import PipelineCatalog


@pytest.fixture
def database_kind() -> str:
    """Files are what is looked at here: one database is enough."""
    return "sqlite"


def test_freeze_when_a_folder_then_its_files_are_copied_readable_for_all(
    catalog: PipelineCatalog, write: Write, data_dir: Path
) -> None:
    write("a/main.py", "print('hi')\n")
    write("a/lib/x.py")
    write("a/tool.sh", "#!/bin/sh\n").chmod(0o700)
    write("a/.git/config")
    write("a/__pycache__/main.pyc")
    write("a/.venv/pyvenv.cfg")
    write("a/env/pyvenv.cfg")
    write("a/main.py~")
    previous = os.umask(0o077)
    try:
        frozen = catalog.freeze("a")
    finally:
        os.umask(previous)
    copied = {
        str(path.relative_to(frozen.code_dir)): stat.S_IMODE(path.stat().st_mode) for path in frozen.code_dir.rglob("*")
    }
    assert copied == {"main.py": 0o644, "lib": 0o755, "lib/x.py": 0o644, "tool.sh": 0o755}
    assert frozen.code_dir == data_dir / "code" / frozen.tree_hash
    assert stat.S_IMODE(frozen.code_dir.stat().st_mode) == 0o755
    assert (frozen.code_dir / "main.py").read_text() == "print('hi')\n"
    assert catalog.thaw(frozen.tree_hash) == frozen.code_dir


def test_freeze_when_a_single_file_then_only_it_and_its_lock(catalog: PipelineCatalog, write: Write) -> None:
    write("hello.py")
    write("other.py")
    write("other.py.lock")
    frozen = catalog.freeze("hello")
    assert [path.name for path in frozen.code_dir.iterdir()] == ["hello.py"]
    assert frozen.pipeline.script == "hello.py"
    assert {path.name for path in catalog.freeze("other").code_dir.iterdir()} == {"other.py", "other.py.lock"}


def test_tree_hash_when_content_mode_or_name_changes_then_another_and_back_again_the_same(
    catalog: PipelineCatalog, write: Write
) -> None:
    file = write("a/main.py", "1\n")
    first = catalog.freeze("a").tree_hash
    write("a/main.py", "2\n")
    second = catalog.freeze("a").tree_hash
    file.chmod(0o755)
    third = catalog.freeze("a").tree_hash
    write("a/empty.txt", "")
    fourth = catalog.freeze("a").tree_hash
    assert len({first, second, third, fourth}) == 4
    (file.parent / "empty.txt").unlink()
    file.chmod(0o644)
    write("a/main.py", "1\n")
    assert catalog.freeze("a").tree_hash == first


def test_freeze_when_the_pipeline_changes_then_the_earlier_copy_stays(catalog: PipelineCatalog, write: Write) -> None:
    write("a/main.py", "1\n")
    earlier = catalog.freeze("a").code_dir
    write("a/main.py", "2\n")
    catalog.freeze("a")
    assert (earlier / "main.py").read_text() == "1\n"


def test_freeze_when_broken_then_refused_naming_the_faults(catalog: PipelineCatalog, write: Write) -> None:
    write("bad.py", "x = = 1\n")
    with pytest.raises(PipelineBroken, match=r"bad\.py:1:5") as caught:
        catalog.freeze("bad")
    assert caught.value.code == "pipeline_broken"
    assert "bad.py:1:5" in caught.value.fields
    assert caught.value.extra["faults"][0]["line"] == 1


def test_freeze_when_the_copy_was_removed_then_made_again(catalog: PipelineCatalog, write: Write) -> None:
    write("a/main.py")
    frozen = catalog.freeze("a")
    (frozen.code_dir / "main.py").unlink()
    frozen.code_dir.rmdir()
    with pytest.raises(SnapshotNotFound):
        catalog.thaw(frozen.tree_hash)
    assert catalog.freeze("a").code_dir.is_dir()


def test_freeze_when_many_at_once_then_all_get_the_one_copy(
    catalog: PipelineCatalog, write: Write, data_dir: Path
) -> None:
    write("a/main.py", "print()\n" * 1000)
    write("a/lib.py")
    with ThreadPoolExecutor(16) as threads:
        frozen = list(threads.map(catalog.freeze, ["a"] * 64))
    assert {one.tree_hash for one in frozen} == {frozen[0].tree_hash}
    assert [path.name for path in (data_dir / "code").iterdir()] == [frozen[0].tree_hash]


def test_freeze_while_the_files_change_then_every_copy_is_one_that_was_written(
    catalog: PipelineCatalog, write: Write
) -> None:
    write("a/main.py", "0\n" * 500)
    stop = threading.Event()

    def keep_writing() -> None:
        number = 0
        while not stop.is_set():
            number = (number + 1) % 10
            target = write("a/.next", f"{number}\n" * 500)
            target.rename(target.parent / "main.py")

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        copies = []
        for _ in range(20):
            with suppress(PipelineChanging):  # which is a right answer too
                copies.append(catalog.freeze("a"))
    finally:
        stop.set()
        writer.join()
    for copy in copies:
        lines = (copy.code_dir / "main.py").read_text().splitlines()
        assert len(lines) == 500
        assert len(set(lines)) == 1


def test_freeze_when_the_disk_refuses_then_said_and_nothing_half_written_stays(
    catalog: PipelineCatalog, write: Write, data_dir: Path
) -> None:
    write("a/main.py")
    code = data_dir / "code"
    code.rmdir()
    code.write_text("")
    with pytest.raises(SnapshotFailed, match="Not a directory"):
        catalog.freeze("a")


def test_sweep_when_a_crash_left_a_copy_then_removed_but_not_one_that_is_written(data_dir: Path) -> None:
    snapshots = DiskSnapshots(data_dir / "code")
    snapshots.open()
    left = data_dir / "code" / ".unfinished-left"
    left.mkdir()
    (left / "main.py").write_text("")
    with snapshots.unfinished() as busy:
        snapshots.sweep()
        assert busy.exists()
    assert list((data_dir / "code").iterdir()) == []


def test_collect_when_copies_are_old_then_only_kept_and_recent_ones_stay(
    catalog: PipelineCatalog, write: Write
) -> None:
    hashes = []
    for number in range(3):
        write("a/main.py", f"{number}\n")
        hashes.append(catalog.freeze("a").tree_hash)
    for tree_hash in hashes[:2]:
        os.utime(catalog.thaw(tree_hash), (0, 0))
    asked: list[str] = []

    def needed(unused: Sequence[str]) -> Collection[str]:
        asked.extend(unused)
        return {hashes[0]}

    assert catalog.collect_snapshots(needed, unused_seconds=86400) == [hashes[1]]
    assert sorted(asked) == sorted(hashes[:2])
    assert catalog.thaw(hashes[2]).is_dir()
    with pytest.raises(SnapshotNotFound):
        catalog.thaw(hashes[1])


def test_collect_when_a_copy_is_used_after_it_was_found_unused_then_it_stays(
    catalog: PipelineCatalog, write: Write, data_dir: Path
) -> None:
    write("a/main.py", "1\n")
    tree_hash = catalog.freeze("a").tree_hash
    os.utime(catalog.thaw(tree_hash), (0, 0))

    def needed(_unused: Sequence[str]) -> Collection[str]:
        assert catalog.freeze("a").tree_hash == tree_hash  # a run is submitted this very moment
        return ()

    assert catalog.collect_snapshots(needed, unused_seconds=86400) == []
    assert (catalog.thaw(tree_hash) / "main.py").read_text() == "1\n"
    assert [entry.name for entry in (data_dir / "code").iterdir()] == [tree_hash]


@pytest.mark.parametrize("tree_hash", ["", "..", "../../etc", "0" * 64])
def test_thaw_when_it_is_no_copy_then_not_found(catalog: PipelineCatalog, tree_hash: str) -> None:
    with pytest.raises(SnapshotNotFound):
        catalog.thaw(tree_hash)


def test_environment_when_code_changes_then_the_same_input(catalog: PipelineCatalog, write: Write) -> None:
    header = '# /// script\n# dependencies = ["six"]\n# ///\n'
    write("a.py", header + "print(1)\n")
    first = catalog.freeze("a")
    write("a.py", header + "print(2)\n")
    second = catalog.freeze("a")
    assert first.tree_hash != second.tree_hash
    assert first.environment.input_hash == second.environment.input_hash


def test_environment_when_a_dependency_is_a_path_then_code_is_part_of_the_input(
    catalog: PipelineCatalog, write: Write
) -> None:
    write("a/main.py")
    write("a/requirements.txt", "./lib\n")
    write("a/lib/x.py", "1")
    first = catalog.freeze("a").environment
    write("a/lib/x.py", "2")
    assert catalog.freeze("a").environment.input_hash != first.input_hash


def test_freeze_when_git_is_around_then_commit_and_dirt_are_told(
    catalog: PipelineCatalog, write: Write, git: Callable[..., str]
) -> None:
    write("a/main.py", "1\n")
    write("b/main.py", "1\n")
    assert (catalog.freeze("a").commit, catalog.freeze("a").dirty) == (None, True)
    git("add", ".")
    git("commit", "--quiet", "--message=first")
    first = git("rev-parse", "HEAD")
    assert (catalog.freeze("a").commit, catalog.freeze("a").dirty) == (first, False)
    write("a/main.py", "2\n")
    assert catalog.freeze("a").dirty
    assert not catalog.freeze("b").dirty
    write("b/new.txt", "untracked")
    assert catalog.freeze("b").dirty
    git("add", ".")
    git("commit", "--quiet", "--message=second")
    git("pack-refs", "--all")
    frozen = catalog.freeze("a")
    assert (frozen.commit, frozen.dirty) == (git("rev-parse", "HEAD"), False)
    git("checkout", "--quiet", "--detach", first)
    assert catalog.freeze("a").commit == first


def test_freeze_when_in_a_linked_work_tree_then_its_own_head_is_told(
    catalog: PipelineCatalog, write: Write, git: Callable[..., str], pipelines_dir: Path
) -> None:
    write("a/main.py")
    git("add", ".")
    git("commit", "--quiet", "--message=first")
    linked = pipelines_dir.parent / "linked"
    git("worktree", "add", "--quiet", "-b", "other", str(linked))

    revisions = GitRevisions(linked, os.environ["PATH"])
    assert revisions.state_of(linked / "a", ()) == (git("rev-parse", "other"), False)
    (linked / "a" / "main.py").write_text("changed")
    assert revisions.state_of(linked / "a", (1,)) == (git("rev-parse", "other"), True)


def test_git_when_not_installed_then_commit_is_known_and_dirt_assumed(
    write: Write, git: Callable[..., str], pipelines_dir: Path
) -> None:
    write("a/main.py")
    git("add", ".")
    git("commit", "--quiet", "--message=first")

    without_git = GitRevisions(pipelines_dir, "/nonexistent")
    assert without_git.state_of(pipelines_dir / "a", ()) == (git("rev-parse", "HEAD"), True)
