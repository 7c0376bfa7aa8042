"""What waits for a person: each with the way to where it is decided, for those who may."""

from collections.abc import Sequence

from fastflow.kernel.flows.domain.approving import Question, find_refusal
from fastflow.kit.identity import Actor
from fastflow.ui.markup import Html, div, link, span, tag
from fastflow.ui.parts import card, when
from fastflow.ui.shell.page import BASE
from fastflow.ui.texts import Data, Texts

_NAMED = 3


def put_questions(t: Texts, questions: Sequence[Question], actor: Actor, *, are_more: bool) -> Html:
    """A card with a row for each.

    Args:
        t: the words.
        questions: at least one.
        actor: who looks; a way to decide is offered to those alone who may.
        are_more: whether others wait that are not among them.
    """
    rows = div([_row(t, question, actor) for question in questions], cls="rows")
    everything = link(f"{BASE}/flows?state=RUNNING", t("overview.all")) if are_more else None
    return card(t("overview.questions"), rows, aside=everything)


def _row(t: Texts, question: Question, actor: Actor) -> Html:
    path = f"{BASE}/flows/{question.flow_id}"
    may = find_refusal(question.step, question.users, actor) is None
    about = Data(question.note) if question.note else t("overview.question_in", flow=question.flow_name)
    decide = link(
        path, t("overview.decide"), cls="button small", aria_label=t("overview.decide_about", step=question.step)
    )  # fmt: skip
    return div(
        span(cls="dot waits"),
        div(link(path, tag("strong", Data(question.step))), tag("small", about), cls="main"),
        decide if may else span(_left_to(t, question), cls="side muted small"),
        _until(t, question),
        cls="row",
    )


def _left_to(t: Texts, question: Question) -> Html:
    if not question.users:
        return span(t("overview.left_to_operators"))
    named = ", ".join(question.users[:_NAMED]) + (" …" if len(question.users) > _NAMED else "")
    return span(t("overview.left_to", users=named))


def _until(t: Texts, question: Question) -> Html | None:
    if question.expires_at is None:
        return None
    then = t("overview.then_approved" if question.on_timeout == "approve" else "overview.then_denied")
    return span(when(question.expires_at), Data(", "), then, cls="side wide-only")
