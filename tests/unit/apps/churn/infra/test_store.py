import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from fastflow.apps.churn.domain.document import Document, Segment
from fastflow.apps.churn.errors import (
    DatabaseDamaged,
    DatabaseNewer,
    DatabaseUnwritable,
    ExportRefused,
    SnapshotNotFound,
)
from fastflow.apps.churn.infra.disk import Disk
from fastflow.apps.churn.infra.lock import DatabaseLock
from fastflow.apps.churn.infra.store import JsonStore
from fastflow.apps.churn.ports import Edit, Note
from fastflow.kit.identity import SYSTEM
from fastflow.testing.clock import FakeClock

NOTE = Note(actor=SYSTEM, action="test.change", subject="test")


class Audit:
    """Remembers what was told; a change that fails is not."""

    def __init__(self) -> None:
        self.told: list[str] = []

    @contextmanager
    def __call__(self, note: Note) -> Iterator[None]:
        yield
        self.told.append(note.action)


class Crash(BaseException):
    """The process died here."""


class CrashingDisk(Disk):
    """Dies at a step; within a write, after so many bytes."""

    def __init__(self, step: int, after_bytes: int | None = None) -> None:
        self.left, self.after_bytes = step, after_bytes

    def _next(self) -> None:
        if self.left == 0:
            raise Crash
        self.left -= 1

    def write(self, path: Path, content: bytes) -> None:
        if self.left == 0 and self.after_bytes is not None:
            super().write(path, content[: self.after_bytes])
            raise Crash
        self._next()
        super().write(path, content)

    def keep(self, path: Path, snapshot: Path) -> None:
        self._next()
        super().keep(path, snapshot)

    def replace(self, source: Path, target: Path) -> None:
        self._next()
        super().replace(source, target)

    def remove(self, path: Path) -> None:
        self._next()
        super().remove(path)

    def sync_folder(self, folder: Path) -> None:
        return


def store_at(folder: Path, disk: Disk | None = None, **more: int) -> JsonStore:
    path, clock = folder / "db.json", FakeClock()
    lock = DatabaseLock(path.with_suffix(".lock"), host="here", clock=clock, wait_seconds=0.2)
    return JsonStore(path, lock=lock, audited=Audit(), clock=clock, disk=disk, **more)


def adding(name: str) -> Edit:
    def edit(document: Document) -> tuple[Document, Note]:
        number, document = document.numbered("experiment")
        row = {"experiment_id": number, "experiment_name": name}
        return document.with_records("experiments", [*document.records("experiments"), row]), NOTE

    return edit


def with_segment(store: JsonStore, content: bytes, file_id: int) -> str:
    """Add a segment to rawdata."""
    sha256 = hashlib.sha256(content).hexdigest()
    with store.staging() as folder:
        file = folder / f"{sha256}.parquet"
        file.write_bytes(content)
        segment = Segment(sha256=sha256, rows=1, size=len(content), belongs={"file_id": file_id})
        store.change(lambda doc: (doc.with_segments("rawdata", [*doc.segments("rawdata"), segment]), NOTE), [file])
    return sha256


def names(store: JsonStore) -> list[str]:
    return [str(row["experiment_name"]) for row in store.read().records("experiments")]


def test_store_when_nothing_was_saved_then_it_is_empty_and_makes_nothing(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    assert store.read().revision == 0 and set(store.read().tables) == {"experiments", "files", "rawdata", "views"}
    assert list(tmp_path.iterdir()) == []


def test_change_when_saved_then_another_process_reads_it(tmp_path: Path) -> None:
    store, other = store_at(tmp_path), store_at(tmp_path)
    store.change(adding("first"))
    assert names(other) == ["first"]
    other.change(adding("second"))
    assert names(store) == ["first", "second"] and store.read().revision == 2
    assert store.path.stat().st_mode & 0o777 == 0o600


def test_change_when_the_edit_refuses_then_nothing_is_saved_nor_told(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.change(adding("first"))

    def refuse(_document: Document) -> tuple[Document, Note]:
        raise ValueError

    with pytest.raises(ValueError):
        store.change(refuse)
    assert names(store) == ["first"] and store._audited.told == ["test.change"]  # type: ignore[attr-defined]  # the double's
    store.change(adding("second"))


def test_change_when_the_process_dies_at_any_step_or_byte_then_the_state_is_the_one_before_or_after(
    tmp_path: Path,
) -> None:
    first = store_at(tmp_path / "model")
    first.change(adding("first"))
    size = first.path.stat().st_size + 100
    crashes = [(step, None) for step in range(6)] + [(0, count) for count in range(0, size, 7)]
    seen = set()
    for number, (step, count) in enumerate(crashes):
        folder = tmp_path / str(number)
        store_at(folder, Disk()).change(adding("first"))
        dying = store_at(folder, CrashingDisk(step, count))
        with suppress(Crash):
            dying.change(adding("second"))
        after = store_at(folder)
        assert names(after) in (["first"], ["first", "second"]), (step, count)
        seen.add(len(names(after)))
        after.change(adding("third"))  # nothing stands in the way
        assert names(after)[-1] == "third" and after.snapshots()[0].problem == ""
    assert seen == {1, 2}


def test_save_when_one_experiment_changes_then_no_segment_is_written(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    sha256 = with_segment(store, b"x" * 100_000, 1)
    before = store.segment(sha256).stat()
    store.change(adding("first"))
    after = store.segment(sha256).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert store.path.stat().st_size < 5_000


def test_snapshots_when_there_are_many_then_the_newest_stay_and_hold_what_was(tmp_path: Path) -> None:
    store = store_at(tmp_path, kept=3)
    for number in range(6):
        store.change(adding(str(number)))
    assert [one.revision for one in store.snapshots()] == [5, 4, 3]
    restored = store.restore(3, NOTE)
    assert restored.revision == 7 and names(store) == ["0", "1", "2"]
    store.change(adding("next"))
    assert [row["experiment_id"] for row in store.read().records("experiments")] == [1, 2, 3, 7]  # no number twice
    with pytest.raises(SnapshotNotFound):
        store.restore(1, NOTE)


def test_restore_when_the_document_is_damaged_then_it_is_kept_aside_and_the_snapshot_is_back(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.change(adding("first"))
    store.change(adding("second"))
    store.path.write_bytes(store.path.read_bytes()[:100])
    with pytest.raises(DatabaseDamaged) as caught:
        store.read()
    assert str(store.path) in caught.value.message and "restore" in caught.value.hint
    with pytest.raises(DatabaseDamaged):
        store.change(adding("third"))
    assert store.describe().problem and store.describe().revision is None
    store.restore(1, NOTE)
    assert names(store) == ["first"] and len(list(tmp_path.glob("db.json.damaged-*"))) == 1


def test_read_when_the_document_is_gone_but_snapshots_are_there_then_nothing_begins_anew(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.change(adding("first"))
    store.change(adding("second"))
    store.path.unlink()
    with pytest.raises(DatabaseDamaged, match="is gone"):
        store.change(adding("third"))


def test_read_when_a_newer_release_wrote_it_then_it_is_left_alone(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.change(adding("first"))
    store.path.write_text(store.path.read_text().replace('"version":1', '"version":2', 1))
    with pytest.raises(DatabaseNewer):
        store.change(adding("second"))


def test_segments_when_no_state_needs_them_then_they_go(tmp_path: Path) -> None:
    store = store_at(tmp_path, kept=2)
    sha256 = with_segment(store, b"one", 1)
    store.change(lambda document: (document.with_segments("rawdata", []), NOTE))
    assert store.segment(sha256).exists()  # a snapshot has it
    store.change(adding("first"))
    store.change(adding("second"))
    with pytest.raises(DatabaseDamaged):
        store.segment(sha256)
    assert list((tmp_path / "db_segments" / "incoming").iterdir()) == []


def test_change_when_it_names_a_segment_that_is_not_there_then_nothing_is_saved(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    segment = Segment(sha256="b" * 64, rows=1, size=1, belongs={})
    with pytest.raises(DatabaseDamaged):
        store.change(lambda document: (document.with_segments("rawdata", [segment]), NOTE))
    assert store.read().revision == 0


def test_export_when_imported_elsewhere_then_everything_is_there(tmp_path: Path) -> None:
    store, other = store_at(tmp_path / "a"), store_at(tmp_path / "b")
    store.change(adding("first"))
    big = bytes(range(256)) * 4000
    hashes = [with_segment(store, big, 1), with_segment(store, b"", 2)]
    exported = tmp_path / "export.json"
    exported.write_bytes(b"".join(store.export()))
    other.change(adding("other"))
    loaded = other.load_export(exported, NOTE)
    assert replace(loaded, revision=0, last_updated="") == replace(store.read(), revision=0, last_updated="")
    assert [other.segment(sha256).read_bytes() for sha256 in hashes] == [big, b""]
    assert other.snapshots()[0].revision == 1 and loaded.revision == 2


@pytest.mark.parametrize("damage", ["cut", "hash", "missing", "base64", "format", "document"])
def test_import_when_the_export_is_not_whole_then_nothing_changes(tmp_path: Path, damage: str) -> None:
    store = store_at(tmp_path / "a")
    sha256 = with_segment(store, b"one", 1)
    data = json.loads(b"".join(store.export()))
    if damage == "hash":
        data["segments"][sha256] = "AAAA"
    elif damage == "missing":
        data["segments"] = {}
    elif damage == "base64":
        data["segments"][sha256] = "!"
    elif damage == "format":
        data["format"] = "other"
    elif damage == "document":
        data["document"]["tables"] = 1
    text = json.dumps(data)
    path = tmp_path / "export.json"
    path.write_text(text[:-10] if damage == "cut" else text)
    before = store.path.read_bytes()
    with pytest.raises(ExportRefused):
        store.load_export(path, NOTE)
    assert store.path.read_bytes() == before


def test_change_when_the_disk_is_full_then_it_is_told_and_nothing_changed(tmp_path: Path) -> None:
    class Full(Disk):
        def write(self, path: Path, content: bytes) -> None:
            raise OSError(28, "No space left on device")

    store_at(tmp_path).change(adding("first"))
    store = store_at(tmp_path, Full())
    with pytest.raises(DatabaseUnwritable, match="No space left"):
        store.change(adding("second"))
    assert names(store) == ["first"]
