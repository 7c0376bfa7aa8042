"""What the run that computes an experiment says, line by line; it stays readable on the page after its end."""

from nicegui import ui

from fastflow.apps.churn.service.runs import Job
from fastflow.ui.shell.log_view import LogView
from fastflow.ui.shell.page import Page


class LiveLog:
    """The part of an experiment's page.

    Args:
        page: where it is.
    """

    def __init__(self, page: Page) -> None:
        self._t = page.t
        self._run_id = ""
        self._place = ui.element("div").classes("below computing-log")
        self._place.set_visibility(False)

    def show(self, job: Job | None) -> None:
        """Follow this run; None: leave what was followed last."""
        if job is None or job.run.id == self._run_id:
            return
        self._run_id = job.run.id
        self._place.clear()
        with self._place:
            LogView(self._t, job.run.id)
        self._place.set_visibility(True)
