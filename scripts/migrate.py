"""Brings the database that the settings name to this release's schema."""

from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.migrate import current_revision, migrate
from fastflow.settings import load_settings


def main() -> None:
    """Migrate, and say from where to where."""
    database = Database(load_settings().effective_database_url)
    try:
        before = current_revision(database)
        migrate(database)
        print(f"{database.url.render_as_string()}: {before or 'empty'} -> {current_revision(database)}")
    finally:
        database.close()


if __name__ == "__main__":
    main()
