"""Experiments: what is refused, what is kept of what is not given, and how the status moves."""

import json
import math
from typing import Any

import pytest

from fastflow.apps.churn.domain.experiment import (
    CREATED,
    FAILED,
    PROCESSED,
    PROCESSING,
    STATUSES,
    Definition,
    Experiment,
    StatusRefused,
    define,
    read_experiment_record,
)
from fastflow.apps.churn.domain.problem import Refused

GIVEN: dict[str, Any] = {
    "experiment_name": "summer",
    "training_from": 202201,
    "training_to": 202312,
    "backtest_from": 202401,
    "backtest_to": 202406,
}
NOW = "2026-11-22T08:00:00.000000+00:00"


def made(**more: Any) -> Experiment:
    own = {name: getattr(define(GIVEN), name) for name in Definition.__dataclass_fields__}
    return Experiment(experiment_id=3, created_at=NOW, updated_at=NOW, **own, **more)


def problems(**changes: Any) -> dict[str, str]:
    with pytest.raises(Refused) as refused:
        define({**GIVEN, **changes})
    return {one.field: str(one) for one in refused.value.problems}


def test_definition_when_little_is_given_then_all_settings_are_kept_with_the_values_that_hold() -> None:
    found = define(
        {**GIVEN, "hyperparameters": {"seed": 7}},
        {"feature_set": "enhanced", "hyperparameters": {"seed": 1, "capacity": 0.2}},
    )
    settings = found.hyperparameters
    assert (found.model_type, found.feature_set) == ("gradient_boosting", "enhanced")
    assert (settings["seed"], settings["capacity"], settings["horizons"]) == (7, 0.2, [6, 12, 18, 24])
    assert settings["cutoff_exclusive"] == 202401
    assert (len(found.training), len(found.backtest)) == (24, 6)
    assert define({**GIVEN, "hyperparameters": settings}).hyperparameters.keys() == settings.keys()


@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"training_to": 202513}, "training_to", "202513 is no month: 13 is not in 01-12"),
        ({"training_to": "Dec"}, "training_to", "write it as YYYYMM"),
        ({"training_to": None}, "training_to", "is missing"),
        ({"training_from": 202401, "training_to": 202301}, "training_to", "202401-202301 is reversed"),
        ({"backtest_to": 202312}, "backtest_to", "the backtest window 202401-202312 is reversed"),
        ({"backtest_from": 202312}, "backtest_from", "overlaps the training window"),
        ({"backtest_from": 202101, "backtest_to": 202106}, "backtest_from", "lies before the training window"),
        ({"training_from": 202303}, "training_from", "10 months; 6 of history, 0 of gap and 6 of labels need 12"),
        ({"hyperparameters": {"embargo_months": 13}}, "training_from", "13 of gap"),
        ({"hyperparameters": {"cutoff_exclusive": 202402}}, "hyperparameters.cutoff_exclusive", "would see months"),
        ({"hyperparameters": {"cutoff_exclusive": 202207}}, "hyperparameters.cutoff_exclusive", "202208 or a later"),
        ({"hyperparameters": {"cutoff_exclusive": 202413}}, "hyperparameters.cutoff_exclusive", "is no month"),
        ({"feature_set": "enhancd"}, "feature_set", "Did you mean 'enhanced'?"),
        ({"model_type": "oracle"}, "model_type", "Use one of logistic"),
        ({"model_type": ["auto"]}, "model_type", "is unknown"),
        (
            {"hyperparameters": {"bootstrap_replicate": 9}},
            "hyperparameters.bootstrap_replicate",
            "'bootstrap_replicates'?",
        ),
        ({"hyperparameters": {"capacity": math.nan}}, "hyperparameters.capacity", "nan is not a number"),
        ({"hyperparameters": {"ridge": math.inf}}, "hyperparameters.ridge", "inf is not a number"),
        ({"hyperparameters": {"seed": True}}, "hyperparameters.seed", "True is not a whole number"),
        ({"hyperparameters": {"seed": -1}}, "hyperparameters.seed", "outside of 0 to 4294967295"),
        ({"hyperparameters": {"outcome": "maybe"}}, "hyperparameters.outcome", "Use one of any, end"),
        ({"hyperparameters": {"horizons": [6, 0]}}, "hyperparameters.horizons", "is no list of months"),
        ({"hyperparameters": {"cox_covariates": "i_use"}}, "hyperparameters.cox_covariates", "is no list of columns"),
        ({"hyperparameters": {"cf": {"smaple": 1}}}, "hyperparameters.cf.smaple", "Did you mean 'sample'?"),
        ({"hyperparameters": {"cf": {"sample": 2}}}, "hyperparameters.cf.sample", "from 0 to 1"),
        ({"hyperparameters": {"cf": []}}, "hyperparameters.cf", "is no object"),
        (
            {"hyperparameters": {"cf": {"policy": {"i_use": {"max": math.nan}}}}},
            "hyperparameters.cf.policy.i_use.max",
            "finite",
        ),
        ({"hyperparameters": {"model_parameters": {"C": math.nan}}}, "hyperparameters.model_parameters.C", "no finite"),
        ({"hyperparameters": [1]}, "hyperparameters", "is no object"),
        ({"experiment_name": "  "}, "experiment_name", "is missing"),
        ({"experiment_name": "a\nb"}, "experiment_name", "not one line"),
        ({"id_files": [1, "2"]}, "id_files", "no list of numbers"),
        ({"id_files": [0]}, "id_files", "no list of numbers"),
    ],
)
def test_definition_when_a_field_is_wrong_then_it_is_named_with_a_remedy(
    changes: dict[str, Any], field: str, told: str
) -> None:
    found = problems(**changes)
    assert list(found) == [field]
    assert told in found[field] and found[field].endswith((".", "?"))


def test_definition_when_much_is_wrong_then_all_of_it_is_told_at_once() -> None:
    found = problems(training_from=0, feature_set="x", experiment_name="", hyperparameters={"sede": 1, "capacity": 3})
    assert list(found) == [
        "training_from",
        "experiment_name",
        "feature_set",
        "hyperparameters.sede",
        "hyperparameters.capacity",
    ]


def test_content_when_the_name_or_the_order_of_files_differs_then_it_is_equal() -> None:
    one = define({**GIVEN, "id_files": [2, 1]})
    other = define({**GIVEN, "experiment_name": "winter", "id_files": [1, 2, 2]})
    assert one.content() == other.content()
    assert one.content() != define(GIVEN).content()


def test_record_when_written_and_read_then_it_is_the_same_experiment() -> None:
    failed = made(data_fingerprint="a" * 64).moved(PROCESSING, at=NOW).moved(FAILED, at=NOW, reason="one class only")
    record = json.loads(json.dumps(failed.record(), allow_nan=False))
    assert read_experiment_record(record) == failed


@pytest.mark.parametrize("change", [{"experiment_id": 0}, {"status": "done"}, {"training_to": 202513}, {"runs": []}])
def test_record_when_damaged_then_it_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        read_experiment_record({**made().record(), **change})
    assert [one.field for one in refused.value.problems] == list(change)


def test_status_when_moved_then_only_along_what_may_follow() -> None:
    allowed = {
        (CREATED, PROCESSING),
        (PROCESSING, PROCESSED),
        (PROCESSING, FAILED),
        (PROCESSED, PROCESSING),
        (PROCESSED, CREATED),
        (FAILED, PROCESSING),
        (FAILED, CREATED),
    }
    for before in STATUSES:
        for after in STATUSES:
            experiment, reason = made(status=before), "why" if after == FAILED else ""
            if (before, after) in allowed:
                assert experiment.moved(after, at=NOW, reason=reason).status == after
            else:
                with pytest.raises(StatusRefused, match=f"is {before} and cannot become {after}"):
                    experiment.moved(after, at=NOW, reason=reason)


def test_status_when_it_moves_then_reason_and_times_say_what_is_true_now() -> None:
    running = made(runs={"churn": "r1"}).moved(PROCESSING, at="1")
    with pytest.raises(StatusRefused, match="needs a reason"):
        running.moved(FAILED, at="2")
    failed = running.moved(FAILED, at="2", reason="one class only")
    done = failed.moved(PROCESSING, at="3").moved(PROCESSED, at="4")
    assert (done.reason, done.processed_at, done.updated_at, done.runs) == ("", "4", "4", {"churn": "r1"})
    anew = done.moved(CREATED, at="5")
    assert (anew.processed_at, anew.runs, anew.created_at) == ("", {}, NOW)
