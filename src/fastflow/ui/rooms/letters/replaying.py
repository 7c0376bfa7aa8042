"""How dead letters are submitted again, and put aside: many of them at once, with other parameters, with time between them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nicegui import ui

from fastflow.kernel.failures.domain.records import LetterFilter
from fastflow.kernel.failures.service import LetterService
from fastflow.kernel.failures.service.letters import MAX_REPLAYS
from fastflow.kit.durations import parse_duration
from fastflow.kit.errors import FastFlowError
from fastflow.kit.identity import Actor
from fastflow.ui.markup import tag
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.forms import Form, switch_field, text_field
from fastflow.ui.shell.page import Fragment, Page
from fastflow.ui.shell.params import ParamFields
from fastflow.ui.texts import Phrase


@dataclass
class Outcome:
    """What became of many.

    Attributes:
        done: how many of them.
        problems: why the others were refused.
    """

    done: int = 0
    problems: list[FastFlowError] = field(default_factory=list)

    def tell(self, page: Page, done: Phrase) -> None:
        """Say it."""
        page.tell(done)
        if self.problems:
            page.tell_problem(self.problems[0])


@dataclass(frozen=True, kw_only=True)
class How:
    """What was asked for.

    Attributes:
        params: in place of those of the same names.
        exact: the same code, environment and limits as then.
        every: seconds between two.
    """

    params: Mapping[str, Any]
    exact: bool
    every: float


def replay_group(letters: LetterService, wanted: LetterFilter, how: How, actor: Actor) -> Outcome:
    """Submit all that fit."""
    done = letters.replay_many(
        wanted, actor=actor, params=how.params or None, exact=how.exact, limit=MAX_REPLAYS, every=how.every
    )
    refused = [each.problem for each in done if each.problem is not None]
    return Outcome(done=len(done) - len(refused), problems=refused)


def replay_these(letters: LetterService, ids: Sequence[str], how: How, actor: Actor) -> Outcome:
    """Submit these, the oldest first; one that is refused does not keep the others."""
    outcome = Outcome()
    for run_id in sorted(ids):
        try:
            delay = how.every * outcome.done
            letters.replay(run_id, actor=actor, params=how.params or None, exact=how.exact, delay=delay)
            outcome.done += 1
        except FastFlowError as error:
            outcome.problems.append(error)
    return outcome


def dismiss_these(letters: LetterService, ids: Sequence[str], note: str | None, actor: Actor) -> Outcome:
    """Put these aside; one that is refused does not keep the others."""
    outcome = Outcome()
    for run_id in ids:
        try:
            letters.dismiss(run_id, actor=actor, note=note)
            outcome.done += 1
        except FastFlowError as error:
            outcome.problems.append(error)
    return outcome


async def ask_how(
    page: Page,
    title: Phrase,
    count: Phrase,
    schema: Mapping[str, Any] | None,
    do: Callable[[How, Actor], Outcome],
) -> bool:
    """Ask how, then submit them; what was refused is told. Whether anything was done.

    Args:
        page: where it is.
        title: the question.
        count: how many it would be.
        schema: of the parameters, if all have the same one.
        do: submits them; called in a thread.
    """
    t = page.t
    with ui.dialog() as dialog, ui.card().classes("confirm"):
        ui.html(title, sanitize=True, tag="h2")
        ui.html(count, sanitize=True, tag="p").classes("muted")
        with ui.element("form").classes("run-form bare").on("submit.prevent", lambda: None):
            Fragment(tag("p", t("letters.replaced_about"), cls="muted small-text"))
            params = ParamFields(page, schema, {}, is_partial=True)
            every = text_field(page, t("letters.every"), about=t("letters.every_about"))
            is_exact = switch_field(page, t("letters.exact"), about=t("letters.exact_about"))
            form = Form({"every": every})

            async def go() -> None:
                with form.placing():
                    seconds = parse_duration(every.text, "every") if every.text.strip("0") else 0.0
                how = How(params=params.read(), exact=bool(is_exact.value), every=seconds)
                outcome = await page.ask(do, how, await page.who())
                outcome.tell(page, t.count("letters.replayed", outcome.done))
                dialog.submit(True)

            _put_buttons(page, dialog, t("letters.replay"), go)
    is_done = await dialog
    dialog.delete()
    return is_done is True


async def ask_why(page: Page, title: Phrase, do: Callable[[str | None, Actor], Outcome]) -> bool:
    """Ask why they are put aside, and do it. Whether anything was done."""
    t = page.t
    with ui.dialog() as dialog, ui.card().classes("confirm"):
        ui.html(title, sanitize=True, tag="h2")
        with ui.element("form").classes("run-form bare").on("submit.prevent", lambda: None):
            note = text_field(page, t("letters.note"), about=t("letters.note_about"))

            async def go() -> None:
                outcome = await page.ask(do, note.text[:500] or None, await page.who())
                outcome.tell(page, t.count("letters.dismissed", outcome.done))
                dialog.submit(True)

            _put_buttons(page, dialog, t("letters.dismiss"), go)
    is_done = await dialog
    dialog.delete()
    return is_done is True


def _put_buttons(page: Page, dialog: ui.dialog, yes: Phrase, go: Callable[[], Awaitable[None]]) -> None:
    with ui.element("div").classes("actions end"):
        leave = ui.html(page.t("letters.leave"), sanitize=False, tag="button").classes("button")
        leave.props["type"] = "button"
        leave.on("click", lambda: dialog.submit(False))
        button(page, yes, go, cls="primary")
