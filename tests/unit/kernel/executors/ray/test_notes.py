"""The executor's own small files."""

from pathlib import Path

from fastflow.kernel.executors.ray.notes import append_note, read_owner


def test_note_when_the_log_is_still_ours_then_a_line_of_it_and_else_none(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    log.write_bytes(b"before\n")
    append_note(log, "it waits", unless=lambda: False)
    append_note(log, "too late", unless=lambda: True)
    first, second = log.read_bytes().splitlines()
    assert (
        first == b"before" and second.endswith(b"Z stderr F [fastflow] it waits") and len(second.split(b" ")[0]) == 30
    )


def test_owner_when_asked_for_again_then_the_same(tmp_path: Path) -> None:
    assert read_owner(tmp_path) == read_owner(tmp_path) != ""
