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


class ExperimentNotFound(NotFound):
    """There is no experiment of that number."""

    default_code = "churn_experiment_not_found"
    default_hint = "`fastflow churn experiments list` lists those that are there."


class ExperimentRefused(InvalidInput):
    """An experiment cannot be as it was asked for; nothing was changed."""

    default_code = "churn_experiment_refused"
    default_hint = "Correct the named fields and try again."


class ExperimentTwin(Conflict):
    """Another experiment is the same but for its name."""

    default_code = "churn_experiment_twin"
    default_hint = "Use that one, or change a window, a setting or the files."


class ExperimentProcessing(Conflict):
    """A run computes the experiment just now."""

    default_code = "churn_experiment_processing"
    default_hint = "Wait for the run's end, or cancel it; then try again."


class ExperimentHasResults(Conflict):
    """Results hang on what is to be changed or removed."""

    default_code = "churn_experiment_has_results"
    default_hint = "Reset the experiment first, which removes its results; then try again."


class ExperimentStatusConflict(Conflict):
    """The experiment's status cannot become that one."""

    default_code = "churn_experiment_status"
    default_hint = "Look at the experiment's status and decide again."


class DefaultsUnreadable(Unavailable):
    """The file of defaults is not what it should be."""

    default_code = "churn_defaults_unreadable"
    default_hint = "Correct the file that UI_SETTINGS_PATH names, or remove it."


class NothingToExport(Conflict):
    """The experiment has no results yet."""

    default_code = "churn_nothing_to_export"
    default_hint = "Run a pipeline of the experiment first."


class BundleNotFound(NotFound):
    """There is no such bundle in the outbox."""

    default_code = "churn_bundle_not_found"
    default_hint = "`fastflow churn outbox list` lists those that are there."


class BundleDamaged(InvalidInput):
    """A bundle is not as it was written; nothing was changed."""

    default_code = "churn_bundle_damaged"
    default_hint = "Put the bundle into the outbox once more, as it was written, or export the experiment anew."


class BundleOfAnother(Conflict):
    """A bundle's experiment is not the one of that number here."""

    default_code = "churn_bundle_of_another"
    default_hint = "Import it where its experiment is, or define the experiment here as the bundle's manifest says."


class OutboxUnwritable(Unavailable):
    """The outbox's folder or disk does not take what has to be written."""

    default_code = "churn_outbox_unwritable"
    default_hint = "Free space, or make the folder of OUTBOX_ROOT writable for the server's user; then try again."


class IngestRefused(InvalidInput):
    """A file cannot be taken in; nothing of it was."""

    default_code = "churn_ingest_refused"
    default_hint = "Correct the lines named (or the dictionary or rule they contradict) and hand the file in again."


class FileNotIngested(NotFound):
    """There is no file of that number."""

    default_code = "churn_file_not_found"
    default_hint = "`fastflow churn files` lists those that are there."


class FileInUse(Conflict):
    """Experiments stand on the file."""

    default_code = "churn_file_in_use"
    default_hint = "Delete the experiments that are named first."


class DictionariesConflict(Conflict):
    """Files cannot be one panel, as they mean different things by one name."""

    default_code = "churn_dictionaries_differ"
    default_hint = "Take one of the files in again with a dictionary that agrees."


class EngineFailed(Unavailable):
    """The process of the SQL engine did not do what was asked."""

    default_code = "churn_engine_failed"
    default_hint = "Try again; ask for less if it ran out of memory or time."


class NothingToMaterialize(Conflict):
    """The experiment has no customers to put into tables of its own."""

    default_code = "churn_nothing_to_materialize"
    default_hint = "Run the pipeline churn or cox of the experiment first."


class JobRefused(InvalidInput):
    """A run of an experiment cannot be what was asked for; nothing was started."""

    default_code = "churn_job_refused"
    default_hint = "Correct what the fields name; the experiment itself decides windows and settings."


class JobNotFound(NotFound):
    """There is no such job."""

    default_code = "churn_job_not_found"
    default_hint = "`GET /jobs` lists them."


class ExperimentBusy(Conflict):
    """A run computes the experiment; one at a time."""

    default_code = "experiment_busy"
    default_hint = "Wait for its end, or cancel it; then start again."


class NeedsChurn(Conflict):
    """Counterfactuals are asked of the churn model of the experiment, which is not there."""

    default_code = "churn_model_missing"
    default_hint = "Run `churn` for the experiment first: `fastflow churn run EXPERIMENT churn`."


class ResultsDamaged(InvalidInput):
    """What a run left is not what its pipeline writes; nothing was taken in."""

    default_code = "churn_results_damaged"
    default_hint = "Run the pipeline again."


class SqlRefused(InvalidInput):
    """A query may not run, or cannot; the message is the engine's, `line` and `column` say where."""

    default_code = "churn_sql_refused"
    default_hint = "Correct the query at the place named; `fastflow churn sql --tables` lists what can be read."


class ViewNotFound(NotFound):
    """There is no saved view of that name."""

    default_code = "churn_view_not_found"
    default_hint = "`GET /sql/views` lists those that are there."


class ViewInUse(Conflict):
    """Other saved views read the view."""

    default_code = "churn_view_in_use"
    default_hint = "Delete or change the views that are named first."


class NoChain(Conflict):
    """No chain of steps computes the experiment."""

    default_code = "churn_no_chain"
    default_hint = "A single run is cancelled as a job; `GET /jobs` lists them."


class NoLedger(NotFound):
    """The experiment has no list of contacts."""

    default_code = "churn_no_ledger"
    default_hint = "Run `cf` for the experiment first: `fastflow churn run EXPERIMENT cf`."
