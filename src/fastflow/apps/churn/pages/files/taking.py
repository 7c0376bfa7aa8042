"""Taking a file in: handed over, its columns given their meaning, judged whole, kept or refused with every fault."""

import json
from collections.abc import Mapping
from typing import Any

from nicegui import ui

from fastflow.apps.churn.domain.files import PANEL, TRANSACTIONS
from fastflow.apps.churn.pages.experiments.manifest import PATH as EXPERIMENTS_PATH
from fastflow.apps.churn.pages.files.faults import faults_card
from fastflow.apps.churn.pages.files.roles import RoleTable
from fastflow.apps.churn.pages.files.rule import RuleFields
from fastflow.apps.churn.pages.files.words import path_of, trail
from fastflow.apps.churn.service.database import GUARDED_BY
from fastflow.apps.churn.service.files import Files
from fastflow.kit.errors import FastFlowError
from fastflow.kit.identity import Role
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, link, span, tag
from fastflow.ui.parts import heading
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.forms import choice_field, text_field
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.shell.upload import Upload
from fastflow.ui.texts import Data, Texts

_REFUSED = "churn_ingest_refused"


class TakingPage:
    """Builds the page.

    Args:
        files: says who may.
    """

    def __init__(self, files: Files) -> None:
        self._files = files

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        self._files.require_ingest(actor=page.actor)
        t = page.t
        Fragment(heading(t("churn_files.new"), trail=trail(t), under=t("churn_files.new_about")))
        _Taking(page)


class _Taking:
    """The steps on a page: the file, what it means, what came of it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        t = page.t
        with ui.element("section").classes("card form-card"):
            with ui.element("div").classes("run-form"):
                self._upload = Upload(
                    page, "churn-file", t("churn_files.hand_in"), about=t("churn_files.formats"),
                    accept=".csv,.tsv,.txt,.parquet", handed=self._handed,
                )  # fmt: skip
                kinds = {kind: str(t(f"churn_files.choose_{kind}")) for kind in (PANEL, TRANSACTIONS)}
                self._kind = choice_field(page, t("churn_files.kind"), kinds, PANEL, changed=self._kind_chosen)
                self._name = text_field(page, t("churn_files.name"), about=t("churn_files.name_about"))
            with ui.element("div") as self._meaning:
                self._roles = RoleTable(page)
                self._rule = RuleFields(page)
            may = page.may(Role.OPERATOR, GUARDED_BY)
            with ui.element("div").classes("actions"):
                self._take = button(page, t("churn_files.take"), self._do_take, drawing="check", cls="primary", may=may)
        self._told = Fragment(Html(""), cls="below")
        self._show(is_known=False)

    def _show(self, *, is_known: bool) -> None:
        """Ask for what a file of this kind needs; nothing before there is one."""
        is_panel = self._kind.value == PANEL
        self._kind.show(is_shown=is_known)
        self._name.show(is_shown=is_known)
        self._meaning.set_visibility(is_known)
        self._take.set_visibility(is_known)
        self._roles.show(is_shown=is_panel)
        self._rule.show(is_shown=not is_panel)

    async def _handed(self, name: str, _size: int) -> None:
        """Ask what its columns are, and begin with what they probably mean."""
        self._told.show(Html(""))
        self._show(is_known=False)
        try:
            answer = await self._upload.send("/churn/columns")
        except FastFlowError as error:
            if not self._tell_faults(error):
                raise
            return
        if answer is None:
            return
        columns = answer[1]["items"]
        self._name.put(name)
        self._roles.begin(columns, decimal=answer[1]["decimal"])
        self._rule.begin([column["name"] for column in columns])
        if not {"TIMEBASE", "TARGET"} & {column["role"] for column in columns}:
            self._kind.put(TRANSACTIONS)
        self._show(is_known=True)

    async def _kind_chosen(self) -> None:
        self._told.show(Html(""))
        self._show(is_known=True)

    async def _do_take(self) -> None:
        """Send it with its meaning; it is kept whole, or not at all."""
        self._told.show(Html(""))
        try:
            meaning = self._meaning_given()
            answer = await self._upload.send("/churn/files", meaning)
        except FastFlowError as error:
            self._rule.tell(error.fields)
            if not self._tell_faults(error):
                raise
            return
        if answer is not None:
            self._told.show(_taken(self._page.t, answer[1]))

    def _meaning_given(self) -> Mapping[str, str | None]:
        given: dict[str, str | None] = {"name": self._name.text, "kind": str(self._kind.value)}
        if self._kind.value == PANEL:
            return {**given, "dictionary": json.dumps(self._roles.dictionary(), ensure_ascii=False)}
        return {**given, **self._rule.given()}

    def _tell_faults(self, error: FastFlowError) -> bool:
        """Whether it is about the file's content, which is told here."""
        if error.code != _REFUSED:
            return False
        self._told.show(faults_card(self._page.t, error))
        return True


def _taken(t: Texts, answer: Mapping[str, Any]) -> Html:
    """What came of it, and what can be done next."""
    file = answer["file"]
    number, counts = int(file["file_id"]), {name: f"{file[name]:,}" for name in ("rows", "customers")}
    said = "churn_files.taken" if answer["is_new"] else "churn_files.was_there"
    notes = [tag("li", as_told(t, str(note))) for note in answer["notes"]]
    ways = div(
        link(
            f"{BASE}{EXPERIMENTS_PATH}/-/new?file={number}",
            icon("plus"),
            t("churn_files.experiment"),
            cls="button primary",
        ),
        link(BASE + path_of(number), t("churn_files.look"), cls="button"),
        cls="actions",
    )
    told = div(
        icon("check"), span(t(said, name=Data(file["name"]), number=number, **counts)), cls="note good", role="status"
    )
    return div(told, tag("ul", notes, cls="muted small-text") if notes else None, ways, cls="card-body card taken")
