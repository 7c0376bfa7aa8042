"""Copies of code that travel through the database from one server to another."""

import tarfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from fastflow.kernel.db.engine import Database
from fastflow.kernel.pipelines.domain.errors import SnapshotFailed, SnapshotNotFound
from fastflow.kernel.pipelines.infra.archives import SqlArchives, pack, unpack
from fastflow.kernel.pipelines.infra.tables import CodeArchiveRow
from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kernel.pipelines.wiring import build_pipelines
from fastflow.testing.clock import FakeClock

pytestmark = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
ARCHIVE = CodeArchiveRow.__table__  # type: ignore[attr-defined]


@pytest.fixture
def pipelines(tmp_path: Path) -> Path:
    folder = tmp_path / "pipelines"
    (folder / "demo" / "lib").mkdir(parents=True)
    (folder / "demo" / "main.py").write_text("import lib.helper\n")
    (folder / "demo" / "lib" / "helper.py").write_text("x = 1\n")
    (folder / "demo" / "tool.sh").write_text("#!/bin/sh\n")
    (folder / "demo" / "tool.sh").chmod(0o755)
    return folder


def _server(database: Database, pipelines: Path, data: Path) -> PipelineCatalog:
    return build_pipelines(database, pipelines_dir=pipelines, data_dir=data)


def test_thaw_when_another_server_froze_it_then_the_same_files_are_here(
    database: Database, pipelines: Path, tmp_path: Path
) -> None:
    frozen = _server(database, pipelines, tmp_path / "a").freeze("demo")
    there = _server(database, tmp_path / "none", tmp_path / "b").thaw(frozen.tree_hash)
    assert there == tmp_path / "b" / "code" / frozen.tree_hash
    assert (there / "lib" / "helper.py").read_text() == "x = 1\n"
    assert (there / "tool.sh").stat().st_mode & 0o777 == 0o755
    assert (there / "main.py").stat().st_mode & 0o777 == 0o644


def test_thaw_when_the_stored_code_is_damaged_then_it_is_refused_and_nothing_stays(
    database: Database, pipelines: Path, tmp_path: Path
) -> None:
    frozen = _server(database, pipelines, tmp_path / "a").freeze("demo")
    (pipelines / "demo" / "main.py").write_text("print('another')\n")
    with database.write() as connection:
        connection.execute(update(ARCHIVE).values(archive=pack(pipelines / "demo")))
    other = _server(database, tmp_path / "none", tmp_path / "b")
    with pytest.raises(SnapshotFailed, match="not what its hash says"):
        other.thaw(frozen.tree_hash)
    with database.write() as connection:
        connection.execute(update(ARCHIVE).values(archive=b"no tar"))
    with pytest.raises(SnapshotFailed, match="could not be unpacked"):
        other.thaw(frozen.tree_hash)
    assert list((tmp_path / "b" / "code").iterdir()) == []


def test_thaw_when_nobody_stored_it_then_it_is_gone(database: Database, tmp_path: Path) -> None:
    with pytest.raises(SnapshotNotFound):
        _server(database, tmp_path / "none", tmp_path / "b").thaw("0" * 64)


def test_remove_when_unused_for_long_then_what_a_run_needs_and_what_is_kept_anew_stays(
    database: Database, pipelines: Path
) -> None:
    clock = FakeClock()
    archives = SqlArchives(database, clock)
    for name in "abc":
        archives.keep(name * 64, pipelines / "demo")
    clock.advance(timedelta(days=8))
    archives.keep("c" * 64, pipelines / "demo")

    def needed(hashes: Sequence[str]) -> Sequence[str]:
        assert sorted(hashes) == ["a" * 64, "b" * 64]
        return ["b" * 64]

    archives.remove_unused(needed, timedelta(days=7).total_seconds())
    assert [archives.load(name * 64) is not None for name in "abc"] == [False, True, True]


def test_unpack_when_it_holds_more_than_plain_files_then_refused(
    database: Database, pipelines: Path, tmp_path: Path
) -> None:
    (tmp_path / "evil").mkdir()
    packed = tmp_path / "evil.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        entry = tarfile.TarInfo("link")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(entry)
    with pytest.raises(tarfile.ReadError, match="no plain file"):
        unpack(packed.read_bytes(), tmp_path / "evil")
    assert list((tmp_path / "evil").iterdir()) == []
