"""The files, newest first, with their months and who is computed on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from nicegui import ui

from fastflow.apps.churn.domain.files import IngestedFile
from fastflow.apps.churn.pages.experiments.words import path_of as path_of_experiment
from fastflow.apps.churn.pages.files.manifest import PATH
from fastflow.apps.churn.pages.files.words import kind, months, path_of
from fastflow.apps.churn.service.database import GUARDED_BY
from fastflow.apps.churn.service.files import Files
from fastflow.kit.identity import Actor, Role
from fastflow.kit.pages import Page as PageOf
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import empty, heading, when
from fastflow.ui.shell.controls import way
from fastflow.ui.shell.listing import Listing, head
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts

_LOOK_SECONDS = 10.0
_NAMED = 3


@dataclass(frozen=True)
class _Row:
    file: IngestedFile
    users: Sequence[tuple[int, str]]


class FileTable:
    """Builds the page.

    Args:
        files: where they come from.
    """

    def __init__(self, files: Files) -> None:
        self._files = files

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t = page.t
        may = page.may(Role.OPERATOR, GUARDED_BY)
        new = way(page, f"{PATH}/-/new", t("churn_files.new"), drawing="plus", may=may)
        listing = Listing(
            page,
            PATH,
            self._look,
            heads=[
                head(t("churn_files.file")),
                head(t("churn_files.months")),
                head(t("churn_files.customers"), "right"),
                head(t("churn_files.rows"), "right wide-only"),
                head(t("churn_files.used_by")),
                head(t("churn_files.taken_in"), "wide-only"),
            ],
            row=partial(_row, t),
            none=empty("file", t("churn_files.none"), t("churn_files.none_hint"), new if may else None),
            older=t("churn_files.title"),
        )
        await listing.read()
        with ui.element("div").classes("bar"):
            Fragment(heading(t("churn_files.title"), under=t("churn_files.about")), cls="grow")
            Fragment(div(new, cls="actions"))
        listing.put(kinds=(), every=_LOOK_SECONDS)

    def _look(self, actor: Actor, _cursor: str | None) -> PageOf[_Row]:
        users = self._files.users(actor=actor)
        rows = [_Row(file, users.get(file.file_id, ())) for file in reversed(self._files.list(actor=actor))]
        return PageOf(items=rows, next_cursor=None)


def _row(t: Texts, row: _Row) -> Html:
    one = row.file
    path = BASE + path_of(one.file_id)
    return tag(
        "tr",
        tag(
            "td",
            link(path, Data(one.name), cls="first"),
            div(Data(f"#{one.file_id} · "), kind(t, one), cls="muted small"),
        ),
        tag("td", span(months(one), cls="number"), cls="unbroken"),
        tag("td", Data(f"{one.customers:,}"), cls="right number", data_label=t("churn_files.customers")),
        tag("td", Data(f"{one.rows:,}"), cls="right number wide-only"),
        tag("td", users_told(t, row.users), cls="wraps", data_label=t("churn_files.used_by")),
        tag(
            "td",
            when(datetime.fromisoformat(one.ingested_at)),
            div(Data(one.ingested_by), cls="small"),
            cls="muted wide-only",
        ),
        data_href=path,
    )


def users_told(t: Texts, users: Sequence[tuple[int, str]]) -> Html:
    """Names of the first experiments, and how many more there are."""
    if not users:
        return span(t("churn_files.unused"), cls="muted")
    named = [link(BASE + path_of_experiment(number), Data(name)) for number, name in users[:_NAMED]]
    parts = [join(Data(", ") if place else None, each) for place, each in enumerate(named)]
    more = t("churn_files.more", n=len(users) - _NAMED) if len(users) > _NAMED else None
    return join(parts, Data(" ") if more else None, more)
