"""Bringing the database to the schema this release needs, and telling when it is newer."""

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from fastflow.kernel.db.engine import Database
from fastflow.kit.errors import Unavailable


def alembic_config() -> Config:
    """Alembic's configuration for the migrations inside the package."""
    config = Config()
    config.set_main_option("script_location", str(files("fastflow").joinpath("migrations")))
    return config


def current_revision(database: Database) -> str | None:
    """The revision the database is at; None when it has no tables of ours yet."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head_revision() -> str:
    """The revision this release needs."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    assert head is not None
    return head


def migrate(database: Database) -> None:
    """Bring the schema to this release's revision; does nothing when it is there already. Safe to call at once from
    several processes.

    Raises:
        Unavailable: the database was written by a newer release, or does not answer.
    """
    config = alembic_config()
    script = ScriptDirectory.from_config(config)
    known = {revision.revision for revision in script.walk_revisions()}
    current = current_revision(database)
    if current is not None and current not in known:
        raise Unavailable(
            f"The database is at schema {current}, which this release does not know.",
            code="schema_too_new",
            hint="It was written by a newer Fast-Flow: install that release, or restore a backup made with this one.",
        )
    if current == script.get_current_head():
        return
    with database.write() as connection:
        database.lock(connection, "migrate")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
