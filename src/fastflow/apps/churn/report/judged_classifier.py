"""What the figures of the classifier are worth: each check with its mark and the numbers behind it."""

from collections.abc import Sequence

from fastflow.apps.churn.domain.findings import Findings, Row
from fastflow.apps.churn.report.drift import strongest
from fastflow.apps.churn.report.words import check, month, number, share, signed, span_of
from fastflow.ui.reports.blocks import Check
from fastflow.ui.texts import Texts

_CHANCE = 0.5
_STEPS = ((0.6, "weak"), (0.7, "modest"), (0.8, "useful"), (0.9, "good"))
"""Below this ROC-AUC the order of the risks is so; usual rules of thumb."""
_LITTLE = 0.01
_FAR = 0.25
"""Share of the base rate by which the mean prediction may miss it."""
_SLOPES = (0.8, 1.25)
"""Within these the predictions are spread about as far as the outcomes."""


def judge_classifier(t: Texts, found: Findings) -> Sequence[Check]:
    """The backtest, the canaries, the model against chance, one column and the base rate, its probabilities, and drift."""
    report = found.reports["churn"]
    checks = [_audit(t, report), _canaries(t, report), _order(t, report), _one_feature(t, report)]
    return [*checks, _base_rate(t, report), _calibration(t, report), *_drift(t, found)]


def grade(auc: float) -> str:
    """How good an order of risks with this ROC-AUC usually counts.

    >>> grade(0.55), grade(0.69), grade(0.73), grade(0.8), grade(0.95)
    ('weak', 'modest', 'useful', 'good', 'suspicious')
    """
    return next((word for edge, word in _STEPS if auc < edge), "suspicious")


def _audit(t: Texts, report: Row) -> Check:
    audit = report["audit"]
    last, first = month(audit["latest_month_read_for_training"]), month(audit["earliest_test_label_month"])
    if audit["separated"]:
        return check(t, "audit", "good", last=last, first=first)
    return check(t, "audit", "bad", last=last, first=first)


def _canaries(t: Texts, report: Row) -> Check:
    earned = report["canaries"]
    values = {"shuffled": number(earned["shuffled"]), "future": number(earned["future"])}
    return check(t, "canaries", "good" if report["trusted"] else "bad", own=number(earned["honest"]), **values)


def _order(t: Texts, report: Row) -> Check:
    auc, interval = float(report["metrics"]["roc_auc"]), report["intervals"].get("roc_auc", {})
    low = interval.get("low")
    is_chance = low is not None and low <= _CHANCE
    word = "chance" if is_chance else grade(auc)
    return check(
        t,
        "order",
        "bad" if is_chance else "look" if word in ("weak", "suspicious") else "good",
        said="order_told",
        n=number(100 * auc, 0),
        auc=number(auc),
        reach=span_of(low, interval.get("high")),
        judged=t(f"churn_report.grade_{word}"),
    )


def _one_feature(t: Texts, report: Row) -> Check:
    """The one column was chosen in training, so that it is as honest as the model."""
    baseline, auc = report["baseline"], float(report["metrics"]["roc_auc"])
    one = float(baseline["one_feature"]["roc_auc"])
    gain = baseline.get("gains", {}).get("one_feature", {}).get("roc_auc", {})
    low, high = gain.get("low"), gain.get("high")
    values = {
        "feature": baseline["one_feature"]["feature"],
        "own": number(auc),
        "one": number(one),
        "more": signed(auc - one),
        "reach": span_of(low, high, is_signed=True),
    }
    if low is None:  # results of before the interval was kept
        return check(t, "one", "look", said="one_unknown", **values)
    if high < 0:
        return check(t, "one", "bad", said="one_worse", **values)
    if low <= 0 or auc - one < _LITTLE:
        return check(t, "one", "look", said="one_even", **values)
    return check(t, "one", "good", said="one_better", **values)


def _base_rate(t: Texts, report: Row) -> Check:
    skill = report["metrics"].get("brier_skill")
    gain = report["baseline"].get("gains", {}).get("base_rate", {}).get("brier", {})
    low, high = gain.get("low"), gain.get("high")
    values = {
        "own": number(report["metrics"]["brier"]),
        "nobody": number(report["baseline"]["base_rate"]["brier"]),
        "skill": share(skill),
        "reach": span_of(low, high, is_signed=True),
    }
    if skill is not None and (skill <= 0 if high is None else high < 0):
        return check(t, "base", "bad", said="base_worse", **values)
    if low is None:
        return check(t, "base", "look", said="base_unknown", **values)
    return check(t, "base", "good" if low > 0 else "look", said="base_better" if low > 0 else "base_even", **values)


def _calibration(t: Texts, report: Row) -> Check:
    metrics = report["metrics"]
    base, predicted = float(metrics["base_rate"]), float(metrics["mean_predicted"])
    slope, intercept = metrics.get("calibration_slope"), metrics.get("calibration_intercept")
    values = {
        "predicted": share(predicted),
        "base": share(base),
        "slope": number(slope, 2),
        "intercept": signed(intercept, 2),
    }
    if abs(predicted - base) > _FAR * base:
        return check(
            t, "calibration", "look", said="calibration_high" if predicted > base else "calibration_low", **values
        )
    if slope is None or not _SLOPES[0] <= slope <= _SLOPES[1]:
        return check(t, "calibration", "look", said="calibration_slope", **values)
    return check(t, "calibration", "good", said="calibration_holds", **values)


def _drift(t: Texts, found: Findings) -> Sequence[Check]:
    rows = found.rows("churn_drift")
    if not rows:
        return []
    judged = strongest(rows)
    strong = [row for row in judged if row["severity"] == "strong"]
    if not strong:
        return [check(t, "drift", "good", n=len(judged))]
    first = strong[0]
    values = {"feature": first["feature"], "psi": number(first["psi"], 2)}
    return [check(t, "drift", "look", n=len(strong), all=len(judged), **values)]
