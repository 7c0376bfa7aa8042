"""The verdict of a report: every check of what was computed, and what they come to, in a few plain sentences."""

from collections.abc import Sequence

from fastflow.apps.churn.domain.findings import Findings
from fastflow.apps.churn.report.judged_classifier import judge_classifier
from fastflow.apps.churn.report.judged_others import judge_counterfactuals, judge_survival
from fastflow.ui.reports.blocks import Block, Check, Checks, Text
from fastflow.ui.texts import Phrase, Texts

_PARTS = {"churn": judge_classifier, "cox": judge_survival, "cf": judge_counterfactuals}


def verdict(t: Texts, found: Findings) -> Sequence[Block]:
    """What to make of the whole, then the checks that say so; of a pipeline that has not run, that it has not."""
    checks = [check for pipeline, judge in _PARTS.items() if pipeline in found.reports for check in judge(t, found)]
    missing = [_not_run(t, pipeline) for pipeline in _PARTS if pipeline not in found.reports]
    return [_overall(t, found, checks), Checks(rows=[*checks, *missing])]


def _overall(t: Texts, found: Findings, checks: Sequence[Check]) -> Text:
    churn = found.reports.get("churn")
    if churn is not None and not churn["trusted"]:
        return Text(words=t("churn_report.not_trusted"), kind="bad")
    bad, look = ([check.name for check in checks if check.mark == mark] for mark in ("bad", "look"))
    if bad:
        return Text(words=t("churn_report.overall_bad", names=_listed(t, bad)), kind="bad")
    if look:
        return Text(words=t("churn_report.overall_look", names=_listed(t, look)), kind="look")
    return Text(words=t("churn_report.overall_good"), kind="good")


def _listed(t: Texts, names: Sequence[Phrase]) -> str:
    return ", ".join(t("churn_report.quoted", words=name) for name in names)


def _not_run(t: Texts, pipeline: str) -> Check:
    return Check(
        name=t(f"churn_report.check_of_{pipeline}"),
        mark="open",
        told=t("churn_report.mark_of_open"),
        words=t("churn_report.check_not_run", pipeline=pipeline),
    )
