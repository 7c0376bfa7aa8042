"""One file: what it is, what its columns and months hold, its first rows, who is computed on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from nicegui import ui

from fastflow.apps.churn.domain.files import IngestedFile
from fastflow.apps.churn.domain.summary import PanelSummary
from fastflow.apps.churn.pages.experiments.manifest import PATH as EXPERIMENTS_PATH
from fastflow.apps.churn.pages.experiments.words import path_of as path_of_experiment
from fastflow.apps.churn.pages.files.manifest import PATH
from fastflow.apps.churn.pages.files.summary import columns_card, months_card, rows_card
from fastflow.apps.churn.pages.files.words import kind, months, number_in, trail
from fastflow.apps.churn.ports import Rows
from fastflow.apps.churn.service.database import GUARDED_BY
from fastflow.apps.churn.service.files import Files
from fastflow.kit.identity import Actor, Role
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import card, data_text, facts, heading, when
from fastflow.ui.shell.controls import button, confirm, way
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Phrase, Texts

_ROWS = 20


@dataclass(frozen=True)
class _Shown:
    file: IngestedFile
    users: Sequence[tuple[int, str]]
    summary: PanelSummary
    rows: Rows


class FilePage:
    """Builds the page.

    Args:
        files: the file, and what can be done with it.
    """

    def __init__(self, files: Files) -> None:
        self._files = files

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t, number = page.t, number_in(page.params)
        shown = await page.ask(self._look, number, page.actor)
        file, may = shown.file, page.may(Role.OPERATOR, GUARDED_BY)
        ui.page_title(f"{file.name} · {t('churn_files.title')} · Fast-Flow")

        async def delete() -> None:
            await self._delete(page, number)

        with ui.element("div").classes("bar"):
            told = span(Data(f"#{file.file_id} · "), kind(t, file))
            Fragment(heading(Data(file.name), trail=trail(t), under=told), cls="grow")
            with ui.element("div").classes("actions"):
                path = f"{EXPERIMENTS_PATH}/-/new?file={number}"
                Fragment(way(page, path, t("churn_files.experiment"), drawing="plus", may=may))
                button(page, t("churn_files.delete"), delete, drawing="trash", cls="danger", may=may)
        with ui.element("div").classes("columns"):
            Fragment(
                join(
                    months_card(t, shown.summary.months),
                    columns_card(t, file, shown.summary.columns),
                    rows_card(t, shown.rows),
                )
            )
            Fragment(join(_facts(t, file), _users(t, shown.users)))

    def _look(self, number: int, actor: Actor) -> _Shown:
        file = self._files.find(number, actor=actor)
        users = self._files.users(actor=actor).get(number, ())
        summary = self._files.summarise(number, actor=actor)
        return _Shown(file, users, summary, self._files.preview(number, limit=_ROWS, offset=0, actor=actor))

    async def _delete(self, page: Page, number: int) -> None:
        """Ask, unless experiments stand on it: the service refuses then and names them."""
        t = page.t
        users = (await page.ask(self._files.users, actor=await page.who())).get(number, ())
        if not users and not await confirm(
            t("churn_files.delete_question"),
            t("churn_files.delete_text"),
            yes=t("churn_files.delete"),
            no=t("churn_files.keep"),
        ):
            return
        await page.ask(self._files.delete, number, actor=await page.who())
        page.go(PATH)


def _facts(t: Texts, file: IngestedFile) -> Html:
    rule = [
        div(Data(f"{name} = {data_text(value)}"), cls="mono")
        for name, value in (file.churn_rule or {}).items()
        if value is not None
    ]
    told: list[tuple[Phrase | Data, Html | Data | Phrase | None]] = [
        (t("churn_files.months"), months(file)),
        (t("churn_files.customers"), Data(f"{file.customers:,}")),
        (t("churn_files.rows"), Data(f"{file.rows:,}")),
        (t("churn_files.rule"), join(rule) if rule else None),
        (t("churn_files.taken_in"), when(datetime.fromisoformat(file.ingested_at))),
        (t("churn_files.by"), Data(file.ingested_by)),
        (t("churn_files.hash"), span(Data(file.content_sha256[:12]), cls="mono", title=file.content_sha256)),
    ]
    return card(t("churn_files.facts"), facts(told))


def _users(t: Texts, users: Sequence[tuple[int, str]]) -> Html:
    rows = [tag("li", link(BASE + path_of_experiment(number), Data(f"#{number} {name}"))) for number, name in users]
    body = tag("ul", rows, cls="card-body plain-list") if rows else div(t("churn_files.unused"), cls="card-body muted")
    return card(t("churn_files.used_by"), body, cls="below")
