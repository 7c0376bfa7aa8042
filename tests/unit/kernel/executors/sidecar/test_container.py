"""What a container's first process finds out about where it is."""

import sys
from pathlib import Path

import fastflow.kernel.executors.sidecar as sidecar_package

sys.path.insert(0, str(Path(sidecar_package.__file__).parent))
import container  # type: ignore[import-not-found]

sys.path.pop(0)


def touched(root: Path, *names: str) -> str:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return str(root)


def test_meter_when_groups_are_of_version_1_then_one_folder_for_each(tmp_path: Path) -> None:
    root = touched(tmp_path, "memory/memory.usage_in_bytes", "cpuacct/cpuacct.usage")
    assert container.find_meter(root) == {"version": 1, "memory": f"{root}/memory", "cpu": f"{root}/cpuacct"}


def test_meter_when_cpu_groups_are_joined_then_found(tmp_path: Path) -> None:
    root = touched(tmp_path, "memory/memory.usage_in_bytes", "cpu,cpuacct/cpuacct.usage")
    assert container.find_meter(root)["cpu"] == f"{root}/cpu,cpuacct"


def test_meter_when_groups_are_of_version_2_then_one_folder(tmp_path: Path) -> None:
    root = touched(tmp_path, "memory.current")
    assert container.find_meter(root) == {"version": 2, "memory": root, "cpu": root}


def test_meter_when_nothing_is_shown_then_none(tmp_path: Path) -> None:
    assert container.find_meter(str(tmp_path)) == {}
