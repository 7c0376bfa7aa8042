"""Whether there is room on disk for further runs."""

from pathlib import Path

from fastflow.kernel.runs.infra.disk import DiskFloor

MORE_THAN_ANY_DISK = 2**40


def test_floor_when_there_is_room_or_none_is_wanted_then_nothing_holds_runs_back(tmp_path: Path) -> None:
    assert DiskFloor({"DATA_DIR": tmp_path}, 0)() is None
    assert DiskFloor({"DATA_DIR": tmp_path}, 1)() is None
    assert DiskFloor({"DATA_DIR": tmp_path / "gone"}, MORE_THAN_ANY_DISK)() is None


def test_floor_when_a_disk_is_nearly_full_then_it_is_named_with_the_setting(tmp_path: Path) -> None:
    why = DiskFloor({"LOGS_DIR": tmp_path}, MORE_THAN_ANY_DISK)()
    assert why is not None
    assert why.startswith("LOGS_DIR has ")
    assert why.endswith(f" MB free, less than the {MORE_THAN_ANY_DISK} MB of MIN_FREE_DISK_MB")
