from typing import Any

import pytest

from fastflow.apps.churn.domain.dictionary import read_dictionary
from fastflow.apps.churn.domain.files import (
    ChurnRule,
    DictionariesDiffer,
    IngestedFile,
    RuleError,
    common_dictionary,
    read_file_record,
)
from fastflow.apps.churn.domain.month import MonthError

KEYS = {"Kunde": "PRIMARY_KEY", "I_TIMEBASE": "TIMEBASE", "I_Alive": "TARGET"}


def file_of(number: int, features: dict[str, Any]) -> IngestedFile:
    return IngestedFile(
        file_id=number,
        name=f"{number}.csv",
        kind="panel",
        content_sha256=f"{number:064d}",
        rows=1,
        customers=1,
        first_month=202401,
        last_month=202401,
        dictionary=read_dictionary({**KEYS, **features}).record(),
        churn_rule=None,
        ingested_at="2024-02-01T00:00:00+00:00",
        ingested_by="user:anna",
    )


def test_file_when_written_as_a_row_then_it_is_read_as_the_same() -> None:
    file = file_of(3, {"i_use": "DYNAMIC_FEATURE"})
    assert read_file_record(file.record()) == file


def test_common_dictionary_when_files_agree_then_it_has_the_columns_of_all_but_ignored_ones() -> None:
    first = file_of(1, {"i_use": "DYNAMIC_FEATURE", "junk": "IGNORED"})
    second = file_of(2, {"i_use": {"role": "DYNAMIC_FEATURE", "type": "integer"}, "age": "STATIC_FEATURE"})
    assert list(common_dictionary([first, second])["columns"]) == ["Kunde", "I_TIMEBASE", "I_Alive", "i_use", "age"]


def test_common_dictionary_when_files_mean_different_things_then_the_column_and_both_files_are_named() -> None:
    first, second = (
        file_of(1, {"i_use": "DYNAMIC_FEATURE"}),
        file_of(2, {"i_use": "STATIC_FEATURE", "n": "DYNAMIC_FEATURE"}),
    )
    with pytest.raises(DictionariesDiffer, match=r"i_use is DYNAMIC_FEATURE \(number\) in the file 1 .* in the file 2"):
        common_dictionary([first, second])


@pytest.mark.parametrize("wrong", [{"gap_months": 0}, {"gap_months": 121}, {"gap_months": 6, "amount": "date"}])
def test_rule_when_it_cannot_be_meant_then_it_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(RuleError):
        ChurnRule(**wrong)


def test_rule_when_its_month_is_none_then_it_is_refused() -> None:
    with pytest.raises(MonthError):
        ChurnRule(gap_months=6, through=202413)


def test_rule_when_it_makes_a_panel_then_the_dictionary_has_a_feature_per_named_column() -> None:
    made = ChurnRule(gap_months=6, amount="dollars").dictionary().record()
    assert [name for name, said in made["columns"].items() if said["role"] == "DYNAMIC_FEATURE"] == [
        "i_transactions",
        "n_amount",
    ]
