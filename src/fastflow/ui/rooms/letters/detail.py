"""One dead letter: why it failed, what changed, and the form that submits it again or puts it aside."""

from dataclasses import dataclass

from nicegui import ui

from fastflow.kernel.failures.domain.changes import Why
from fastflow.kernel.failures.domain.records import DeadLetter, LetterState
from fastflow.kernel.failures.service import FailureService, LetterService
from fastflow.kit.identity import Actor, Role
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import card, facts, heading, lasting, short, status, when
from fastflow.ui.rooms.letters.groups import state
from fastflow.ui.rooms.letters.schemas import Schema, Schemas
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.forms import switch_field, text_field
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.shell.params import ParamFields
from fastflow.ui.texts import Data, Texts


@dataclass(frozen=True, kw_only=True)
class _Shown:
    letter: DeadLetter
    why: Why
    schema: Schema


class LetterPage:
    """Builds the page.

    Args:
        letters: the letter, and what can be done with it.
        failures: why it failed.
        schemas: what pipelines take.
    """

    def __init__(self, letters: LetterService, failures: FailureService, schemas: Schemas) -> None:
        self._letters = letters
        self._failures = failures
        self._schemas = schemas

    async def build(self, page: Page) -> None:
        """Put it on the page."""
        t = page.t
        shown = await page.ask(self._look, page, page.actor)
        ui.page_title(f"{shown.letter.run.pipeline_name} · {t('letters.one_title')} · Fast-Flow")
        Fragment(_head(t, shown.letter))
        Fragment(_note(t, shown.letter))
        with ui.element("div").classes("columns"):
            with ui.element("div"):
                if shown.letter.state is LetterState.OPEN:
                    may = page.may(Role.OPERATOR, shown.letter.run.pipeline_name)
                    _put_replay(page, self._letters, shown.letter, shown.schema, may=may)
                    _put_dismiss(page, self._letters, shown.letter, may=may)
                else:
                    Fragment(_settled(t, shown.letter))
            Fragment(_beside(t, shown))

    def _look(self, page: Page, actor: Actor) -> _Shown:
        letter = self._letters.get(page.params["run_id"], actor=actor)
        why = self._failures.why(letter.run.id, actor=actor)
        return _Shown(letter=letter, why=why, schema=self._schemas.of(letter.run.pipeline_name))


def _put_replay(page: Page, letters: LetterService, letter: DeadLetter, schema: Schema, *, may: bool) -> None:
    """The form that submits it again, with a field for each parameter that the pipeline declares today."""
    t = page.t
    with ui.element("section").classes("card"):
        Fragment(div(tag("h2", t("letters.replay_title")), cls="card-head"))
        with ui.element("form").classes("run-form").on("submit.prevent", lambda: None):
            Fragment(tag("p", t("letters.params_about"), cls="muted small-text"))
            params = ParamFields(page, schema, letter.run.params)
            is_exact = switch_field(page, t("letters.exact"), about=t("letters.exact_about"))

            async def replay() -> None:
                given = params.read()
                with params.placing():
                    run = await page.ask(
                        letters.replay,
                        letter.run.id,
                        actor=await page.who(),
                        params=given or None,
                        exact=bool(is_exact.value),
                    )
                page.go(f"/runs/{run.id}")

            with ui.element("div").classes("actions"):
                button(page, t("letters.replay"), replay, drawing="again", cls="primary", may=may)


def _put_dismiss(page: Page, letters: LetterService, letter: DeadLetter, *, may: bool) -> None:
    """The form that puts it aside."""
    t = page.t
    with ui.element("section").classes("card below"):
        Fragment(div(tag("h2", t("letters.dismiss_title")), cls="card-head"))
        with ui.element("form").classes("run-form").on("submit.prevent", lambda: None):
            note = text_field(page, t("letters.note"), about=t("letters.note_about"))

            async def dismiss() -> None:
                await page.ask(letters.dismiss, letter.run.id, actor=await page.who(), note=note.text[:500] or None)
                page.go("/dead-letters")

            with ui.element("div").classes("actions"):
                button(page, t("letters.dismiss"), dismiss, drawing="close", may=may)


def _head(t: Texts, letter: DeadLetter) -> Html:
    return heading(
        Data(letter.run.pipeline_name),
        state(t, letter),
        tag("code", short(letter.run.id), cls="muted"),
        trail=[(f"{BASE}/dead-letters", t("letters.title"))],
    )


def _note(t: Texts, letter: DeadLetter) -> Html:
    """Why it failed."""
    run = letter.run
    told = as_told(t, run.reason_text) if run.reason_text else t("letters.ungrouped")
    return div(icon("alert"), span(told), cls="note bad", role="status")


def _settled(t: Texts, letter: DeadLetter) -> Html:
    new = (
        link(f"{BASE}/runs/{letter.replayed_by}", tag("code", short(letter.replayed_by)))
        if letter.replayed_by
        else None
    )
    rows = [
        (t("letters.by"), Data(letter.settled_by) if letter.settled_by else None),
        (t("letters.at"), when(letter.settled_at, "clock")),
        (t("letters.new_run"), new),
        (t("letters.note"), Data(letter.note) if letter.note else None),
    ]
    return card(t(f"letters.state_{letter.state}"), facts(rows))


def _beside(t: Texts, shown: _Shown) -> Html:
    run, why = shown.letter.run, shown.why
    good = why.last_good
    rows = [
        (t("letters.run"), link(f"{BASE}/runs/{run.id}", tag("code", short(run.id)), cls="underlined")),
        (t("letters.ended_as"), status(t, run)),
        (t("letters.failed_at"), when(shown.letter.created_at, "clock")),
        (t("letters.took"), lasting(run.started_at, run.finished_at) if run.started_at else None),
        (t("letters.attempt"), Data(run.attempt) if run.attempt > 1 else None),
        (t("letters.cause"), Data(why.failure.title) if why.failure else None),
        (t("letters.alike"), Data(why.group_runs) if why.group_runs > 1 else None),
        (t("letters.last_good"), link(f"{BASE}/runs/{good.id}", tag("code", short(good.id)), cls="underlined") if good else None),
    ]  # fmt: skip
    return join(
        card(t("letters.failure"), facts(rows)),
        card(t("letters.changed"), tag("p", Data(why.text), cls="card-body soft")) if why.text else None,
    )
