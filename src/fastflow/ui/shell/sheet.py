"""Asks for a few things over the page, and stays until what they are for was done; shows once what is shown only once."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from nicegui import ui

from fastflow.kit.errors import InvalidInput
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, tag
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.forms import nearest
from fastflow.ui.shell.page import Fragment, Page
from fastflow.ui.texts import Data, Phrase

T = TypeVar("T")


class Sheet:
    """A dialog with fields.

    Args:
        page: where it is.
        title: what it is for.
        about: says more.
    """

    def __init__(self, page: Page, title: Phrase, about: Phrase | None = None) -> None:
        self._page = page
        self._fields: dict[str, Any] = {}
        self._wrong: dict[str, Fragment] = {}
        with ui.dialog() as self._dialog, ui.card().classes("confirm sheet") as self._card:
            self._card.props["role"] = "dialog"
            self._card.props["aria-label"] = str(title)
            Fragment(tag("h2", title))
            if about is not None:
                Fragment(tag("p", about, cls="muted small-text"))
            self._place = ui.element("div").classes("sheet-fields")

    def text(self, name: str, label: Phrase, *, about: Phrase | None = None, placeholder: str = "") -> None:
        """Ask for a line of text."""
        with self._field(label, about):
            made = ui.input(placeholder=placeholder).props("outlined dense autocomplete=off")
            made.props["spellcheck"] = "false"
        self._keep(name, made, label)

    def one_of(self, name: str, label: Phrase, options: Mapping[str, Phrase], chosen: str) -> None:
        """Ask for one of some values."""
        with self._field(label, None):
            made = ui.select({key: str(text) for key, text in options.items()}, value=chosen).props("outlined dense")
        self._keep(name, made, label)

    def _field(self, label: Phrase, about: Phrase | None) -> ui.element:
        with self._place:
            place = ui.element("div").classes("run-field")
        with place:
            Fragment(div(tag("label", label, cls="name plain"), tag("div", about, cls="about") if about else None))
        return place

    def _keep(self, name: str, made: Any, label: Phrase) -> None:
        made.props["aria-label"] = str(label)
        self._fields[name] = made
        with made.parent_slot.parent:
            self._wrong[name] = Fragment(Html(""))

    async def ask(self, do: Callable[[Mapping[str, str]], Awaitable[T]], *, yes: Phrase, no: Phrase) -> T | None:
        """What `do` makes of what was filled in; None: nothing was done. What it raises is told, and it can be tried again."""
        page, done = self._page, list[T]()

        async def submit() -> None:
            for wrong in self._wrong.values():
                wrong.show(Html(""))
            try:
                done.append(await do({name: str(field.value or "").strip() for name, field in self._fields.items()}))
            except InvalidInput as error:
                self._tell(error)
                raise
            self._dialog.submit(True)

        with self._card, ui.element("div").classes("actions").style("justify-content: flex-end"):
            ui.html(no, sanitize=True, tag="button").classes("button").on("click", lambda: self._dialog.submit(False))
            button(page, yes, submit, cls="primary")
        for field in self._fields.values():
            if isinstance(field, ui.input):
                field.on("keydown.enter.prevent", page.act(submit))
        await self._dialog
        self._dialog.delete()
        return done[0] if done else None

    def _tell(self, error: InvalidInput) -> None:
        for place, problem in error.fields.items():
            name = nearest(place, self._wrong)
            if name in self._wrong:
                self._wrong[name].show(div(as_told(self._page.t, problem), cls="wrong", role="alert"))


async def show_once(page: Page, title: Phrase, about: Phrase, secret: str) -> None:
    """Show something that cannot be had again, until it is closed."""
    t = page.t
    with ui.dialog().props("persistent") as dialog, ui.card().classes("confirm sheet") as card:
        card.props["role"] = "dialog"
        card.props["aria-label"] = str(title)
        copy = tag(
            "button", icon("link"), t("shell.copy"), cls="button small", data_do="copy", data_text=secret, type="button"
        )
        Fragment(tag("h2", title))
        Fragment(tag("p", about, cls="muted small-text"))
        Fragment(div(tag("code", Data(secret), cls="once"), copy, cls="once-row"))
        with ui.element("div").classes("actions").style("justify-content: flex-end"):
            done = ui.html(t("shell.noted"), sanitize=True, tag="button").classes("button primary")
            done.on("click", lambda: dialog.submit(True))
    await dialog
    dialog.delete()
