"""What the sandbox finds out about the machine."""

import sys
from pathlib import Path

import pytest

import fastflow.kernel.executors.sidecar as sidecar_package

sys.path.insert(0, str(Path(sidecar_package.__file__).parent))
import sandbox

sys.path.pop(0)

HERE = "36 35 98:0 / / rw,noatime master:1 - ext4 /dev/root rw\n37 36 0:21 / /proc rw shared:5 - proc proc rw\n"
IN_A_CHROOT = "37 36 0:21 / /proc rw shared:5 - proc proc rw\n41 36 0:30 / /tmp rw - tmpfs tmpfs rw\n"


@pytest.mark.parametrize(("mounts", "is_one"), [(HERE, True), (IN_A_CHROOT, False), ("", False)])
def test_root_when_it_is_a_folder_of_somebodys_file_system_then_is_no_mount(
    tmp_path: Path, mounts: str, is_one: bool
) -> None:
    (tmp_path / "mountinfo").write_text(mounts)
    assert sandbox.is_root_a_mount(str(tmp_path / "mountinfo")) is is_one
