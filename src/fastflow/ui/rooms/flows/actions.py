"""What can be done with a flow or a backfill as it is: cancel it, or run again what did not succeed."""

from nicegui import ui

from fastflow.kernel.flows.domain.flow import Flow, FlowStatus
from fastflow.kernel.flows.ports import FlowView
from fastflow.kernel.flows.service import FlowService
from fastflow.kit.identity import Role
from fastflow.ui.shell.controls import button, confirm
from fastflow.ui.shell.page import Page


class Actions:
    """The buttons; made anew only when others fit.

    Args:
        page: where they are.
        flows: does it.
        view: the flow.
    """

    def __init__(self, page: Page, flows: FlowService, view: FlowView) -> None:
        self._page = page
        self._flows = flows
        self._view = view
        self._place = ui.element("div").classes("actions")
        with self._place:
            self._put()

    def show(self, view: FlowView) -> None:
        """Offer what fits the flow now."""
        before, self._view = self._view, view
        if _stands(before.flow) != _stands(view.flow):
            self._place.clear()
            with self._place:
                self._put()

    def _put(self) -> None:
        page, flow, t = self._page, self._view.flow, self._page.t
        may = all(page.may(Role.OPERATOR, root) for root in self._view.roots)
        if flow.status is FlowStatus.FAILED:
            exact, about = t("flows.rerun_exact"), t("flows.rerun_exact_about")
            again = t("flows.resume" if flow.kind == "backfill" else "flows.rerun")
            button(page, exact, self._rerun_exactly, drawing="again", may=may, title=about)
            button(page, again, self._rerun, drawing="play", may=may, cls="primary", title=t("flows.rerun_about"))
        if flow.status is FlowStatus.RUNNING and flow.cancel_requested_at is None:
            button(page, t("flows.cancel"), self._cancel, drawing="stop", may=may, cls="danger")

    async def _rerun(self) -> None:
        await self._repeat(is_exact=False)

    async def _rerun_exactly(self) -> None:
        await self._repeat(is_exact=True)

    async def _repeat(self, *, is_exact: bool) -> None:
        page, flow = self._page, self._view.flow
        after = await page.ask(self._flows.rerun, flow.id, actor=await page.who(), exact=is_exact)
        page.tell(page.t("flows.again", n=after.flow.attempt))
        self.show(after)

    async def _cancel(self) -> None:
        page, t, flow = self._page, self._page.t, self._view.flow
        is_backfill = flow.kind == "backfill"
        question = t("flows.cancel_backfill_question" if is_backfill else "flows.cancel_question")
        if await confirm(question, t("flows.cancel_text"), yes=t("flows.cancel"), no=t("flows.keep")):
            after = await page.ask(self._flows.cancel, flow.id, actor=await page.who())
            page.tell(t("flows.cancelling_told"))
            self.show(after)


def _stands(flow: Flow) -> tuple[object, ...]:
    return flow.status, flow.attempt, flow.cancel_requested_at
