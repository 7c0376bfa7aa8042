"""Files that one experiment is computed on must not contradict each other, and what may mislead is told in both languages."""

from dataclasses import replace
from typing import Any

import pytest

from fastflow.apps.churn.domain.dictionary import read_dictionary
from fastflow.apps.churn.domain.experiment import define
from fastflow.apps.churn.domain.files import ChurnRule, IngestedFile
from fastflow.apps.churn.domain.files_together import contradictions, warnings_about
from fastflow.ui.sentences import ENGLISH, sentences_in

KEYS = {"Kunde": "PRIMARY_KEY", "I_TIMEBASE": "TIMEBASE", "I_Alive": "TARGET"}
PANEL = IngestedFile(
    file_id=1,
    name="panel.csv",
    kind="panel",
    content_sha256="1" * 64,
    rows=1,
    customers=1,
    first_month=202201,
    last_month=202412,
    dictionary=read_dictionary({**KEYS, "i_use": "DYNAMIC_FEATURE"}).record(),
    churn_rule=None,
    ingested_at="2026-01-01T00:00:00+00:00",
    ingested_by="user:anna",
)


def bought(number: int, gap: int, **changes: Any) -> IngestedFile:
    rule = ChurnRule(gap_months=gap)
    known = {"file_id": number, "name": "bought.csv", "kind": "transactions", "churn_rule": rule.record()}
    return replace(PANEL, **{**known, "dictionary": rule.dictionary().record(), **changes})


def test_files_when_they_say_otherwise_who_churns_in_the_same_months_then_both_are_named() -> None:
    told = [(one.field, one.problem) for one in contradictions([bought(2, 4), PANEL, bought(3, 6)])]
    assert [field for field, _ in told] == ["id_files"] * 3
    assert told[0][1].startswith(
        "the file 1 (panel.csv: says itself who is dead) and the file 2 (bought.csv: dead after 4"
    )


def test_files_when_they_share_no_feature_then_they_are_not_one_panel() -> None:
    other = replace(PANEL, file_id=2, dictionary=read_dictionary({**KEYS, "n_rate": "DYNAMIC_FEATURE"}).record())
    assert ["have no feature in common" in one.problem for one in contradictions([PANEL, other])] == [True]


@pytest.mark.parametrize(
    "files",
    [
        [PANEL],
        [PANEL, replace(PANEL, file_id=2)],
        [bought(1, 4), bought(2, 4)],
        [PANEL, bought(2, 4, first_month=202501, last_month=202506)],
    ],
)
def test_files_when_they_agree_or_tell_of_other_months_then_nothing_is_wrong(files: list[IngestedFile]) -> None:
    assert list(contradictions(files)) == []


@pytest.mark.parametrize(("embargo", "gap", "is_told"), [(0, 4, True), (0, 3, False), (1, 4, False), (1, 5, True)])
def test_warnings_when_the_window_is_shorter_than_the_rule_then_it_is_told(
    embargo: int, gap: int, is_told: bool
) -> None:
    definition = define({
        "experiment_name": "summer", "training_from": 202201, "training_to": 202312,
        "backtest_from": 202401, "backtest_to": 202403, "hyperparameters": {"embargo_months": embargo},
    })  # fmt: skip
    told = warnings_about(definition, [bought(2, gap)])
    assert bool(told) is is_told and all("outcome=end" in one for one in told)


def test_sentences_when_told_in_german_then_none_stays_english() -> None:
    german = sentences_in("de")
    assert german is not None
    definition = define({
        "experiment_name": "summer", "training_from": 202201, "training_to": 202312,
        "backtest_from": 202401, "backtest_to": 202403,
    })  # fmt: skip
    other = replace(PANEL, file_id=3, dictionary=read_dictionary({**KEYS, "n_rate": "DYNAMIC_FEATURE"}).record())
    files = [PANEL, bought(2, 4), other]
    told = [*(str(one) for one in contradictions(files)), *warnings_about(definition, files)]
    assert len(told) == 7
    assert not [text for one in told if ENGLISH in (text := german.translate(one))]
