"""What can go wrong in the churn workbench, as leaves of the product's families."""

from fastflow.kit.errors import Conflict, InvalidInput, NotFound, Unavailable


class DatabaseDamaged(Unavailable):
    """The churn database cannot be read as what it should be."""

    default_code = "churn_database_damaged"
    default_hint = "List the snapshots with `fastflow churn db snapshots` and put one back with `fastflow churn db restore REVISION`."


class DatabaseNewer(Unavailable):
    """A newer release wrote the churn database."""

    default_code = "churn_database_newer"
    default_hint = "Run that release again, or point CHURN_DB_PATH at another file."


class DatabaseBusy(Unavailable):
    """Another process holds the churn database's lock for too long."""

    default_code = "churn_database_busy"
    default_hint = "Try again; if it stays so, look at the process that the message names."


class DatabaseUnwritable(Unavailable):
    """The churn database's folder or disk does not take what has to be written; what was there is untouched."""

    default_code = "churn_database_unwritable"
    default_hint = "Free space, or make the folder of CHURN_DB_PATH writable for the server's user; then try again."


class DatabaseMoved(Conflict):
    """Somebody else changed the churn database since it was read."""

    default_code = "churn_database_moved"
    default_hint = "Read it again and decide again."


class SnapshotNotFound(NotFound):
    """There is no snapshot of that revision."""

    default_code = "churn_snapshot_not_found"
    default_hint = "`fastflow churn db snapshots` lists those that are kept."


class ExportRefused(InvalidInput):
    """A document handed in for import is not a whole export of a churn database; nothing was changed."""

    default_code = "churn_export_refused"
    default_hint = "Hand in a file that `fastflow churn db export` wrote, unchanged."
