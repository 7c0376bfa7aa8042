"""Models and migrations say the same, on both databases."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.migrate import alembic_config, head_revision, known_revisions, migrate
from fastflow.kernel.db.types import metadata
from fastflow.migrations import tables
from fastflow.testing.postgres import PostgresServer


def test_schema_when_migrated_then_it_equals_the_models(database: Database) -> None:
    assert tables.__all__
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        differences = compare_metadata(context, metadata)
    assert differences == []


def test_tables_when_searched_in_the_source_then_all_are_registered_for_migrations() -> None:
    source = Path(tables.__file__).parents[1]
    found = {".".join(path.relative_to(source).with_suffix("").parts) for path in source.glob("kernel/**/tables.py")}
    listed = {getattr(tables, name).__name__.removeprefix("fastflow.") for name in tables.__all__}
    assert found == listed


@pytest.fixture
def empty(request: pytest.FixtureRequest, database_kind: str, data_dir: Path) -> Iterator[Database]:
    """A database without any table."""
    if database_kind == "sqlite":
        url = f"sqlite:///{data_dir / 'empty.db'}"
        with closing(Database(url)) as opened:
            yield opened
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = f"empty_{data_dir.name.removeprefix('ff-')}"
    with closing(Database(server.create_database(name))) as opened:
        yield opened
    server.drop_database(name)


def test_migrations_when_taken_back_then_nothing_is_left(empty: Database) -> None:
    migrate(empty)
    config = alembic_config()
    with empty.write() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    with empty.read() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]


def test_migrations_when_applied_twice_then_the_second_changes_nothing(empty: Database) -> None:
    migrate(empty)
    migrate(empty)
    with empty.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_revisions_when_read_from_file_names_then_they_are_those_that_alembic_knows() -> None:
    script = ScriptDirectory.from_config(alembic_config())
    assert known_revisions() == {revision.revision for revision in script.walk_revisions()}
    assert head_revision() == script.get_current_head()


def test_product_when_the_schema_is_current_then_alembic_is_not_imported(database_url: str) -> None:
    code = (
        "import sys; from fastflow.kernel.db.engine import Database; from fastflow.kernel.db.migrate import migrate; "
        "migrate(Database(sys.argv[1])); assert 'alembic' not in sys.modules, 'alembic'"
    )
    subprocess.run([sys.executable, "-c", code, database_url], check=True, timeout=60)
