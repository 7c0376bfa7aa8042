import os
from pathlib import Path

import pytest

from fastflow.kernel.executors.docker.slots import Slots, link_tree, read_note, removed_on_error
from fastflow.kernel.executors.port import RunKey
from fastflow.kernel.executors.process.zygotes import RunUser

KEY = RunKey(run_id="01a1fd32-735c-753b-ac87-733f3c3a55af", token=3)


@pytest.fixture
def slots(tmp_path: Path) -> Slots:
    made = Slots(tmp_path / "containers", RunUser(uid=None, gid=None))
    made.open()
    return made


def test_slot_when_made_then_nobody_else_gets_in_and_it_is_no_attempt(slots: Slots) -> None:
    slot = slots.make()
    assert slots.root.stat().st_mode & 0o777 == 0o700
    assert slots.attempts() == []
    assert slots.live() == {slot.name}
    slot.remove()


def test_slot_when_given_to_a_run_then_found_by_its_key_with_its_first_name(slots: Slots) -> None:
    slot = slots.make()
    slot.note(image="sha256:ab", container="c1")
    slot.give_to(KEY)
    assert slots.attempts() == [KEY] and not slot.is_held
    note = read_note(slots.folder(KEY))
    assert note is not None and (note.slot, note.id, note.image) == (slot.name, "c1", "sha256:ab")
    assert slots.live() == {slot.name}


def test_slot_when_the_attempt_was_sealed_then_not_given(slots: Slots) -> None:
    (slots.folder(KEY) / "ctl").mkdir(parents=True)
    slot = slots.make()
    with pytest.raises(FileExistsError, match="sealed"):
        slot.give_to(KEY)
    assert slot.is_held
    slot.remove()


def test_slots_when_their_process_is_gone_then_removed_and_not_live(slots: Slots) -> None:
    slot = slots.make()
    slot._held.close()  # as its process's end does
    assert slots.live() == set()
    assert not slot.folder.exists()


def test_slot_when_something_fails_then_removed(slots: Slots) -> None:
    slot = slots.make()
    with pytest.raises(RuntimeError), removed_on_error(slot):
        raise RuntimeError
    assert not slot.folder.exists()


def test_note_when_absent_or_torn_then_none(tmp_path: Path) -> None:
    assert read_note(tmp_path) is None
    (tmp_path / "container").write_text('{"slot"')
    assert read_note(tmp_path) is None


def test_attempts_when_other_things_lie_there_then_left_out(slots: Slots) -> None:
    for name in ("images", "slot.0123", "identity"):
        (slots.root / name).mkdir()
    assert slots.attempts() == []


def test_tree_when_linked_then_files_are_shared_links_kept_and_bytecode_left_out(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "package" / "__pycache__").mkdir(parents=True)
    (source / "package" / "module.py").write_text("x = 1")
    (source / "link").symlink_to("package/module.py")
    link_tree(source, tmp_path / "target")
    target = tmp_path / "target"
    assert (target / "package" / "module.py").samefile(source / "package" / "module.py")
    assert os.readlink(target / "link") == "package/module.py"
    assert not (target / "package" / "__pycache__").exists()
