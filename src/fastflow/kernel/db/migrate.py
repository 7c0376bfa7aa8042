"""Bringing the database to the schema this release needs, and telling when it is newer.

Alembic is imported only to change the schema: it brings a template engine with it, which would cost every process 15 MB
and a third of its start, to find nothing to do.
"""

import logging
import re
import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from fastflow.kernel.db.engine import Database
from fastflow.kit.errors import Unavailable

if TYPE_CHECKING:
    from alembic.config import Config

logger = logging.getLogger(__name__)

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
        return _revision(connection)


def head_revision() -> str:
    """The revision this release needs."""
    return max(known_revisions())


def known_revisions() -> frozenset[str]:
    """Every revision this release knows; each is the number its file's name begins with."""
    names = (entry.name for entry in files("fastflow.migrations").joinpath("versions").iterdir())
    return frozenset(match[1] for name in names if (match := _VERSION_FILE.fullmatch(name)))


def migrate(database: Database) -> None:
    """Bring the schema to this release's revision; does nothing when it is there already. Safe to call at once from
    several processes. SQLite that has a schema is copied first: `fastflow.db.before-REVISION`, beside it.

    Raises:
        Unavailable: the database was written by a newer release, cannot be copied, or does not answer.
    """
    current = current_revision(database)
    if current is not None and current not in known_revisions():
        raise Unavailable(
            f"The database is at schema {current}, which this release does not know; its own is {head_revision()}.",
            code="schema_too_new",
            hint="It was written by a newer Fast-Flow: install that release, or restore a backup made with this one.",
        )
    if current == head_revision():
        return
    from alembic import command

    config = alembic_config()
    with closing(database.unhurried()) as unhurried, unhurried.write() as connection:
        unhurried.lock(connection, "migrate")
        before = _revision(connection)
        if before == head_revision():
            return  # another process was quicker
        kept = None if before is None else _keep_copy(unhurried, before)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    if before is not None:
        fields = {"from": before, "to": head_revision(), "copy": kept or "none: see the page on backups"}
        logger.info("schema.upgraded", extra={"fields": fields})


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _keep_copy(database: Database, revision: str) -> Path | None:
    """Of SQLite: the database as it is, beside its file, in place of the copy of an earlier upgrade.

    Raises:
        Unavailable: it cannot be made.
    """
    if not database.is_sqlite:
        return None
    path = Path(str(database.url.database))
    kept = path.with_name(f"{path.name}.before-{revision}")
    fresh = kept.with_name(f"{kept.name}.new")
    try:
        _copy(path, fresh)
        for earlier in path.parent.glob(f"{path.name}.before-*"):
            if earlier != fresh:
                earlier.unlink()
        fresh.rename(kept)
    except (OSError, sqlite3.Error) as error:
        fresh.unlink(missing_ok=True)
        raise Unavailable(
            f"The database is at schema {revision} and was not brought up to {head_revision()}, because no copy of it could "
            f"be made first: {error}.",
            code="upgrade_not_begun",
            hint=f"Make room in {path.parent} for another {path.name} and start again; nothing was changed.",
        ) from error
    return kept


def _copy(path: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    target.touch(mode=0o600)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copied:
        source.backup(copied)
