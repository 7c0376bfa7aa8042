"""Where commands look, told with what was not found there: a server, or folders of this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fastflow.kit.errors import InvalidInput

if TYPE_CHECKING:
    from fastflow.kernel.db.engine import Database
    from fastflow.settings import Settings


@contextmanager
def existing_database(settings: "Settings") -> Iterator["Database | None"]:
    """The database, if there is one already; looking must not make one."""
    from fastflow.kernel.db.engine import Database

    if settings.database_url is None and not (settings.data_dir / "fastflow.db").exists():
        yield None
        return
    database = Database(settings.effective_database_url)
    try:
        yield database
    finally:
        database.close()


def is_synced_pipeline(name: str, settings: "Settings") -> bool:
    """Whether a repository's active version has the pipeline."""
    from fastflow.kernel.db.migrate import current_revision, head_revision
    from fastflow.kernel.sync.wiring import is_in_repository

    with existing_database(settings) as database:
        is_current = database is not None and current_revision(database) == head_revision()
        return database is not None and is_current and is_in_repository(database, settings.data_dir, name)


def find_local_pipeline(name: str, folder: Path) -> Path | None:
    """The pipeline of that name in a folder of this machine: its script; None when there is none."""
    candidates = (folder / name / "main.py", folder / f"{name}.py")
    return next((path for path in candidates if path.is_file()), None)


def hint_at_local_pipeline(name: str) -> str:
    """What to do about a pipeline that the asked server has not, when PIPELINES_DIR of this machine has it; else empty."""
    from fastflow.settings import load_settings

    try:
        folder = load_settings().pipelines_dir
    except InvalidInput:  # a command that works on this machine tells it
        return ""
    if not name or find_local_pipeline(name, folder) is None:
        return ""
    return f"{folder} on this machine has {name!r}: `unset FASTFLOW_URL` (or leave --url away) to work there."
