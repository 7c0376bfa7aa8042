"""What a job takes along."""

import zipfile
from pathlib import Path

import pytest

from fastflow.kernel.executors.ray.package import AGENT_FOLDER, CODE_FOLDER, Packages, agent_files


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    (folder / "sub" / "__pycache__").mkdir(parents=True)
    (folder / "main.py").write_text("print(1)")
    (folder / "sub" / "tool.sh").write_text("#!/bin/sh\n")
    (folder / "sub" / "tool.sh").chmod(0o555)
    (folder / "sub" / "__pycache__" / "x.pyc").write_bytes(b"")
    (folder / "link").symlink_to("/etc/passwd")
    return folder


def test_package_when_made_then_agent_and_code_lie_beside_each_other(tmp_path: Path, code: Path) -> None:
    with Packages(tmp_path).pack(code) as file, zipfile.ZipFile(file) as archive:
        names = set(archive.namelist())
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in archive.infolist()}
    assert {name for name in names if name.startswith(CODE_FOLDER)} == {"code/main.py", "code/sub/tool.sh"}
    assert {f"{AGENT_FOLDER}/{name}" for name in ("agent.py", "supervisor.py", "__main__.py", "cgroups.py")} <= names
    assert modes["code/sub/tool.sh"] == 0o755 and modes["code/main.py"] == 0o644
    assert list(tmp_path.iterdir()) == [code]


def test_package_when_the_code_is_the_same_then_so_are_its_name_and_its_bytes(tmp_path: Path, code: Path) -> None:
    first, second = Packages(tmp_path), Packages(tmp_path)
    assert first.name_of(code) == second.name_of(code)
    with first.pack(code) as one, second.pack(code) as other:
        assert one.read() == other.read()


@pytest.mark.parametrize("change", ["content", "mode", "name"])
def test_package_when_the_code_differs_then_so_does_its_name(tmp_path: Path, code: Path, change: str) -> None:
    before = Packages(tmp_path).name_of(code)
    if change == "content":
        (code / "main.py").write_text("print(2)")
    elif change == "mode":
        (code / "main.py").chmod(0o755)
    else:
        (code / "main.py").rename(code / "other.py")
    assert Packages(tmp_path).name_of(code) != before


def test_agent_when_packed_then_it_can_be_imported_from_one_folder() -> None:
    assert {"agent.py", "uplink.py", "launch.py", "sandbox.py", "user_main.py"} <= set(agent_files())
    assert all(path.is_file() for path in agent_files().values())
