"""Control groups are found, limited and removed, in both versions and where there are none."""

from pathlib import Path

import pytest

from fastflow.kernel.executors.port import Limits
from fastflow.kernel.executors.process.cgroups import find_tree


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return write(tmp_path / "proc" / "cgroup", "0::/unit\n")


def version_2(tmp_path: Path, controllers: str) -> Path:
    root = tmp_path / "cg"
    for folder in (root, root / "unit"):
        write(folder / "cgroup.controllers", controllers)
        write(folder / "cgroup.subtree_control", controllers)
        write(folder / "cgroup.procs", "")
    write(root / "unit" / "fastflow-x" / "cgroup.subtree_control", controllers)
    write(root / "unit" / "fastflow-x" / "cgroup.procs", "")
    return write(tmp_path / "proc" / "mounts", f"cgroup2 {root} cgroup2 rw 0 0\n")


def test_tree_when_version_2_then_limits_are_written(tmp_path: Path, own: Path) -> None:
    tree = find_tree("fastflow-x", version_2(tmp_path, "cpu memory pids"), own)
    assert tree.version == 2 and tree.enforces("memory") and tree.enforces("cpu")
    group = tree.create("run.1", Limits(cpus=0.5, memory_bytes=1 << 20, pids=10))
    assert group is not None
    folder = tmp_path / "cg" / "unit" / "fastflow-x" / "run.1"
    assert (folder / "memory.max").read_text() == str(1 << 20)
    assert (folder / "cpu.max").read_text() == "50000 100000"
    assert (folder / "pids.max").read_text() == "10"
    assert list(group.member_files) == [folder / "cgroup.procs"]


def test_tree_when_version_2_lacks_controllers_then_none_and_says_why(tmp_path: Path, own: Path) -> None:
    tree = find_tree("fastflow-x", version_2(tmp_path, "hugetlb"), own)
    assert tree.version is None and "none of memory, pids, cpu is available" in (tree.why or "")
    assert tree.create("run.1", Limits(memory_bytes=1)) is None


def test_tree_when_nothing_mounted_then_none(tmp_path: Path, own: Path) -> None:
    tree = find_tree("fastflow-x", write(tmp_path / "mounts", "proc /proc proc rw 0 0\n"), own)
    assert tree.version is None and tree.why == "no control groups are mounted"


def test_tree_when_version_1_then_own_path_is_used_and_limits_set(tmp_path: Path) -> None:
    root = tmp_path / "v1"
    for controller in ("memory", "pids", "cpu"):
        write(root / controller / "docker" / "abc" / "fastflow-x" / "cgroup.procs", "")
    mounts = write(
        tmp_path / "mounts", "".join(f"cgroup {root}/{c} cgroup rw,{c} 0 0\n" for c in ("memory", "pids", "cpu"))
    )
    own = write(tmp_path / "own", "3:memory:/docker/abc\n2:pids:/docker/abc\n1:cpu:/docker/abc\n0::/\n")
    tree = find_tree("fastflow-x", mounts, own)
    assert tree.version == 1
    group = tree.create("run.1", Limits(memory_bytes=4096))
    assert group is not None and set(group.folders) == {"memory", "pids"}
    assert (root / "memory/docker/abc/fastflow-x/run.1/memory.limit_in_bytes").read_text() == "4096"
    assert tree.leftovers() == {"run.1"}
