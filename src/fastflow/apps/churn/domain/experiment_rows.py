"""Experiments in the document: finding and putting one, and what rows of all tables hang on it."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .document import Document, Segment, Table
from .experiment import Definition, Experiment, read_experiment_record
from .fusion import CHURN_ROWS, COX_ROWS, without_materialized
from .tables import EXPERIMENTS, FILES

KEY = "experiment_id"


def experiments_in(document: Document) -> Sequence[Experiment]:
    """All of them, newest first.

    Raises:
        Refused: a record is damaged.
    """
    found = [read_experiment_record(record) for record in document.records(EXPERIMENTS)]
    return sorted(found, key=lambda one: one.experiment_id, reverse=True)


def find_experiment(document: Document, experiment_id: int) -> Experiment | None:
    """The experiment of that number; None: there is none.

    Raises:
        Refused: its record is damaged.
    """
    found = (record for record in document.records(EXPERIMENTS) if record.get(KEY) == experiment_id)
    record = next(found, None)
    return None if record is None else read_experiment_record(record)


def find_twin(document: Document, wanted: Definition, but: int | None = None) -> Experiment | None:
    """An experiment that differs in its name alone; `but` is left aside."""
    content = wanted.content()
    return next(
        (one for one in experiments_in(document) if one.experiment_id != but and one.content() == content), None
    )


def with_experiment(document: Document, experiment: Experiment) -> Document:
    """The document with the experiment in its place, or as the last one."""
    records = list(document.records(EXPERIMENTS))
    places = [place for place, record in enumerate(records) if record.get(KEY) == experiment.experiment_id]
    if places:
        records[places[0]] = experiment.record()
    else:
        records.append(experiment.record())
    return document.with_records(EXPERIMENTS, records)


def without_experiment(document: Document, experiment_id: int) -> Document:
    """The document without the experiment and all rows that hang on it."""
    return without_rows(document, experiment_id, list(document.tables))


def without_results(document: Document, experiment_id: int) -> Document:
    """The document with the experiment, but without all other rows that hang on it."""
    return without_rows(document, experiment_id, [name for name in document.tables if name != EXPERIMENTS])


def without_rows(document: Document, experiment_id: int, tables: Sequence[str]) -> Document:
    """The document without the experiment's rows in these tables, nor what was materialised of them."""
    is_source = bool({CHURN_ROWS, COX_ROWS} & set(tables))
    kept = without_materialized(document, experiment_id) if is_source else document
    fewer = {name: _without(table, experiment_id) if name in tables else table for name, table in kept.tables.items()}
    return replace(kept, tables=fewer)


def rows_of(document: Document, experiment_id: int) -> Mapping[str, int]:
    """Table -> how many of its rows hang on the experiment; tables with none are left away."""
    counted = {
        name: sum(1 for record in table.records or () if record.get(KEY) == experiment_id)
        + sum(one.rows for one in table.segments or () if one.belongs.get(KEY) == experiment_id)
        for name, table in sorted(document.tables.items())
    }
    return {name: count for name, count in counted.items() if count}


def results_of(document: Document, experiment_id: int) -> Mapping[str, int]:
    """As `rows_of`, without the experiment itself."""
    return {name: count for name, count in rows_of(document, experiment_id).items() if name != EXPERIMENTS}


def _without(table: Table, experiment_id: int) -> Table:
    if table.segments is not None:
        return replace(table, segments=tuple(_others(table.segments, lambda one: one.belongs, experiment_id)))
    return replace(table, records=tuple(_others(table.records or (), lambda one: one, experiment_id)))


def _others(rows: Sequence[Any], keys: Callable[[Any], Mapping[str, Any]], experiment_id: int) -> Iterator[Any]:
    return (row for row in rows if keys(row).get(KEY) != experiment_id)


_FIGURES = (("experiment_kpis", "kpi", ""), ("cox_analysis_metrics", "metric", "cox_"))
"""Table, column of a figure's name, and what is put before the name."""


def figures_in(document: Document) -> Mapping[int, Mapping[str, float]]:
    """Number of an experiment -> name of a key figure -> value, such as `churn_roc_auc` and `cox_harrell_c`."""
    found: dict[int, dict[str, float]] = {}
    for table, named, prefix in _FIGURES:
        for row in document.records(table):
            value = row.get("value")
            if isinstance(value, int | float) and not isinstance(value, bool):
                found.setdefault(int(row[KEY]), {})[f"{prefix}{row[named]}"] = float(value)
    return found


def intervals_in(document: Document) -> Mapping[int, Mapping[str, tuple[float, float]]]:
    """Number of an experiment -> name of a key figure -> both ends of its 95 % interval; those that have one."""
    found: dict[int, dict[str, tuple[float, float]]] = {}
    for row in document.records("churn_model_metrics"):
        low, high = row.get("low"), row.get("high")
        if isinstance(low, int | float) and isinstance(high, int | float):
            found.setdefault(int(row[KEY]), {})[f"churn_{row['metric']}"] = (float(low), float(high))
    return found


def segments_of(document: Document, table: str, experiment_id: int) -> Sequence[Segment]:
    """Files of a large table that belong to the experiment."""
    return [one for one in document.segments(table) if one.belongs.get(KEY) == experiment_id]


def fingerprint(document: Document, id_files: Sequence[int]) -> str:
    """SHA-256 over the content hashes of the files, in the order of their numbers; '' for none."""
    hashes = {record["file_id"]: str(record.get("content_sha256", "")) for record in document.records(FILES)}
    told = "\n".join(hashes.get(number, "") for number in sorted(id_files))
    return hashlib.sha256(told.encode()).hexdigest() if id_files else ""
