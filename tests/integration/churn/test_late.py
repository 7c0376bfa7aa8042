"""Numbers recomputed as of an instant, and what arrived after it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from fastflow.apps.churn.errors import DictionariesConflict, ExperimentRefused, ExperimentTwin
from fastflow.apps.churn.ports_late import LateCell, LateCount
from fastflow.bootstrap import Product
from fastflow.kit.identity import SYSTEM

HEADER = "Kunde,I_TIMEBASE,I_Alive,i_use,region\n"
COLUMNS: Mapping[str, Any] = {
    "Kunde": "PRIMARY_KEY",
    "I_TIMEBASE": "TIMEBASE",
    "I_Alive": "TARGET",
    "i_use": {"role": "DYNAMIC_FEATURE", "type": "integer"},
    "region": {"role": "STATIC_FEATURE", "type": "text"},
}
MONTHS = [202000 + 100 * (month // 12) + month % 12 + 1 for month in range(36)]
WANTED = {
    "experiment_name": "then",
    "training_from": 202001,
    "training_to": 202206,
    "backtest_from": 202207,
    "backtest_to": 202209,
}
IngestOf = Callable[..., str]


def panel(*customers: str, use: int = 1) -> str:
    return HEADER + "".join(f"{who},{month},1,{use},north\n" for who in customers for month in MONTHS)


@pytest.fixture
def ingest(product: Product, tmp_path: Path) -> IngestOf:
    """Takes a panel in; answers when."""

    def take(content: str, columns: Mapping[str, Any] = COLUMNS) -> str:
        path = tmp_path / "upload"
        path.write_text(content)
        done = product.churn.files.ingest(path, name="x.csv", dictionary={"columns": dict(columns)}, actor=SYSTEM)
        return done.file.ingested_at

    return take


def inputs_of(product: Product, experiment_id: int, folder: Path) -> dict[str, bytes]:
    """What a run of the experiment is given of its files."""
    folder.mkdir()
    experiment = product.churn.experiments.find(experiment_id, actor=SYSTEM)
    product.churn.files.write_inputs(experiment.id_files, folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_experiment_when_it_is_of_an_instant_then_later_files_change_neither_it_nor_its_inputs(
    product: Product, ingest: IngestOf, tmp_path: Path
) -> None:
    then = ingest(panel("a", "b"))
    first = product.churn.experiments.create(WANTED, actor=SYSTEM)
    before = inputs_of(product, first.experiment_id, tmp_path / "before")
    ingest(panel("b", "c", use=2))
    again = product.churn.experiments.create({**WANTED, "experiment_name": "again", "as_of": then}, actor=SYSTEM)
    assert (again.id_files, again.as_of, again.data_fingerprint) == ((1,), then, first.data_fingerprint)
    assert inputs_of(product, again.experiment_id, tmp_path / "again") == before
    now = product.churn.experiments.create({**WANTED, "experiment_name": "now"}, actor=SYSTEM)
    assert (now.id_files, now.as_of) == ((1, 2), "")
    assert inputs_of(product, now.experiment_id, tmp_path / "now") != before
    with pytest.raises(ExperimentTwin):
        product.churn.experiments.create({**WANTED, "experiment_name": "twin", "as_of": then}, actor=SYSTEM)


@pytest.mark.parametrize(
    ("as_of", "field", "told"),
    [
        ("soon", "as_of", "neither a month, a day nor an instant"),
        (202013, "as_of", "neither a month"),
        ("2024-01-01T00:00:00", "as_of", "without its offset"),
        ("9999-01-01", "as_of", "has not come yet"),
        (199001, "as_of", "no file had been taken in by then"),
    ],
)
def test_experiment_when_its_instant_cannot_be_then_the_field_is_named(
    product: Product, ingest: IngestOf, as_of: object, field: str, told: str
) -> None:
    ingest(panel("a"))
    with pytest.raises(ExperimentRefused) as refused:
        product.churn.experiments.create({**WANTED, "as_of": as_of}, actor=SYSTEM)
    assert told in refused.value.fields[field]


def test_experiment_when_it_names_a_file_that_came_later_then_it_is_refused(product: Product, ingest: IngestOf) -> None:
    then = ingest(panel("a"))
    ingest(panel("b"))
    with pytest.raises(ExperimentRefused, match="the file 2 was taken in at"):
        product.churn.experiments.create({**WANTED, "id_files": [1, 2], "as_of": then}, actor=SYSTEM)


def test_late_rows_when_files_came_since_then_new_and_corrected_ones_are_told_with_their_lines(
    product: Product, ingest: IngestOf
) -> None:
    then = ingest(panel("a", "b"))
    made = product.churn.experiments.create({**WANTED, "as_of": then}, actor=SYSTEM)
    assert product.churn.late.find(1, limit=5, actor=SYSTEM).files == ()
    ingest(HEADER + "a,202212,1,7,north\nb,202212,1,1,north\nc,202212,1,1,\n")
    found = product.churn.late.find(made.experiment_id, limit=5, actor=SYSTEM)
    assert (found.as_of, [file.file_id for file in found.files]) == (then, [2])
    assert found.counts == [LateCount(2, 202212, 1, 1)]
    assert [(row.customer, row.month, row.file_id, row.source_line, row.change) for row in found.rows] == [
        ("a", 202212, 2, 2, "corrected"),
        ("c", 202212, 2, 4, "new"),
    ]
    assert found.rows[0].cells == [LateCell(column="i_use", before=1, after=7)]
    assert [cell.column for cell in found.rows[1].cells] == ["I_Alive", "i_use"]
    query = (
        "SELECT r.Kunde, r.source_line FROM rawdata AS r JOIN files AS f ON f.file_id = r.id_files "
        f"WHERE f.ingested_at > '{then}' ORDER BY 2"
    )
    assert product.churn.sql.query(query, limit=9, actor=SYSTEM).rows == [["a", 2], ["b", 3], ["c", 4]]


def test_late_rows_when_more_files_came_then_the_newest_counts_and_rows_are_cut_off(
    product: Product, ingest: IngestOf
) -> None:
    ingest(panel("a"))
    product.churn.experiments.create(WANTED, actor=SYSTEM)
    ingest(panel("a", use=2))
    ingest(panel("a", use=3))
    found = product.churn.late.find(1, limit=2, actor=SYSTEM)
    assert {count.file_id for count in found.counts} == {3}
    assert (sum(count.corrected for count in found.counts), len(found.rows)) == (36, 2)
    assert found.rows[0].cells == [LateCell(column="i_use", before=1, after=3)]


def test_late_rows_when_a_later_file_means_something_else_then_it_is_told(product: Product, ingest: IngestOf) -> None:
    ingest(panel("a"))
    product.churn.experiments.create(WANTED, actor=SYSTEM)
    ingest(panel("b"), {**COLUMNS, "region": "IGNORED", "i_use": "DYNAMIC_FEATURE"})
    assert len(product.churn.late.find(1, limit=1, actor=SYSTEM).rows) == 1
    swapped = {"n_use": "DYNAMIC_FEATURE", "i_use": {"role": "STATIC_FEATURE", "type": "text"}}
    keys = {name: COLUMNS[name] for name in ("Kunde", "I_TIMEBASE", "I_Alive")}
    ingest(panel("c").replace("i_use,region", "n_use,i_use"), {**keys, **swapped})
    with pytest.raises(DictionariesConflict, match="i_use"):
        product.churn.late.find(1, limit=1, actor=SYSTEM)
