"""The report on its page: the same sections as in the file, with the way to the file."""

from nicegui import ui

from fastflow.apps.churn.domain.findings import Findings
from fastflow.apps.churn.pages.experiments.words import number_in, path_of, trail
from fastflow.apps.churn.report.compose import compose
from fastflow.apps.churn.service.reports import Reports
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, join, link, tag
from fastflow.ui.parts import card, heading
from fastflow.ui.reports.blocks import Report
from fastflow.ui.reports.html import section_body
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts

_LOOK_SECONDS = 5.0


class ReportPage:
    """Builds the page.

    Args:
        reports: what was found.
    """

    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t, number = page.t, number_in(page.params)
        found = await page.ask(self._reports.find, number, actor=page.actor)
        ui.page_title(f"{found.name} · {t('churn_report.title')} · Fast-Flow")
        head = Fragment(_head(t, number, found))
        body = Fragment(_body(compose(t, found)))

        async def refresh() -> None:
            now = await page.ask(self._reports.find, number, actor=await page.who())
            head.show(_head(t, number, now))
            body.show(_body(compose(t, now)))

        page.live(refresh, every=_LOOK_SECONDS)


def _head(t: Texts, number: int, found: Findings) -> Html:
    files = [
        link(
            f"/experiments/{number}/report?format={form}&language={t.language}",
            icon("download"),
            Data(form.upper()),
            cls="button",
            download=True,
        )
        for form in ("html", "pdf")
    ]
    way = [*trail(t), (BASE + path_of(number), Data(found.name))]
    title = heading(t("churn_report.title"), trail=way, under=Data(found.about))
    return div(div(title, cls="grow"), div(files if found.reports else None, cls="actions"), cls="bar")


def _body(report: Report) -> Html:
    ways = [link(f"#{each.key}", each.title) for each in report.sections]
    parts = [
        div(card(each.title, div(section_body(each), cls="card-body")), id=each.key, cls="below report-part")
        for each in report.sections
    ]
    return join(tag("nav", *ways, cls="report-ways") if len(ways) > 1 else None, *parts)
