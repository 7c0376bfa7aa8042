"""SQL over the churn database: an editor, the tables it can read, saved views, and the rows that come out."""

import json
from collections.abc import Mapping
from time import monotonic
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

from fastflow.apps.churn.errors import SqlRefused
from fastflow.apps.churn.pages.sql.grid import answer_card, refusal, running
from fastflow.apps.churn.ports_sql import Stop
from fastflow.apps.churn.service.database import GUARDED_BY
from fastflow.apps.churn.service.sql import Sql
from fastflow.kit.identity import Actor, Role
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, join, span, tag
from fastflow.ui.parts import card, heading
from fastflow.ui.shell.controls import button, confirm
from fastflow.ui.shell.page import Fragment, Page
from fastflow.ui.shell.sheet import Sheet
from fastflow.ui.texts import Data, Texts

_WATCH = """((label) => {
  const root = document.documentElement;
  const tell = () => emitEvent("fastflow_dark", root.classList.contains("dark"));
  new MutationObserver(tell).observe(root, {attributeFilter: ["class"]});
  tell();
  const name = () => {
    const field = document.querySelector(".sql-editor .cm-content");
    if (field) field.setAttribute("aria-label", label);
    else requestAnimationFrame(name);
  };
  name();
})"""
"""The editor is drawn by a library that knows neither our colours nor its own name."""
FIRST = "SELECT * FROM experiments"
_ROWS_SHOWN = 200
_TICK_SECONDS = 1.0
_FETCH = """(async (kind, query, failed) => {
  const tell = (message, caption) => globalThis.Quasar?.Notify.create({message, caption, classes: "toast problem",
    position: "bottom-right", timeout: 12000, attrs: {role: "alert"}, actions: [{label: "✕"}]});
  try {
    const me = await (await fetch("/auth/me")).json();
    const headers = {"Content-Type": "application/json", "X-CSRF-Token": me.csrf_token, "X-Fastflow-Told": "1"};
    const answer = await fetch(`/sql/download?kind=${kind}`, {method: "POST", headers, body: JSON.stringify({query})});
    if (!answer.ok) {
      const said = await answer.json();
      return tell(said.detail || said.title, said.hint);
    }
    const at = URL.createObjectURL(await answer.blob());
    Object.assign(document.createElement("a"), {href: at, download: `query.${kind}`}).click();
    setTimeout(() => URL.revokeObjectURL(at), 60000);
  } catch { tell(failed, ""); }
})"""


class SqlPage:
    """Builds the page.

    Args:
        sql: answers.
    """

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t = page.t
        found = await page.ask(self._look, page.actor)
        Fragment(heading(t("sql.title"), under=t("sql.about")))
        with ui.element("div").classes("columns"):
            with ui.element("div"):
                _Editor(page, self._sql, page.query.get("q") or FIRST)
            with ui.element("div"):
                beside = Fragment(_beside(t, found, may=page.may(Role.OPERATOR, GUARDED_BY)))

        async def refresh() -> None:
            actor = await page.who()
            now = await page.ask(self._look, actor)
            beside.show(_beside(t, now, may=actor.may_touch(GUARDED_BY, Role.OPERATOR)))

        async def delete(name: str) -> None:
            question, text = t("sql.delete_question", name=name), t("sql.delete_text")
            if await confirm(question, text, yes=t("sql.delete"), no=t("sql.keep")):
                await page.ask(self._sql.delete_view, name, actor=await page.who())
                await refresh()

        beside.on_press(page, {"delete": delete})
        page.live(refresh, every=10.0)

    def _look(self, actor: Actor) -> Mapping[str, Any]:
        return {**self._sql.tables(actor=actor), "views": self._sql.views(actor=actor)}


class _Editor:
    """The query, what can be done with it, and its answer below."""

    def __init__(self, page: Page, sql: Sql, query: str) -> None:
        self._page, self._sql = page, sql
        t = page.t
        with ui.element("section").classes("card sql"):
            Fragment(div(tag("h2", t("sql.query")), span(Data("Ctrl ⏎"), cls="muted small-text"), cls="card-head"))
            self._text = ui.codemirror(
                query,
                language="SQL",
                theme="vscodeLight",
                line_wrapping=True,
                keymap={"Mod-Enter": page.act(self._run)},
            ).classes("sql-editor")
            self._text.classes("unthemed")  # not seen before it has the colours of the page
            ui.on("fastflow_dark", self._recolour)
            page.client.on_connect(lambda: ui.run_javascript(f"{_WATCH}({json.dumps(str(t('sql.query')))})"))
            with ui.element("div").classes("card-body actions"):
                button(page, t("sql.run"), self._run, drawing="play", cls="primary")
                self._stopping = button(page, t("sql.stop"), self._stop, drawing="stop", cls="danger")
                button(page, t("sql.csv"), self._file("csv"), drawing="download")
                button(page, t("sql.parquet"), self._file("parquet"), drawing="download")
                may = page.may(Role.OPERATOR, GUARDED_BY)
                button(page, t("sql.save"), self._save, drawing="plus", may=may)
        self._answer = Fragment(Html(""), cls="below")
        self._running: Stop | None = None
        self._begun = 0.0
        self._stopping.set_visibility(False)
        self._ticking = ui.timer(_TICK_SECONDS, self._tick, active=False)

    def _recolour(self, told: GenericEventArguments) -> None:
        self._text.set_theme("vscodeDark" if told.args else "vscodeLight")
        self._text.classes(remove="unthemed")

    async def _run(self) -> None:
        """Ask, and show the time that passes until the answer comes; one query at a time."""
        if self._running is not None:
            return
        page, t = self._page, self._page.t
        stop = self._running = Stop()
        self._begun = monotonic()
        self._answer.show(running(t, 0))
        self._stopping.set_visibility(True)
        self._ticking.activate()
        shown = Html("")
        try:
            actor = await page.who()
            answer = await page.ask(self._sql.query, self._text.value, limit=_ROWS_SHOWN, actor=actor, stop=stop)
            shown = answer_card(t, answer)
        except SqlRefused as error:
            shown = refusal(t, error)
        finally:
            self._running = None
            self._ticking.deactivate()
            self._stopping.set_visibility(False)
            self._answer.show(shown)

    async def _stop(self) -> None:
        if self._running is not None:
            self._running.press()

    def _tick(self) -> None:
        if self._running is not None:
            self._answer.show(running(self._page.t, int(monotonic() - self._begun)))

    def _file(self, kind: str) -> Any:
        async def fetch() -> None:
            told = (kind, self._text.value, str(self._page.t("sql.no_file")))
            ui.run_javascript(f"{_FETCH}({', '.join(json.dumps(each) for each in told)})")

        return fetch

    async def _save(self) -> None:
        page, t, query = self._page, self._page.t, self._text.value
        sheet = Sheet(page, t("sql.save"), t("sql.save_about"))
        sheet.text("name", t("sql.name"))

        async def save(given: Mapping[str, str]) -> str:
            await page.ask(self._sql.save_view, given["name"], query, actor=await page.who())
            return given["name"]

        name = await sheet.ask(save, yes=t("sql.save"), no=t("sql.cancel"))
        if name is not None:
            page.tell(t("sql.saved", name=name))


def _beside(t: Texts, found: Mapping[str, Any], *, may: bool) -> Html:
    saved = {str(one["name"]): str(one["sql"]) for one in found["views"]}
    tables = [_table(t, one) for one in found["tables"] if one["name"] not in saved]
    views = [_view(t, name, sql, found["broken"].get(name), may=may) for name, sql in saved.items()]
    macros = [
        tag("li", tag("code", Data(one["definition"].partition(" AS ")[0]), title=one["definition"]))
        for one in found["macros"]
    ]
    return join(
        card(t("sql.tables"), div(tables, cls="card-body sql-tables")),
        card(t("sql.views"), div(views or tag("p", t("sql.no_views"), cls="muted"), cls="card-body"), cls="below"),
        card(t("sql.months"), tag("ul", macros, cls="card-body sql-months"), cls="below"),
    )


def _table(t: Texts, one: Mapping[str, Any]) -> Html:
    columns = [
        tag(
            "li",
            tag("code", Data(column["name"])),
            span(Data(f" {column['type'].lower()}"), cls="muted"),
            _said(t, column),
        )
        for column in one["columns"]
    ]
    kind = span(t("sql.view"), cls="muted small-text") if one["kind"] == "view" else None
    return tag("details", tag("summary", tag("code", Data(one["name"])), kind), _said(t, one), tag("ul", columns))


def _said(t: Texts, one: Mapping[str, Any]) -> Html | None:
    """What a table or a column holds, in words."""
    return div(as_told(t, one["description"]), cls="muted small-text") if one["description"] else None


def _view(t: Texts, name: str, sql: str, broken: str | None, *, may: bool) -> Html:
    away = tag(
        "button",
        icon("trash"),
        cls="button small",
        data_act="delete",
        data_of=name,
        aria_label=t("sql.delete_of", name=name),
        disabled=not may,
        type="button",
    )
    return tag(
        "details",
        tag("summary", tag("code", Data(name), cls="grow"), away),
        div(Data(broken), cls="wrong") if broken else None,
        tag("pre", Data(sql), cls="sql-text"),
    )
