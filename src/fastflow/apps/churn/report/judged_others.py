"""What the survival model and the counterfactuals are worth: each check with its mark and the numbers behind it."""

from collections.abc import Sequence

from fastflow.apps.churn.domain.findings import Findings
from fastflow.apps.churn.report.words import check, number, said_by, share, signed
from fastflow.ui.reports.blocks import Check, Mark
from fastflow.ui.texts import Texts

_AGREE, _DOUBTFUL = 0.7, 0.4
"""Rank correlations from which two models say about the same, and below which they contradict each other."""
_PLAUSIBLE, _ENOUGH = 0.8, 0.5
"""Shares: of the counterfactuals that look like real customers, of the customers searched for whom there is one."""


def judge_survival(t: Texts, found: Findings) -> Sequence[Check]:
    """The survival model against knowing nothing of a customer, and against the classifier."""
    return [_survival(t, found), _agreement(t, found)]


def judge_counterfactuals(t: Texts, found: Findings) -> Sequence[Check]:
    """Whether they are plausible and enough, and whether such changes ever helped."""
    return [_plausible(t, found), _track_record(t, found)]


def _survival(t: Texts, found: Findings) -> Check:
    report = found.reports["cox"]
    metrics = report["metrics"]
    if metrics.get("uno_c") is None:
        return check(t, "survival", "open", why=said_by(t, report["out_of_time"].get("why_not", "")))
    values = {"uno": number(metrics["uno_c"]), "limit": number(metrics["uno_limit_months"], 0)}
    own, without = metrics.get("ibs"), metrics.get("ibs_kaplan_meier")
    if metrics["uno_c"] <= 0.5:
        return check(t, "survival", "bad", **values)
    if own is None or without is None or own >= without:
        return check(t, "survival", "look", ibs=number(own), without=number(without), **values)
    return check(t, "survival", "good", ibs=number(own), without=number(without), **values)


def _agreement(t: Texts, found: Findings) -> Check:
    compared = found.reports["cox"]["consistency"]
    correlation = compared.get("rank_correlation")
    if correlation is None:
        return check(t, "agree", "open", why=said_by(t, compared.get("why_not", "")))
    mark: Mark = "good" if correlation >= _AGREE else "look" if correlation >= _DOUBTFUL else "bad"
    values = {"correlation": number(correlation, 2), "difference": share(compared["mean_difference"])}
    return check(t, "agree", mark, **values)


def _plausible(t: Texts, found: Findings) -> Check:
    metrics = found.reports["cf"]["metrics"]
    searched = number(metrics["searched"], 0)
    if not metrics["valid"]:
        return check(t, "plausible", "bad", searched=searched)
    values = {
        "valid": number(metrics["valid"], 0),
        "searched": searched,
        "validity": share(metrics["validity"], 0),
        "plausible": share(metrics["plausible"], 0),
    }
    is_good = metrics["plausible"] >= _PLAUSIBLE and metrics["validity"] >= _ENOUGH
    return check(t, "plausible", "good" if is_good else "look", **values)


def _track_record(t: Texts, found: Findings) -> Check:
    record = found.reports["cf"].get("track_record") or {}
    if "difference" not in record:
        return check(t, "track", "open", why=said_by(t, record.get("why_not", "")))
    low, high = record["difference_low"], record["difference_high"]
    mark: Mark = "good" if high < 0 else "bad" if low > 0 else "look"
    return check(
        t,
        "track",
        mark,
        n=number(record["matched"], 0),
        difference=signed(100 * record["difference"], 1),
        low=signed(100 * low, 1),
        high=signed(100 * high, 1),
    )
