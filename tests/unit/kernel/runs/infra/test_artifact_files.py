import hashlib
import os
from pathlib import Path

import pytest

from fastflow.kernel.runs.infra import artifact_files
from fastflow.kernel.runs.infra.artifact_files import ArtifactFiles, collect


def test_collect_when_there_is_no_folder_then_nothing_is_found(tmp_path: Path) -> None:
    assert collect(tmp_path / "none").artifacts == ()


def test_collect_when_entries_are_tricks_then_only_regular_files_are_taken(tmp_path: Path) -> None:
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "b" / "c" / "data").write_bytes(b"12345")
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff")).write_bytes(b"x")
    (tmp_path / "new\nline").write_bytes(b"x")
    os.utime(tmp_path / "a", (1e18, 1e18))
    found = collect(tmp_path)
    assert [(item.path, item.size_bytes) for item in found.artifacts] == [("a", 0), ("b/c/data", 5)]
    assert found.artifacts[1].sha256 == hashlib.sha256(b"12345").hexdigest()
    assert len(found.notes) == 2
    assert all(note.isprintable() and note.isascii() for note in map(str.strip, " ".join(found.notes).split("…")))


def test_collect_when_there_are_too_many_then_the_rest_is_left_out_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact_files, "MAX_ENTRIES", 5)
    for number in range(9):
        (tmp_path / str(number)).touch()
    found = collect(tmp_path)
    assert len(found.artifacts) == 5
    assert "only the first 5" in found.notes[0]


def test_collect_when_folders_nest_without_end_then_it_stops(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(artifact_files.MAX_DEPTH + 3):
        deep /= "d"
    deep.mkdir(parents=True)
    (deep / "file").touch()
    found = collect(tmp_path)
    assert found.artifacts == ()
    assert "nested too deep" in found.notes[0]


def test_open_when_a_folder_on_the_way_is_a_link_then_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(b"x")
    (tmp_path / "run" / "link").symlink_to(tmp_path / "outside")
    files = ArtifactFiles(tmp_path)
    for path in ("link/file", "../outside/file", "./x", "", "a//b", "link"):
        with pytest.raises(OSError):
            files.open("run", path)


def test_open_when_it_is_a_hard_link_to_somebody_elses_file_then_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "theirs").write_bytes(b"key")
    (tmp_path / "run" / "link").hardlink_to(tmp_path / "theirs")
    files = ArtifactFiles(tmp_path)
    os.close(files.open("run", "link"))
    plain = os.fstat

    def as_of_another_owner(descriptor: int) -> os.stat_result:
        found = plain(descriptor)
        return os.stat_result((*found[:4], found.st_uid + (found.st_nlink > 1 and found.st_size == 3), *found[5:10]))

    monkeypatch.setattr(os, "fstat", as_of_another_owner)
    with pytest.raises(FileNotFoundError):
        files.open("run", "link")
