"""The database as a whole: out of it while it works, and into another one, of either kind."""

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

from sqlalchemy import JSON, Connection, MetaData, Table, func, insert, inspect, select, text

from fastflow.kernel.backups.domain.errors import BackupDamaged, BackupTooNew, SchemaOld
from fastflow.kernel.backups.domain.manifest import Manifest
from fastflow.kernel.backups.ports import Exported
from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.migrate import alembic_config, current_revision, head_revision, known_revisions, migrate
from fastflow.kernel.db.types import metadata

FILE: Final = "fastflow.db"
_BATCH: Final = 500
_PAGES: Final = 256
_TIME: Final = "$time"
_JSON: Final = "$json"
_VERSIONS: Final = "alembic_version"
_PRECIOUS: Final = ("run", "secret", "schedule", "channel", "webhook", "user_account")
"""What holds rows in a database that was used; the first start's own user alone is no use."""


class SqlDatabaseCopy:
    """See `ports.DatabaseCopy`.

    Args:
        url: of the database.
        data_dir: a new SQLite file is made here before it takes its place.
    """

    def __init__(self, url: str, data_dir: Path) -> None:
        self._url = url
        self._data_dir = data_dir

    def export(self, folder: Path) -> Exported:
        """See `DatabaseCopy.export`."""
        with closing(Database(self._url, silence_seconds=None)) as database:
            revision = current_revision(database)
            if revision != head_revision():
                raise SchemaOld(f"The database is at schema {revision or 'none'}; this release has {head_revision()}.")
            if database.is_sqlite:
                path = folder / FILE
                _back_up_sqlite(Path(cast("str", database.url.database)), path)
                with closing(Database(f"sqlite:///{path}")) as copied, copied.read() as connection:
                    tables = _count(connection)
                _settle_sqlite(path)
                return Exported(kind="sqlite", revision=revision, tables=tables)
            with database.engine.connect() as plain:
                connection = plain.execution_options(isolation_level="REPEATABLE READ")
                with connection.begin():
                    tables = {table.name: _write_rows(connection, table, folder) for table in metadata.sorted_tables}
            return Exported(kind="postgresql", revision=revision, tables=tables)

    def check(self, folder: Path, manifest: Manifest) -> None:
        """See `DatabaseCopy.check`."""
        if manifest.revision not in known_revisions():
            raise BackupTooNew(f"The backup has schema {manifest.revision}, which this release does not know.")
        try:
            found = _count_file(folder / FILE) if manifest.kind == "sqlite" else _count_lines(folder)
        except (sqlite3.DatabaseError, OSError, ValueError) as error:
            raise BackupDamaged(f"The database in the backup cannot be read: {error}.") from error
        wrong = [name for name, rows in manifest.tables.items() if found.get(name) != rows]
        if wrong:
            raise BackupDamaged(f"The table {wrong[0]} has not the rows that were written.")

    def is_empty(self) -> bool:
        """See `DatabaseCopy.is_empty`."""
        with closing(Database(self._url, silence_seconds=None)) as database, database.read() as connection:
            there = set(inspect(connection).get_table_names())
            for name in _PRECIOUS:
                if name in there:
                    most = 1 if name == "user_account" else 0
                    if connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one() > most:  # noqa: S608 - ours
                        return False
        return True

    def load(self, folder: Path, manifest: Manifest) -> None:
        """See `DatabaseCopy.load`."""
        with closing(Database(self._url, silence_seconds=None)) as database:
            is_sqlite, place = database.is_sqlite, database.url.database
        if is_sqlite:
            self._load_sqlite(folder, manifest, Path(cast("str", place)))
        else:
            self._load_postgresql(folder, manifest)

    def _load_sqlite(self, folder: Path, manifest: Manifest, place: Path) -> None:
        """Make the whole file aside, then let it take the place."""
        fresh = place.with_name(f"{place.name}.restored")
        _remove_sqlite(fresh)
        try:
            if manifest.kind == "sqlite":
                _back_up_sqlite(folder / FILE, fresh)
                with closing(Database(f"sqlite:///{fresh}")) as database:
                    migrate(database)
            else:
                with closing(Database(f"sqlite:///{fresh}")) as database:
                    with database.write() as connection:
                        _fill(connection, manifest, folder)
                    migrate(database)
            _settle_sqlite(fresh)
            for suffix in ("-wal", "-shm"):
                place.with_name(place.name + suffix).unlink(missing_ok=True)
            fresh.replace(place)
        finally:
            _remove_sqlite(fresh)

    def _load_postgresql(self, folder: Path, manifest: Manifest) -> None:
        """In one transaction: PostgreSQL takes back the tables it made as well."""
        with closing(Database(self._url, silence_seconds=None)) as database:
            with database.write() as connection:
                if manifest.kind == "postgresql":
                    _fill(connection, manifest, folder)
                else:
                    self._fill_from_sqlite(connection, folder)
            migrate(database)

    def _fill_from_sqlite(self, connection: Connection, folder: Path) -> None:
        aside = self._data_dir / "restoring.db"
        self._data_dir.mkdir(parents=True, exist_ok=True, mode=0o711)
        _remove_sqlite(aside)
        try:
            _back_up_sqlite(folder / FILE, aside)
            with closing(Database(f"sqlite:///{aside}")) as source:
                migrate(source)
                _make_schema(connection, head_revision())
                with source.read() as reading:
                    for table in metadata.sorted_tables:
                        for batch in _batches(reading, table):
                            connection.execute(insert(table), batch)
            _set_sequences(connection, metadata)
        finally:
            _remove_sqlite(aside)


# --- SQLite ---------------------------------------------------------------------------------------------------------------


def _back_up_sqlite(source: Path, target: Path) -> None:
    """SQLite's own online backup: consistent, while others read and write."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    os.close(descriptor)
    uri = f"{source.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=30)) as reading, closing(sqlite3.connect(target)) as writing:
        reading.execute("BEGIN")  # one snapshot: writers that come meanwhile do not make it begin again
        reading.execute("SELECT count(*) FROM sqlite_master").fetchone()
        reading.backup(writing, pages=-1)


def _settle_sqlite(path: Path) -> None:
    """One file, without a log beside it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _remove_sqlite(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _count_file(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        (told,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if told != "ok":
            raise ValueError(told)
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        counted = ((name, connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]) for name in names)  # noqa: S608
        return dict(counted)


# --- rows as lines --------------------------------------------------------------------------------------------------------


def _write_rows(connection: Connection, table: Table, folder: Path) -> int:
    count = 0
    with (folder / f"{table.name}.jsonl").open("w", encoding="utf-8") as file:
        for batch in _batches(connection, table):
            count += len(batch)
            for row in batch:
                values = {name: _encoded(table, name, value) for name, value in row.items()}
                file.write(json.dumps(values, ensure_ascii=False) + "\n")
    return count


def _batches(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    rows = connection.execution_options(stream_results=True).execute(select(table))
    for some in rows.mappings().partitions(_BATCH):
        yield [dict(row) for row in some]


def _encoded(table: Table, name: str, value: Any) -> Any:
    """A value that says what it is, so that it can be read without this release's tables."""
    if value is None:
        return None
    if isinstance(table.c[name].type, JSON):
        return {_JSON: value}
    return {_TIME: value.isoformat()} if isinstance(value, datetime) else value


def _decoded(value: Any, *, is_sqlite: bool) -> Any:
    if not isinstance(value, Mapping):
        return value
    if _JSON in value:
        return value[_JSON]
    moment = datetime.fromisoformat(value[_TIME]).astimezone(UTC)
    return moment.replace(tzinfo=None) if is_sqlite else moment


def _read_lines(path: Path) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            batch.append(json.loads(line))
            if len(batch) == _BATCH:
                yield batch
                batch = []
    if batch:
        yield batch


def _count_lines(folder: Path) -> dict[str, int]:
    return {path.stem: sum(len(batch) for batch in _read_lines(path)) for path in folder.glob("*.jsonl")}


def _count(connection: Connection) -> dict[str, int]:
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in metadata.sorted_tables
    }


# --- filling ----------------------------------------------------------------------------------------------------------------


def _fill(connection: Connection, manifest: Manifest, folder: Path) -> None:
    """Make the schema the rows are of, and put them in."""
    _make_schema(connection, manifest.revision)
    there = MetaData()
    there.reflect(connection)
    is_sqlite = connection.dialect.name == "sqlite"
    for table in there.sorted_tables:
        path = folder / f"{table.name}.jsonl"
        if table.name == _VERSIONS or not path.exists():
            continue
        for batch in _read_lines(path):
            rows = [{name: _decoded(value, is_sqlite=is_sqlite) for name, value in row.items()} for row in batch]
            connection.execute(insert(table), rows)
    _set_sequences(connection, there)


def _make_schema(connection: Connection, revision: str) -> None:
    from alembic import command

    config = alembic_config()
    config.attributes["connection"] = connection
    if inspect(connection).has_table(_VERSIONS):
        command.downgrade(config, "base")
    command.upgrade(config, revision)


def _set_sequences(connection: Connection, there: MetaData) -> None:
    """New rows are numbered after those that came with their numbers; SQLite sees to that itself."""
    if connection.dialect.name == "sqlite":
        return
    for table in there.sorted_tables:
        for column in table.primary_key.columns:
            where = {"table": table.name, "column": column.name}
            name = connection.execute(text("SELECT pg_get_serial_sequence(:table, :column)"), where).scalar()
            if name is not None:
                last = connection.execute(select(func.max(column))).scalar()
                if last is not None:
                    connection.execute(
                        text("SELECT setval(CAST(:name AS regclass), :last)"), {"name": name, "last": last}
                    )
