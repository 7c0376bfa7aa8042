"""`fastflow backup …` and `fastflow restore`: on the server's own machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fastflow.cli.access import access

if TYPE_CHECKING:
    from fastflow.kernel.backups.domain.manifest import Manifest
    from fastflow.kernel.backups.service import BackupService

app = typer.Typer(help="Copies of everything the server keeps, made while it works.", no_args_is_help=True)

Place = Annotated[Path, typer.Argument(help="A folder, or a file ending in .tar, .tar.gz or .tgz.", show_default=False)]


@app.command("create")
def create_backup(
    ctx: typer.Context,
    target: Place,
    with_logs: Annotated[bool, typer.Option("--with-logs", help="The runs' logs as well.")] = False,
    with_artifacts: Annotated[bool, typer.Option("--with-artifacts", help="The runs' artifacts as well.")] = False,
    with_key: Annotated[
        bool,
        typer.Option(
            "--with-key", help="The encryption key file as well: who has the backup can then read every secret."
        ),
    ] = False,
) -> None:
    """Write a backup: the database and the code of its runs, and what else is asked for. The server may work meanwhile."""
    parts = ["code"]
    parts += [
        name for name, wanted in (("logs", with_logs), ("artifacts", with_artifacts), ("key", with_key)) if wanted
    ]
    service, key_file = _service(ctx)
    manifest = service.create(target.absolute(), parts)
    _note(target, manifest)
    _tell(manifest, f"{target} is written")
    if with_key:
        typer.echo("It holds the encryption key: keep it as you keep the secrets themselves.", err=True)
    elif key_file.exists():
        typer.echo(f"The key is not in it: keep {key_file} elsewhere; without it no secret can be read.", err=True)


@app.command("verify")
def verify_backup(ctx: typer.Context, source: Place) -> None:
    """Check that a backup is whole and that its database can be read."""
    service, _ = _service(ctx)
    _tell(service.verify(source.absolute()), f"{source} is whole")


def restore(
    ctx: typer.Context,
    source: Place,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there already.")] = False,
) -> None:
    """Put a backup into DATA_DIR, LOGS_DIR and the database of this machine, also from SQLite to PostgreSQL and back."""
    service, _ = _service(ctx)
    manifest = service.restore(source.absolute(), force=force)
    _tell(manifest, f"{source} is restored")
    if "key" not in manifest.parts:
        typer.echo(
            "The key was not in it: put encryption.key into DATA_DIR, or set ENCRYPTION_KEY, before the start.",
            err=True,
        )


def _service(ctx: typer.Context) -> "tuple[BackupService, Path]":
    import fastflow.migrations.tables  # noqa: F401  every room's tables
    from fastflow import __version__
    from fastflow.cli.errors import WrongUsage
    from fastflow.cli.serving import LOCK_FILE, RUNNER_LOCK_FILE
    from fastflow.kernel.backups.wiring import build_backups
    from fastflow.kernel.locks import is_held
    from fastflow.kernel.secrets.infra.cipher import KEY_FILE
    from fastflow.serve import RUNNER_LOCK
    from fastflow.settings import load_settings

    if access(ctx).url:
        raise WrongUsage(
            "Backups are made on the server's own machine.",
            hint="Run this there, without FASTFLOW_URL, with the server's DATA_DIR and DATABASE_URL.",
        )
    settings = load_settings()
    locks = [settings.data_dir / name for name in (LOCK_FILE, RUNNER_LOCK_FILE, RUNNER_LOCK)]
    service = build_backups(
        settings.effective_database_url,
        data_dir=settings.data_dir,
        logs_dir=settings.logs_dir,
        version=__version__,
        is_running=lambda: any(is_held(lock) for lock in locks),
    )
    return service, settings.data_dir / KEY_FILE


def _note(target: Path, manifest: "Manifest") -> None:
    """Into the audit log of the server's database: a copy of everything is nothing to be made unseen."""
    from contextlib import closing

    from fastflow.cli.in_process import local_actor
    from fastflow.kernel.audit import record
    from fastflow.kernel.db.engine import Database
    from fastflow.kit.clock import SystemClock
    from fastflow.settings import load_settings

    with closing(Database(load_settings().effective_database_url)) as database, database.write() as connection:
        record(
            connection,
            at=SystemClock().now(),
            actor=local_actor(),
            action="backup.create",
            subject=str(target.absolute()),
            detail={"parts": ["database", *manifest.parts], "made_at": manifest.created_at},
        )


def _tell(manifest: "Manifest", what: str) -> None:
    from fastflow.kit.quantities import size
    from fastflow.kit.words import counted

    parts = ", ".join(("database", *manifest.parts))
    runs = counted(manifest.tables.get("run", 0), "run")
    typer.echo(
        f"{what}: {runs}, {counted(len(manifest.files), 'file')}, {size(manifest.size)}; {parts}; "
        f"made {manifest.created_at[:19]} UTC of {manifest.kind}, schema {manifest.revision}."
    )
