"""What the figures of the classifier say in sentences."""

from typing import Any

import pytest

from fastflow.apps.churn.domain.findings import Findings
from fastflow.apps.churn.report.render import TEXTS
from fastflow.apps.churn.report.verdict import grade, verdict
from fastflow.ui.texts import Catalogue

TEXT = Catalogue([TEXTS]).texts("en")


def told(auc: float, *, low: float = 0.6, one: float = 0.6, base: float = 0.2, predicted: float = 0.2) -> list[str]:
    report: dict[str, Any] = {
        "metrics": {"roc_auc": auc, "base_rate": base, "mean_predicted": predicted},
        "intervals": {"roc_auc": {"low": low, "high": 1.0}},
        "baseline": {"one_feature": {"roc_auc": one}},
    }
    found = Findings(name="n", about="a", reports={"churn": report})
    return [str(each.words) for each in verdict(TEXT, found)]


@pytest.mark.parametrize(
    ("auc", "low", "said"),
    [
        (0.55, 0.52, "hardly better than guessing"),
        (0.62, 0.5, "cannot be told from guessing"),
        (0.65, 0.6, "modest"),
        (0.73, 0.7, "useful"),
        (0.85, 0.8, "that is good"),
        (0.97, 0.9, "a leak is worth looking for"),
    ],
)
def test_order_when_told_then_it_is_judged_by_the_area_and_its_interval(auc: float, low: float, said: str) -> None:
    assert said in told(auc, low=low)[0]
    assert f"{100 * auc:.0f} of 100 cases" in told(auc, low=low)[0]


def test_model_when_one_feature_does_as_well_then_that_is_said() -> None:
    assert "adds 0.100" in told(0.7, one=0.6)[1]
    assert "next to nothing" in told(0.7, one=0.695)[1]


@pytest.mark.parametrize(
    ("predicted", "said"), [(0.22, "may be read as such"), (0.3, "but only"), (0.1, "but 20.0 % left")]
)
def test_level_when_the_mean_misses_the_base_rate_then_probabilities_are_not_to_be_read(
    predicted: float, said: str
) -> None:
    assert said in told(0.7, predicted=predicted)[2]


def test_grade_when_the_area_is_on_an_edge_then_it_is_the_better_one() -> None:
    assert [grade(edge) for edge in (0.6, 0.7, 0.8, 0.9)] == ["modest", "useful", "good", "suspicious"]
