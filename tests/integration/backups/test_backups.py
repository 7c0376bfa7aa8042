"""Backups: out of either database into either, everything checked before anything is changed."""

import io
import json
import shutil
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from fastflow.kernel.backups.domain.errors import (
    BackupDamaged,
    BackupTooNew,
    SchemaOld,
    ServerRuns,
    TargetExists,
    TargetNotEmpty,
)
from fastflow.kernel.backups.domain.manifest import MANIFEST, read_manifest
from fastflow.kernel.backups.service import BackupService
from fastflow.kernel.backups.wiring import build_backups
from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.types import metadata
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.read_store import SqlReadStore
from fastflow.kernel.runs.infra.submit_store import SqlSubmitStore
from fastflow.kit.identity import SYSTEM
from fastflow.migrations import tables
from fastflow.testing.clock import START, FakeClock
from fastflow.testing.postgres import PostgresServer
from fastflow.testing.run_doubles import make_run

assert tables.__all__
ONE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


class House:
    """A server's places, and backups of them."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.is_running = False

    @property
    def service(self) -> BackupService:
        return build_backups(
            self.url,
            data_dir=self.folder,
            logs_dir=self.folder / "logs",
            version="1.2.3",
            is_running=lambda: self.is_running,
            clock=FakeClock(),
        )

    def rows(self) -> dict[str, list[Any]]:
        with closing(Database(self.url)) as database, database.read() as connection:
            return {
                table.name: sorted(
                    json.dumps(dict(row), sort_keys=True, default=str)  # PostgreSQL keeps no order of members
                    for row in connection.execute(select(table)).mappings()
                )
                for table in metadata.sorted_tables
            }


def furnish(house: House, count: int = 3) -> list[str]:
    """Runs that ended, each with its log, artifact and code."""
    ids = []
    with closing(Database(house.url)) as database:
        for number in range(count):
            run = replace(
                make_run(params={"text": "\u00e4\u2028\ud7ff", "n": number, "$time": "no time"}),
                status=RunStatus.SUCCESS,
                finished_at=START + timedelta(microseconds=number),
                metrics={"auc": 0.5},
            )
            SqlSubmitStore(database).insert(run, admission=None, actor=SYSTEM, action="run.submit", detail={})
            ids.append(run.id)
    for run_id in ids:
        for path, content in {
            f"logs/{run_id}.log": "line\n", f"artifacts/{run_id}/deep/out.csv": "1,2\n", f"code/{'t' * 64}/main.py": "print()\n",
            "host_id": "host-1", "encryption.key": "key",
        }.items():  # fmt: skip
            place = house.folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content)
    return ids


@pytest.fixture
def house(database_url: str, data_dir: Path) -> House:
    return House(database_url, data_dir)


@pytest.fixture
def empty(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[str], House]]:
    """Makes a house without anything, with a database of a kind."""
    made: list[str] = []

    def make(kind: str) -> House:
        folder = tmp_path / f"new-{kind}-{len(made)}"
        folder.mkdir()
        if kind == "sqlite":
            made.append("")
            return House(f"sqlite:///{folder / 'fastflow.db'}", folder)
        server: PostgresServer = request.getfixturevalue("postgres_server")
        made.append(f"b{uuid4().hex}")
        return House(server.create_database(made[-1]), folder)

    yield make
    for name in filter(None, made):
        request.getfixturevalue("postgres_server").drop_database(name)


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_backup_when_restored_into_either_database_then_every_row_and_file_is_there(
    house: House, empty: Callable[[str], House], tmp_path: Path, target: str
) -> None:
    ids = furnish(house)
    manifest = house.service.create(tmp_path / "b", ["code", "logs", "artifacts", "key"])
    assert (manifest.tables["run"], manifest.version, manifest.created_at) == (3, "1.2.3", START.isoformat())
    other = empty(target)
    other.service.restore(tmp_path / "b")
    assert other.rows() == house.rows()
    for run_id in ids:
        assert (other.folder / f"logs/{run_id}.log").read_text() == "line\n"
        assert (other.folder / f"artifacts/{run_id}/deep/out.csv").read_text() == "1,2\n"
    assert (other.folder / f"code/{'t' * 64}/main.py").exists() and (other.folder / "host_id").read_text() == "host-1"
    with closing(Database(other.url)) as database:  # new rows get new numbers
        run = make_run()
        SqlSubmitStore(database).insert(run, admission=None, actor=SYSTEM, action="run.submit", detail={})
        assert SqlReadStore(database).find(run.id) is not None


def test_backup_when_made_while_others_write_then_it_is_one_moment(house: House, tmp_path: Path) -> None:
    furnish(house, 1)
    stop, written = threading.Event(), threading.Event()

    def write() -> None:
        with closing(Database(house.url)) as database:
            while not stop.is_set():
                SqlSubmitStore(database).insert(
                    make_run(), admission=None, actor=SYSTEM, action="run.submit", detail={}
                )
                written.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert written.wait(30)
        for number in range(3):
            manifest = house.service.create(tmp_path / f"b{number}", [])
            # a run, the event that it waits and the audit entry are written in one transaction
            assert manifest.tables["run"] == manifest.tables["run_event"] == manifest.tables["audit"]
            assert house.service.verify(tmp_path / f"b{number}") == manifest
    finally:
        stop.set()
        writer.join()


@ONE
@pytest.mark.parametrize("name", ["b.tar", "b.tar.gz", "b.tgz"])
def test_backup_when_packed_then_it_is_one_file_for_the_owner_alone(
    house: House, empty: Callable[[str], House], tmp_path: Path, name: str
) -> None:
    furnish(house)
    house.service.create(tmp_path / name, ["logs"])
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    other = empty("sqlite")
    other.service.restore(tmp_path / name)
    assert other.rows() == house.rows()
    assert not (other.folder / "encryption.key").exists(), "it was not asked for"
    with pytest.raises(TargetExists):
        house.service.create(tmp_path / name, [])


@ONE
def test_backup_when_damaged_then_nothing_is_changed(
    house: House, empty: Callable[[str], House], tmp_path: Path
) -> None:
    furnish(house)
    good = tmp_path / "good"
    house.service.create(good, ["logs"])
    log = next((good / "logs").iterdir()).name

    def broken(change: Callable[[Path], object]) -> str:
        bad = tmp_path / f"bad-{uuid4().hex}"
        shutil.copytree(good, bad)
        change(bad)
        other = empty("sqlite")
        with pytest.raises(BackupDamaged) as caught:
            other.service.restore(bad)
        assert list(other.folder.iterdir()) == []
        return caught.value.message

    assert "is not what was written" in broken(lambda bad: (bad / "logs" / log).write_text("other\n"))
    assert "is missing" in broken(lambda bad: (bad / "logs" / log).unlink())
    assert "put in later" in broken(lambda bad: (bad / "more").write_text("x"))
    assert "no manifest" in broken(lambda bad: (bad / MANIFEST).unlink())
    assert "cannot be read" in broken(lambda bad: (bad / MANIFEST).write_text("{"))
    assert "has not the rows" in broken(lambda bad: _alter(bad, tables={"run": 7}))
    (tmp_path / "cut.tar").write_bytes(b"x" * 2000)
    with pytest.raises(BackupDamaged, match="cannot be unpacked"):
        house.service.verify(tmp_path / "cut.tar")
    with pytest.raises(BackupDamaged, match="no backup at"):
        house.service.verify(tmp_path / "nothing")


def _alter(folder: Path, **values: object) -> None:
    manifest = replace(read_manifest((folder / MANIFEST).read_text()), **values)  # type: ignore[arg-type]
    (folder / MANIFEST).write_text(manifest.to_json())


@ONE
def test_archive_when_it_points_outside_then_it_is_refused(house: House, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        entry = tarfile.TarInfo("../outside")
        entry.size = 1
        tar.addfile(entry, io.BytesIO(b"x"))
    with pytest.raises(BackupDamaged):
        house.service.verify(tmp_path / "evil.tar")
    assert not (tmp_path / "outside").exists()


@ONE
def test_restore_when_the_schema_is_newer_or_the_format_unknown_then_it_is_refused(
    house: House, tmp_path: Path
) -> None:
    house.service.create(tmp_path / "b", [])
    _alter(tmp_path / "b", revision="9999")
    with pytest.raises(BackupTooNew, match="9999"):
        house.service.restore(tmp_path / "b", force=True)
    told = json.loads((tmp_path / "b" / MANIFEST).read_text())
    (tmp_path / "b" / MANIFEST).write_text(json.dumps({**told, "format": 2}))
    with pytest.raises(BackupDamaged, match="format"):
        house.service.verify(tmp_path / "b")


def test_restore_when_something_is_there_then_only_force_replaces_it(house: House, tmp_path: Path) -> None:
    furnish(house)
    before = house.rows()
    house.service.create(tmp_path / "b", ["logs"])
    furnish(house, 2)
    with pytest.raises(TargetNotEmpty, match="database"):
        house.service.restore(tmp_path / "b")
    house.is_running = True
    with pytest.raises(ServerRuns):
        house.service.restore(tmp_path / "b", force=True)
    house.is_running = False
    house.service.restore(tmp_path / "b", force=True)
    assert house.rows() == before


def test_backup_when_the_database_was_never_brought_up_to_date_then_it_is_said(tmp_path: Path) -> None:
    house = House(f"sqlite:///{tmp_path / 'none.db'}", tmp_path)
    with pytest.raises(SchemaOld, match="none"):
        house.service.create(tmp_path / "b", [])
    assert not (tmp_path / "b").exists()
