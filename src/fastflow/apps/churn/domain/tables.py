"""The tables of the churn database that are there from the beginning. Results of runs add theirs."""

from collections.abc import Mapping

from .document import Column, Table

EXPERIMENTS = "experiments"
FILES = "files"
RAWDATA = "rawdata"
VIEWS = "views"
RESULTS = "experiment_results"
"""Says which run the results of an experiment are of; there from the first results on."""


def declared_tables() -> Mapping[str, Table]:
    """The tables of an empty database, by name."""
    return {
        EXPERIMENTS: Table(
            description="One row per experiment: its windows, configuration and status.",
            source="people",
            columns={
                "experiment_id": Column("integer", "Number of the experiment; never given twice."),
                "experiment_name": Column("text", "Name that people gave it."),
                "training_from": Column("month", "First month of the training window, YYYYMM."),
                "training_to": Column("month", "Last month of the training window, YYYYMM."),
                "backtest_from": Column("month", "First month of the backtest window, YYYYMM."),
                "backtest_to": Column("month", "Last month of the backtest window, YYYYMM."),
                "as_of": Column("time", "Instant by which its files had been taken in; '' where none was said."),
                "status": Column("text", "created, processing, processed or failed."),
            },
            records=(),
        ),
        FILES: Table(
            description="One row per file that was taken in, known by the hash of its bytes.",
            source="ingest",
            columns={
                "file_id": Column("integer", "Number of the file; rows of rawdata carry it as id_files."),
                "name": Column("text", "Name that it came under."),
                "kind": Column("text", "panel, or transactions: a panel was made of them."),
                "content_sha256": Column("text", "Hash of its bytes, its dictionary and its rule."),
                "rows": Column("integer", "Rows of the panel."),
                "customers": Column("integer", "Customers of the panel."),
                "first_month": Column("month", "First month of the panel, YYYYMM."),
                "last_month": Column("month", "Last month of the panel, YYYYMM."),
                "dictionary": Column("object", "Role and type of each column."),
                "churn_rule": Column("object", "How transactions became the panel."),
                "ingested_at": Column("time", "When it was taken in; its rows are known since then."),
                "ingested_by": Column("text", "Who took it in."),
            },
            records=(),
        ),
        RAWDATA: Table(
            description="The monthly panel: one row per customer and month.",
            source="ingest",
            columns={
                "Kunde": Column("text", "Customer."),
                "I_TIMEBASE": Column("month", "Month, YYYYMM."),
                "I_Alive": Column("integer", "1: a customer in this month; 0: gone."),
                "id_files": Column("integer", "File that the row came from."),
                "source_line": Column("integer", "Line of that file; of a list of transactions, the newest one's."),
            },
            segments=(),
        ),
        VIEWS: Table(
            description="Saved SQL views: a name and its SELECT.",
            source="people",
            columns={"name": Column("text", "Name of the view."), "sql": Column("text", "The SELECT.")},
            records=(),
        ),
    }
