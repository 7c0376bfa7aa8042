"""The whole report, out of what the pipelines left; what has not been computed has no section."""

from fastflow.apps.churn.domain.findings import Findings
from fastflow.apps.churn.domain.provenance import Written
from fastflow.apps.churn.report import classifier, counterfactual, survival
from fastflow.apps.churn.report.provenance import provenance
from fastflow.apps.churn.report.verdict import verdict
from fastflow.ui.reports.blocks import Block, Facts, Report, Section, Text
from fastflow.ui.texts import Data, Texts


def compose(t: Texts, found: Findings, written: Written | None = None) -> Report:
    """The report in the language of the texts.

    Args:
        written: when and for whom, where it is handed over as a file.
    """
    sections = [_summary(t, found)]
    if "churn" in found.reports:
        sections += [classifier.trust(t, found), classifier.quality(t, found), classifier.customers(t, found)]
    if "cox" in found.reports:
        sections += [survival.section(t, found), survival.agreement(t, found)]
    if "cf" in found.reports:
        sections += [counterfactual.section(t, found), counterfactual.decision(t, found)]
    if found.provenance is not None:
        sections.append(provenance(t, found.provenance, written))
    return Report(title=Data(found.name), about=Data(found.about), language=t.language, sections=sections)


def _summary(t: Texts, found: Findings) -> Section:
    facts = [
        fact
        for pipeline, part in (("churn", classifier), ("cox", survival), ("cf", counterfactual))
        if pipeline in found.reports
        for fact in part.summary(t, found)
    ]
    blocks: list[Block] = [Text(words=t("churn_report.nothing_yet"))]
    if found.reports:
        blocks = [*verdict(t, found), *([Facts(rows=facts)] if facts else [])]
    return Section(key="summary", title=t("churn_report.summary"), blocks=blocks)
