"""Bringing the database to the schema this release needs, and telling when it is newer.

Alembic is imported only to change the schema: it brings a template engine with it, which would cost every process 15 MB
and a third of its start, to find nothing to do.
"""

import re
from contextlib import closing
from importlib.resources import files
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from fastflow.kernel.db.engine import Database
from fastflow.kit.errors import Unavailable

if TYPE_CHECKING:
    from alembic.config import Config

_VERSION_FILE = re.compile(r"(\d{4})_\w+\.py")


def alembic_config() -> "Config":
    """Alembic's configuration for the migrations inside the package."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(files("fastflow").joinpath("migrations")))
    return config


def current_revision(database: Database) -> str | None:
    """The revision the database is at; None when it has no tables of ours yet."""
    with database.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return found


def head_revision() -> str:
    """The revision this release needs."""
    return max(known_revisions())


def known_revisions() -> frozenset[str]:
    """Every revision this release knows; each is the number its file's name begins with."""
    names = (entry.name for entry in files("fastflow.migrations").joinpath("versions").iterdir())
    return frozenset(match[1] for name in names if (match := _VERSION_FILE.fullmatch(name)))


def migrate(database: Database) -> None:
    """Bring the schema to this release's revision; does nothing when it is there already. Safe to call at once from
    several processes.

    Raises:
        Unavailable: the database was written by a newer release, or does not answer.
    """
    current = current_revision(database)
    if current is not None and current not in known_revisions():
        raise Unavailable(
            f"The database is at schema {current}, which this release does not know.",
            code="schema_too_new",
            hint="It was written by a newer Fast-Flow: install that release, or restore a backup made with this one.",
        )
    if current == head_revision():
        return
    from alembic import command

    config = alembic_config()
    with closing(database.unhurried()) as unhurried, unhurried.write() as connection:
        unhurried.lock(connection, "migrate")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
