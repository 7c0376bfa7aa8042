"""The folder on a node: whose it is, and what is tidied away in it."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

import fastflow.kernel.executors.ray.node as agent_package
import fastflow.kernel.executors.sidecar as sidecar_package

sys.path.insert(0, str(Path(agent_package.__file__).parent))
sys.path.insert(0, str(Path(sidecar_package.__file__).parent))
import nodehome

sys.path.pop(0)
sys.path.pop(0)

LONG_AGO = 1_000_000_000


@pytest.fixture
def home(tmp_path: Path) -> Any:
    made = nodehome.Home(str(tmp_path / "home"))
    made.open()
    return made


def test_home_when_opened_twice_then_it_is_the_same(home: Any) -> None:
    home.open()
    assert {path.name for path in Path(home.path).iterdir()} == {"runs", "envs", "build", "tools", "uv_cache", "python"}


@pytest.mark.parametrize("kind", ["link", "file", "open to all"])
def test_home_when_it_is_not_ours_alone_then_it_is_not_used(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "home"
    if kind == "link":
        (tmp_path / "elsewhere").mkdir()
        place.symlink_to(tmp_path / "elsewhere")
    elif kind == "file":
        place.touch()
    else:
        place.mkdir()
        place.chmod(0o777)
    with pytest.raises(nodehome.HomeError):
        nodehome.Home(str(place)).open()


def test_attempt_when_made_twice_then_the_second_is_refused(home: Any) -> None:
    home.make_attempt("r.1")
    with pytest.raises(nodehome.HomeError):
        home.make_attempt("r.1")


def test_sweep_when_due_then_what_nobody_holds_goes_and_what_is_in_use_stays(home: Any) -> None:
    held = home.make_attempt("held.1")
    left, old, used, fresh = (
        Path(home.at(*names)) for names in (("runs", "left.1"), ("envs", "old"), ("envs", "used"), ("envs", "fresh"))
    )
    for folder in (left, old, used, fresh):
        (folder / "sub").mkdir(parents=True)
        (folder / "sub").chmod(0o500)
    for folder in (old, used):
        os.utime(folder, (LONG_AGO, LONG_AGO))
    descriptor = nodehome.hold(str(used), shared=True)
    home.sweep(30)
    assert [Path(held).exists(), left.exists(), old.exists(), used.exists(), fresh.exists()] == [
        True,
        False,
        False,
        True,
        True,
    ]
    assert list(Path(home.at("build")).iterdir()) == []
    os.close(descriptor)
    home.sweep(30)
    assert used.exists(), "it is not due again so soon"


def test_folder_when_removed_while_it_was_to_be_held_then_said(home: Any) -> None:
    with pytest.raises(FileNotFoundError):
        nodehome.hold(home.at("envs", "nothing"), shared=True)


def test_attempt_when_the_script_left_closed_folders_then_removed_all_the_same(home: Any) -> None:
    folder = Path(home.make_attempt("r.1"))
    (folder / "work" / "closed" / "deep").mkdir(parents=True)
    (folder / "work" / "closed").chmod(0)
    home.remove_attempt(str(folder))
    assert not folder.exists()
