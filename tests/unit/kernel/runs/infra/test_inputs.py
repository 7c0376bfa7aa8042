"""Inputs of runs on a real disk."""

import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pytest

from fastflow.kernel.runs.domain.errors import InputsRefused
from fastflow.kernel.runs.infra.inputs import DiskInputs


@pytest.fixture
def store(tmp_path: Path) -> DiskInputs:
    return DiskInputs(tmp_path / "inputs")


def files(**texts: str) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        for name, text in texts.items():
            (folder / name).write_text(text)

    return fill


def nothing(_hashes: Sequence[str]) -> Collection[str]:
    return ()


def found(store: DiskInputs, name: str) -> Path:
    folder = store.find(name)
    assert folder is not None
    return folder


def test_keep_when_the_content_is_equal_then_it_is_there_once_and_else_large_files_are_shared(
    store: DiskInputs,
) -> None:
    first = store.keep(files(panel="many rows", experiment="1"))
    assert store.keep(files(experiment="1", panel="many rows")) == first
    other = store.keep(files(panel="many rows", experiment="2"))
    assert other != first
    assert found(store, first).joinpath("panel").samefile(found(store, other) / "panel")
    assert sorted(path.name for path in store.root.iterdir()) == sorted([".files", first, other])


def test_keep_when_a_file_is_linked_then_nothing_is_copied_and_it_stays_where_it_was(
    store: DiskInputs, tmp_path: Path
) -> None:
    segment = tmp_path / "segment.parquet"
    segment.write_text("rows")
    segment.chmod(0o644)
    name = store.keep(lambda folder: os.link(segment, folder / "panel.parquet"))
    assert found(store, name).joinpath("panel.parquet").samefile(segment)


def test_keep_when_a_linked_file_is_not_for_all_then_the_run_gets_a_copy_and_the_file_keeps_its_rights(
    store: DiskInputs, tmp_path: Path
) -> None:
    private = tmp_path / "private"
    private.write_text("rows")
    private.chmod(0o600)
    name = store.keep(lambda folder: os.link(private, folder / "panel"))
    kept = found(store, name) / "panel"
    assert (kept.samefile(private), kept.stat().st_mode & 0o777) == (False, 0o644)
    assert private.stat().st_mode & 0o777 == 0o600


def test_keep_when_something_is_no_plain_file_then_refused_and_nothing_stays(store: DiskInputs) -> None:
    with pytest.raises(InputsRefused, match="link is no plain file"):
        store.keep(lambda folder: (folder / "link").symlink_to("/etc/passwd"))
    assert [path.name for path in store.root.iterdir()] == [".files"]


def test_remove_unused_when_no_run_needs_them_then_they_go_with_their_files(store: DiskInputs) -> None:
    kept, gone, fresh = (store.keep(files(panel=text)) for text in ("kept", "gone", "fresh"))
    for name in (kept, gone):
        os.utime(store.root / name, (0, 0))
    assert store.remove_unused(lambda hashes: {kept} & set(hashes), 0.0) == [gone]
    assert (store.find(kept) is not None, store.find(gone), store.find(fresh) is not None) == (True, None, True)
    assert len(list((store.root / ".files").iterdir())) == 2


def test_remove_unused_when_there_never_were_any_then_nothing(store: DiskInputs) -> None:
    assert store.remove_unused(nothing, 0.0) == []
