"""What waits for somebody's decision in a flow: the question, a note, and the two answers."""

from collections.abc import Sequence

from nicegui import ui

from fastflow.kernel.flows.domain.approving import find_refusal, rule_of
from fastflow.kernel.flows.domain.flow import Step
from fastflow.kernel.flows.ports import FlowView
from fastflow.kernel.flows.service import FlowService
from fastflow.kernel.flows.service.flows import Decision
from fastflow.ui.markup import Html, div, join, span, tag
from fastflow.ui.parts import when
from fastflow.ui.rooms.flows.pieces import asked
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.forms import text_field
from fastflow.ui.shell.page import Fragment, Page
from fastflow.ui.texts import Data, Texts

_MOST_NOTE = 500


class Approvals:
    """A card for each step that waits; made anew only when others wait.

    Args:
        page: where they are.
        flows: takes the decisions.
        view: the flow.
    """

    def __init__(self, page: Page, flows: FlowService, view: FlowView) -> None:
        self._page = page
        self._flows = flows
        self._flow_id = view.flow.id
        self._names: Sequence[str] = []
        self._place = ui.element("div").classes("approvals")
        self.show(view)

    def show(self, view: FlowView) -> None:
        """Ask about those that wait now."""
        waiting = [] if view.flow.cancel_requested_at is not None else asked(view)
        names = [step.name for step in waiting]
        if names == self._names:
            return
        self._names = names
        self._place.clear()
        with self._place:
            for step in waiting:
                self._put(step)

    def _put(self, step: Step) -> None:
        page, t = self._page, self._page.t
        users = users_of(step)
        refusal = find_refusal(step.name, users, page.actor)
        may = refusal is None or bool(users)
        why_not = None if refusal is None or not users else t("flows.not_yours")
        with ui.element("section").classes("card approval"):
            Fragment(_question(t, step))
            with ui.element("form").classes("run-form").on("submit.prevent", lambda: None):
                note = text_field(page, t("flows.note"), about=t("flows.note_about"))

                async def decide(decision: Decision) -> None:
                    told = note.text[:_MOST_NOTE] or None
                    after = await page.ask(
                        self._flows.decide, self._flow_id, step.name, decision, actor=await page.who(), note=told
                    )
                    page.tell(t("flows.approved" if decision == "approve" else "flows.denied", step=step.name))
                    self.show(after)

                with ui.element("div").classes("actions"):
                    button(
                        page, t("flows.deny"), lambda: decide("deny"), drawing="close", cls="danger", may=may,
                        why_not=why_not,
                    )  # fmt: skip
                    button(
                        page, t("flows.approve"), lambda: decide("approve"), drawing="check", cls="primary", may=may,
                        why_not=why_not,
                    )  # fmt: skip


def users_of(step: Step) -> Sequence[str]:
    """Who was named to decide."""
    rule = rule_of(step)
    return () if rule is None else rule.users


def _question(t: Texts, step: Step) -> Html:
    rule = rule_of(step)
    question = tag("p", Data(rule.note), cls="question") if rule and rule.note else None
    told: list[Html | Data | None] = [span(t("flows.asked"), Data(" "), when(step.asked_at))]
    if step.expires_at is not None and rule is not None:
        key = "flows.then_approved" if rule.on_timeout == "approve" else "flows.then_denied"
        told.append(span(t(key), Data(" "), when(step.expires_at, "full")))
    if rule is not None and rule.users:
        told.append(span(t("flows.deciders", users=", ".join(rule.users))))
    head = div(tag("h2", t("flows.approve_title", step=step.name)), cls="card-head")
    return join(head, div(question, div(told, cls="muted small pair"), cls="card-body"))
