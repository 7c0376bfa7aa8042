import pytest

from fastflow.apps.churn.domain.document import Document, Segment, Table
from fastflow.apps.churn.domain.experiment_rows import without_rows
from fastflow.apps.churn.domain.fusion import VIEW, materialized
from fastflow.apps.churn.domain.tables import declared_tables


def segment(letter: str) -> Segment:
    return Segment(sha256=letter * 64, rows=3, size=10, belongs={"experiment_id": 1})


@pytest.fixture
def document() -> Document:
    """One experiment with all results, materialised."""
    tables = dict(declared_tables())
    for letter, name in zip(
        "abc", ("customer_churn_details", "cox_prioritization_results", "cf_individual"), strict=True
    ):
        tables[name] = Table(description="", source="run", segments=(segment(letter),))
    bare = Document(revision=1, last_updated="", counters={}, tables=tables)
    return materialized(bare, 1, [segment("a")], [segment("d")])


@pytest.mark.parametrize(
    ("gone", "stays"),
    [("cf_individual", True), ("customer_churn_details", False), ("cox_prioritization_results", False)],
)
def test_rows_when_they_go_then_what_was_materialised_goes_only_with_what_it_was_made_of(
    document: Document, gone: str, *, stays: bool
) -> None:
    after = without_rows(document, 1, [gone])
    assert not after.segments(gone)
    assert ("customer_churn_details_1" in after.tables) is stays
    assert ("customer_cox_details_1" in after.tables) is stays
    assert (VIEW in {record["name"] for record in after.records("views")}) is stays
