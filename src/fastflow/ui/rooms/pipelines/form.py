"""The form that runs a pipeline, made from its parameters' schema. What is right, the server decides."""

from nicegui import ui

from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.runs.service import RunService
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.page import Page
from fastflow.ui.shell.params import ParamFields


class RunForm:
    """The form on a page.

    Args:
        page: where it is.
        runs: takes what was filled in.
        pipeline: which to run.
        may: whether the reader may run it.
    """

    def __init__(self, page: Page, runs: RunService, pipeline: Pipeline, *, may: bool) -> None:
        self._page = page
        self._runs = runs
        self._pipeline = pipeline
        with ui.element("form").classes("run-form").on("submit.prevent", lambda: None):
            self._params = ParamFields(page, pipeline.params_schema)
            with ui.element("div").classes("actions"):
                button(page, page.t("pipelines.run"), self._submit, drawing="play", cls="primary", may=may)

    async def _submit(self) -> None:
        page = self._page
        params = self._params.read()
        with self._params.placing():
            run = await page.ask(self._runs.submit, self._pipeline.name, params, actor=await page.who(), trigger="ui")
        page.go(f"/runs/{run.id}")
