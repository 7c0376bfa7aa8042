"""Errors of the backups room."""

from fastflow.kit.errors import Conflict, InvalidInput


class BackupDamaged(InvalidInput):
    """The backup is not what was written."""

    default_code = "backup_damaged"
    default_hint = "Take another backup; nothing was changed."


class BackupTooNew(Conflict):
    """The backup was written by a newer release."""

    default_code = "backup_too_new"
    default_hint = "Install the release that wrote it, or a later one; nothing was changed."


class TargetNotEmpty(Conflict):
    """There is something where the backup would go."""

    default_code = "restore_target_not_empty"
    default_hint = "Restore into an empty DATA_DIR and database, or give --force: what is there is then replaced."


class ServerRuns(Conflict):
    """A server works on the data that would be replaced."""

    default_code = "restore_server_runs"
    default_hint = "Stop the server first; its runs go on and are taken up by the next start."


class TargetExists(Conflict):
    """There is a file or folder of that name."""

    default_code = "backup_exists"
    default_hint = "Give another name: a backup is never written over another one."


class SchemaOld(Conflict):
    """The database has not been brought to this release's schema yet."""

    default_code = "backup_schema_old"
    default_hint = "Start this release's server once, or make the backup with the release that runs."
