"""The room of reports: one page for each experiment."""

from collections.abc import Sequence

from fastflow.apps.churn.report.render import TEXTS
from fastflow.apps.churn.service.reports import Reports
from fastflow.ui.manifest import Manifest, PageSpec


def manifest(reports: Reports) -> Manifest:
    """What it brings."""

    def load() -> Sequence[PageSpec]:
        from fastflow.apps.churn.pages.report.page import ReportPage

        path = "/churn/experiments/{experiment_id}/report"
        return [PageSpec(path=path, title="churn_report.title", build=ReportPage(reports).build)]

    return Manifest(name="churn_report", texts=TEXTS, load=load)
