"""What a hostile build leaves behind must not lead the server, which may be root, to change anything else."""

import os
import stat
from pathlib import Path

import pytest

from fastflow.kernel.environments.domain.environment import EnvironmentCard
from fastflow.kernel.environments.domain.errors import SetupFailed
from fastflow.kernel.environments.infra.sealing import CARD_NAME, hand_over, make_readable, seal
from fastflow.testing.clock import START

CARD = EnvironmentCard(
    hash="1" * 64,
    interpreter="cpython-3.11.7",
    lock="",
    uv_version="1.0",
    size_bytes=1,
    packages=0,
    build_seconds=0.1,
    built_at=START,
    last_used_at=START,
)


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    path = tmp_path / "precious"
    path.write_text("keep")
    path.chmod(0o600)
    return path


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "built"
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "x.py").write_text("")
    (folder / "tool").write_text("")
    (folder / "tool").chmod(0o6755)
    return folder


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_seal_when_done_then_readable_for_all_writable_for_nobody_and_without_setuid(built: Path) -> None:
    seal(built, CARD, None)
    assert {path.name: _mode(path) for path in built.rglob("*")} == {
        "lib": 0o555,
        "x.py": 0o444,
        "tool": 0o555,
        CARD_NAME: 0o444,
    }


def test_seal_when_links_lead_outside_then_they_are_not_followed(built: Path, precious: Path) -> None:
    (built / "link").symlink_to(precious)
    (built / "folder").symlink_to(precious.parent)
    seal(built, CARD, None)
    assert _mode(precious) == 0o600


def test_seal_when_a_link_takes_the_place_of_the_card_then_refused(built: Path, precious: Path) -> None:
    (built / CARD_NAME).symlink_to(precious)
    with pytest.raises(FileExistsError):
        seal(built, CARD, None)
    assert precious.read_text() == "keep"


def test_seal_when_the_environment_itself_is_a_link_then_refused(built: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(built)
    with pytest.raises(NotADirectoryError):
        seal(link, CARD, None)
    assert not (built / CARD_NAME).exists()


def test_seal_when_a_private_file_of_the_server_is_linked_in_then_refused(built: Path, precious: Path) -> None:
    (built / "hard").hardlink_to(precious)
    builder = os.geteuid() + 1
    with pytest.raises(SetupFailed, match="hard link"):
        seal(built, CARD, builder)
    assert _mode(precious) == 0o600


def test_seal_when_there_is_a_pipe_then_refused_instead_of_waiting(built: Path) -> None:
    os.mkfifo(built / "pipe")
    with pytest.raises(SetupFailed, match="pipe"):
        seal(built, CARD, None)


def test_make_readable_when_written_under_a_strict_umask_then_all_can_read_and_links_are_left(
    built: Path, precious: Path
) -> None:
    (built / "lib" / "x.py").chmod(0o600)
    (built / "lib").chmod(0o700)
    (built / "link").symlink_to(precious)
    make_readable(built)
    assert (_mode(built / "lib"), _mode(built / "lib" / "x.py")) == (0o755, 0o644)
    assert _mode(precious) == 0o600


def test_hand_over_when_given_to_its_owner_then_nothing_else_changes(built: Path, precious: Path) -> None:
    (built / "link").symlink_to(precious)
    before = {path.name: _mode(path) for path in built.rglob("*") if path.name != "tool"}
    hand_over(built, os.geteuid())
    assert {path.name: _mode(path) for path in built.rglob("*") if path.name != "tool"} == before
