"""Logs and artifacts as the runner touches them; what a run left is never trusted."""

import hashlib
import os
import re
from pathlib import Path

import pytest

from fastflow.kernel.runs.infra.files import RunFolder
from fastflow.testing.clock import FakeClock


@pytest.fixture
def files(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "logs", tmp_path / "artifacts", FakeClock())


def test_note_when_appended_has_the_form_of_a_log_line(files: RunFolder) -> None:
    files.append_note("r", "first\nsecond")
    files.append_note("r", "x" * 20_000)
    lines = files.log_path("r").read_text().splitlines()
    assert lines[:2] == [
        "2026-01-15T12:00:00.000000000Z stderr F [fastflow] first",
        "2026-01-15T12:00:00.000000000Z stderr F [fastflow] second",
    ]
    assert [line.split(" ", 3)[2] for line in lines[2:]] == ["P", "F"]
    assert all(re.match(r"\S+Z stderr [FP] ", line) for line in lines)
    assert sum(len(line.split(" ", 3)[3]) for line in lines[2:]) == 20_000 + len("[fastflow] ")


HEAD = b"2026-01-15T11:59:59.000000000Z"
NOTE = b"2026-01-15T12:00:00.000000000Z stderr F [fastflow] ours\n"
EMPTY_END = b"2026-01-15T12:00:00.000000000Z stderr F \n"


@pytest.mark.parametrize(
    ("there", "between"),
    [
        (b"", b""),
        (HEAD + b" stdout F whole\n", b""),
        (HEAD + b" stdout F torn", b"\n"),
        (HEAD + b" stdout F whole\n" + HEAD[:9], b"\n"),
        (HEAD + b" stdout P waits\n", b""),
        (HEAD + b" stderr P waits\n", EMPTY_END),
        (HEAD + b" stderr P waits\n" + HEAD + b" stdout F other\n", EMPTY_END),
        (HEAD + b" stderr P waits\n" + HEAD + b" stderr F ends\n", b""),
        (HEAD + b" stderr P torn", b"\n" + EMPTY_END),
    ],
)
def test_note_when_the_log_was_broken_off_begins_a_line_of_its_own(
    files: RunFolder, there: bytes, between: bytes
) -> None:
    files.log_path("r").parent.mkdir()
    files.log_path("r").write_bytes(there)
    files.append_note("r", "ours")
    assert files.log_path("r").read_bytes() == there + between + NOTE


def test_artifacts_when_there_is_no_folder_are_none(files: RunFolder) -> None:
    assert files.collect_artifacts("r") == ([], [])


def test_artifacts_when_collected_are_regular_files_inside_alone(files: RunFolder, tmp_path: Path) -> None:
    root = files.artifacts_dir("r")
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"hello")
    (root / "sub" / "deep" / "b").write_bytes(b"")
    (tmp_path / "secret").write_text("not ours")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "folder-link").symlink_to(tmp_path)
    os.mkfifo(root / "pipe")
    (root / "new\nline").write_text("odd")
    found, notes = files.collect_artifacts("r")
    assert [(each.path, each.size_bytes, each.sha256) for each in found] == [
        ("a.txt", 5, hashlib.sha256(b"hello").hexdigest()),
        ("sub/deep/b", 0, hashlib.sha256(b"").hexdigest()),
    ]
    assert len(notes) == 4 and all("\n" not in note for note in notes)


def test_artifacts_when_the_folder_itself_is_a_link_are_refused(files: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "artifacts").mkdir()
    files.artifacts_dir("r").symlink_to(tmp_path)
    with pytest.raises(OSError, match="r"):
        files.collect_artifacts("r")


def test_remove_when_repeated_does_nothing(files: RunFolder) -> None:
    files.append_note("r", "x")
    files.artifacts_dir("r").mkdir(parents=True)
    files.remove("r")
    files.remove("r")
    assert not files.log_path("r").exists() and not files.artifacts_dir("r").exists()


def test_last_line_when_it_stands_there_already_or_there_is_no_log_then_nothing_is_written(tmp_path: Path) -> None:
    files = RunFolder(tmp_path, tmp_path / "artifacts", FakeClock())
    files.append_last("r", "the run is lost")
    assert list(tmp_path.iterdir()) == []
    files.append_note("r", "first")
    files.append_last("r", "the run is lost")
    files.append_last("r", "the run is lost")
    lines = (tmp_path / "r.log").read_text().splitlines()
    assert [line.split(" ", 3)[3] for line in lines] == ["[fastflow] first", "[fastflow] the run is lost"]
