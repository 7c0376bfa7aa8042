"""How dead letters are submitted again: as they are or exactly as then, with other parameters, with time between them."""

import json
from typing import Any

from nicegui import ui

from fastflow.kernel.failures.domain.records import LetterFilter
from fastflow.kernel.failures.service import LetterService
from fastflow.kernel.failures.service.letters import MAX_REPLAYS
from fastflow.kit.durations import parse_duration
from fastflow.kit.errors import InvalidInput
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.forms import Form, area_field, switch_field, text_field
from fastflow.ui.shell.page import Page
from fastflow.ui.texts import Phrase


def read_params(page: Page, text: str) -> dict[str, Any]:
    """Parameters as they were filled in.

    Raises:
        InvalidInput: they are no JSON object.
    """
    try:
        found = json.loads(text) if text.strip() else {}
    except ValueError as error:
        raise _no_object(page) from error
    if not isinstance(found, dict):
        raise _no_object(page)
    return found


def _no_object(page: Page) -> InvalidInput:
    problem = page.t("letters.not_object")
    return InvalidInput(problem, hint=page.t("letters.not_object_hint"), fields={"params": problem})


async def replay_many(page: Page, letters: LetterService, wanted: LetterFilter, title: Phrase, count: Phrase) -> None:
    """Ask how, then submit them; what was refused is told."""
    t = page.t
    with ui.dialog() as dialog, ui.card().classes("confirm"):
        ui.html(title, sanitize=True, tag="h2")
        ui.html(count, sanitize=True, tag="p").classes("muted")
        with ui.element("form").classes("run-form bare").on("submit.prevent", lambda: None):
            params = area_field(page, t("letters.replaced"), about=t("letters.replaced_about"))
            every = text_field(page, t("letters.every"), about=t("letters.every_about"))
            is_exact = switch_field(page, t("letters.exact"), about=t("letters.exact_about"))
            form = Form({"params": params, "every": every})

            async def go() -> None:
                with form.placing():
                    replaced = read_params(page, params.text)
                    seconds = parse_duration(every.text, "every") if every.text.strip("0") else 0.0
                    done = await page.ask(
                        letters.replay_many,
                        wanted,
                        actor=await page.who(),
                        params=replaced or None,
                        exact=bool(is_exact.value),
                        limit=MAX_REPLAYS,
                        every=seconds,
                    )
                refused = [each for each in done if each.problem is not None]
                page.tell(t.count("letters.replayed", len(done) - len(refused)))
                if refused and refused[0].problem is not None:
                    page.tell_problem(refused[0].problem)
                dialog.submit(True)

            with ui.element("div").classes("actions end"):
                leave = ui.html(t("letters.leave"), sanitize=False, tag="button").classes("button")
                leave.props["type"] = "button"
                leave.on("click", lambda: dialog.submit(False))
                button(page, t("letters.replay"), go, drawing="again", cls="primary")
    await dialog
    dialog.delete()
