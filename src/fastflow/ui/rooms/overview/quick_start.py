"""Pipelines that ran lately, to be started by one press. One that needs parameters is asked for them by its form."""

from collections.abc import Sequence
from urllib.parse import quote

from nicegui import ui

from fastflow.kernel.runs.service import RunService
from fastflow.kit.errors import InvalidInput
from fastflow.kit.identity import Role
from fastflow.ui.markup import div, link, tag
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data


class QuickStart:
    """The card; made anew only when other pipelines stand in it.

    Args:
        page: where it is.
        runs: takes what is started.
        names: of the pipelines.
    """

    def __init__(self, page: Page, runs: RunService, names: Sequence[str]) -> None:
        self._page = page
        self._runs = runs
        self._names: Sequence[str] = names
        with ui.element("section").classes("card"):
            everything = link(f"{BASE}/pipelines", page.t("overview.all_pipelines"))
            Fragment(div(tag("h2", page.t("overview.start")), everything, cls="card-head"))
            self._place = ui.element("div").classes("rows")
            with self._place:
                self._put()

    def show(self, names: Sequence[str]) -> None:
        """Offer these."""
        if names != self._names:
            self._names = names
            self._place.clear()
            with self._place:
                self._put()

    def _put(self) -> None:
        page, t = self._page, self._page.t
        if not self._names:
            Fragment(tag("p", t("overview.start_none"), cls="card-body muted"))
        for name in self._names:
            with ui.element("div").classes("row"):
                path = f"{BASE}/pipelines/{quote(name, safe='')}"
                Fragment(link(path, tag("strong", Data(name))), cls="main")
                start = button(
                    page,
                    t("overview.start_it"),
                    lambda name=name: self._start(name),  # type: ignore[misc]
                    drawing="play",
                    cls="small",
                    may=page.may(Role.OPERATOR, name),
                )
                start.props["aria-label"] = str(t("overview.start_named", name=name))

    async def _start(self, name: str) -> None:
        page = self._page
        try:
            run = await page.ask(self._runs.submit, name, {}, actor=await page.who(), trigger="ui")
        except InvalidInput as error:
            if not any(field.startswith("params") for field in error.fields):
                raise
            page.go(f"/pipelines/{quote(name, safe='')}")
            return
        page.go(f"/runs/{run.id}")
