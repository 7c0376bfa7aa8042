import json
import shutil
from pathlib import Path

from fastflow.kernel.executors.docker.identity import read_identity


def test_identity_when_asked_again_then_the_same(tmp_path: Path) -> None:
    assert read_identity(tmp_path) == read_identity(tmp_path)


def test_identity_when_the_folder_was_copied_then_another_one(tmp_path: Path) -> None:
    original = tmp_path / "original"
    original.mkdir()
    mine = read_identity(original)
    copy = Path(shutil.copytree(original, tmp_path / "copy"))
    assert read_identity(copy) != mine
    assert read_identity(original) == mine


def test_identity_when_its_folder_was_moved_then_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    mine = read_identity(folder)
    assert read_identity(folder.rename(tmp_path / "there")) == mine


def test_identity_when_torn_by_a_crash_then_made_anew(tmp_path: Path) -> None:
    (tmp_path / "identity").write_text('{"ident')
    assert read_identity(tmp_path) == json.loads((tmp_path / "identity").read_text())["identity"]
