"""What the figures of the classifier say, in sentences: for who reads a report for the first time."""

from collections.abc import Sequence

from fastflow.apps.churn.domain.findings import Findings, Row
from fastflow.apps.churn.report.words import number, share
from fastflow.ui.reports.blocks import Text
from fastflow.ui.texts import Texts

_CHANCE = 0.5
_STEPS = ((0.6, "weak"), (0.7, "modest"), (0.8, "useful"), (0.9, "good"))
"""Below this ROC-AUC the order of the risks is so; usual rules of thumb."""
_LITTLE = 0.01
_FAR = 0.25
"""Share of the base rate by which the mean prediction may miss it."""


def verdict(t: Texts, found: Findings) -> Sequence[Text]:
    """Whether the order of the risks is good, what the model adds, and whether its probabilities can be taken literally."""
    report = found.reports["churn"]
    return [_order(t, report), _added(t, report), _level(t, report)]


def grade(auc: float) -> str:
    """How good an order of risks with this ROC-AUC usually counts.

    >>> grade(0.55), grade(0.69), grade(0.73), grade(0.8), grade(0.95)
    ('weak', 'modest', 'useful', 'good', 'suspicious')
    """
    return next((word for edge, word in _STEPS if auc < edge), "suspicious")


def _order(t: Texts, report: Row) -> Text:
    auc = float(report["metrics"]["roc_auc"])
    low = report["intervals"].get("roc_auc", {}).get("low")
    is_chance = low is not None and low <= _CHANCE
    judged = t("churn_report.grade_chance" if is_chance else f"churn_report.grade_{grade(auc)}")
    words = t("churn_report.verdict_order", n=number(100 * auc, 0), auc=number(auc), judged=judged)
    return Text(words=words, kind="bad" if is_chance else "plain")


def _added(t: Texts, report: Row) -> Text:
    auc, one = float(report["metrics"]["roc_auc"]), float(report["baseline"]["one_feature"]["roc_auc"])
    said = "verdict_adds_little" if auc - one < _LITTLE else "verdict_adds"
    return Text(words=t(f"churn_report.{said}", one=number(one), more=number(auc - one)))


def _level(t: Texts, report: Row) -> Text:
    metrics = report["metrics"]
    base, predicted = float(metrics["base_rate"]), float(metrics["mean_predicted"])
    said = "verdict_level_holds"
    if abs(predicted - base) > _FAR * base:
        said = "verdict_level_high" if predicted > base else "verdict_level_low"
    return Text(words=t(f"churn_report.{said}", predicted=share(predicted), base=share(base)))
