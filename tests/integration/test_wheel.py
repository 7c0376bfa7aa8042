"""What is installed is what is here."""

import subprocess
import zipfile
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"


def test_wheel_when_built_then_it_holds_every_file_of_the_package(tmp_path: Path) -> None:
    built = subprocess.run(
        [find_uv_bin(), "build", "--wheel", "--quiet", "--out-dir", str(tmp_path), str(ROOT)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        found = {name for name in packed.namelist() if not name.split("/")[0].endswith(".dist-info")}
    wanted = {
        str(path.relative_to(SOURCE))
        for path in (SOURCE / "fastflow").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert found == wanted
    assert any(not name.endswith(".py") for name in found)


def test_unit_when_read_then_it_starts_the_command_and_leaves_runs_alone() -> None:
    lines = (ROOT / "deploy" / "fastflow.service").read_text(encoding="utf-8").splitlines()
    settings = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    assert settings["ExecStart"].endswith("/fastflow serve")
    assert (settings["KillMode"], settings["Delegate"]) == ("process", "yes")
