"""What people fill in: labelled fields that show beside them what the service says is wrong with them."""

from collections.abc import Awaitable, Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from nicegui import ui

from fastflow.kit.durations import parse_duration
from fastflow.kit.errors import FastFlowError, InvalidInput
from fastflow.kit.secret_text import SecretText
from fastflow.ui.hints import as_told
from fastflow.ui.markup import Html, div, span, tag
from fastflow.ui.shell.page import Fragment, Page
from fastflow.ui.texts import Data, Phrase

Changed = Callable[[], Awaitable[None]]
_UNITS = (("d", 86400), ("h", 3600), ("m", 60))


class Field:
    """A field with its name, what it is about, and what is wrong with it.

    Args:
        page: where it is.
        label: its name.
        make: makes what is filled in.
        about: says more.
        is_required: marks it so.
    """

    def __init__(
        self,
        page: Page,
        label: Phrase,
        make: Callable[[], Any],
        *,
        about: Phrase | Html | None = None,
        is_required: bool = False,
    ) -> None:
        must = span(Data("*"), cls="must", title=page.t("shell.must")) if is_required else None
        self._t = page.t
        self._box = ui.element("div").classes("run-field")
        with self._box:
            Fragment(
                div(tag("label", label, must, cls="name plain"), div(about, cls="about") if about is not None else None)
            )
            self.input = make()
            self.input.props["aria-label"] = str(label)
            self._wrong = Fragment(Html(""))

    @property
    def value(self) -> Any:
        """As it was filled in."""
        return self.input.value

    @property
    def text(self) -> str:
        """As it was filled in, without blanks around it."""
        return "" if self.value is None else str(self.value).strip()

    def take(self) -> SecretText:
        """What was filled in, which is forgotten here: nothing that is told of the field later can send it back."""
        taken = SecretText("" if self.value is None else str(self.value))
        self.put("")
        return taken

    def put(self, value: Any) -> None:
        """Fill it in."""
        self.input.value = value

    def tell(self, problem: str) -> None:
        """Say what is wrong with it, in the words of pages; nothing: nothing is."""
        self._wrong.show(div(as_told(self._t, problem), cls="wrong", role="alert") if problem else Html(""))
        self.input.props["aria-invalid"] = "true" if problem else "false"

    def wrong(self, name: str, key: str) -> InvalidInput:
        """What cannot be read of it, to be raised: a phrase, by its key."""
        problem = self._t(key)
        return InvalidInput(problem, hint=self._t("shell.mend"), fields={name: problem})

    def show(self, *, is_shown: bool) -> None:
        """Show it, or leave it away."""
        self._box.set_visibility(is_shown)


class Form:
    """Fields by the names that the service has for them.

    Args:
        fields: name -> field.
        codes: code of an error that names no field -> the field it speaks of.
    """

    def __init__(self, fields: Mapping[str, Field], *, codes: Mapping[str, str] | None = None) -> None:
        self._fields = fields
        self._codes = codes or {}

    @contextmanager
    def placing(self) -> Iterator[None]:
        """What goes wrong inside is told beside the fields it concerns, and raised again."""
        self.tell({})
        try:
            yield
        except FastFlowError as error:
            problems = dict(error.fields)
            if error.code in self._codes:
                problems.setdefault(self._codes[error.code], error.message)
            self.tell(problems)
            raise

    def tell(self, problems: Mapping[str, str]) -> None:
        """Say what is wrong with each field; with the others nothing is."""
        told: dict[str, list[str]] = {}
        for place, problem in problems.items():
            name = nearest(place, self._fields)
            told.setdefault(name, []).append(
                problem if place == name else f"{place[len(name) :].strip('.')}: {problem}"
            )
        for name, field in self._fields.items():
            wrong = told.get(name, [])
            field.tell(wrong[0] if len(wrong) == 1 else "; ".join(wrong))


def nearest(place: str, fields: Container[str]) -> str:
    """The field that a problem's place lies in.

    >>> nearest("quiet.1.start", {"quiet.1.start"}), nearest("mapping.CITY[0]", {"mapping"}), nearest("url", {})
    ('quiet.1.start', 'mapping', 'url')
    """
    while place not in fields and (cut := max(place.rfind("."), place.rfind("["))) > 0:
        place = place[:cut]
    return place


def text_field(
    page: Page,
    label: Phrase,
    value: str = "",
    *,
    kind: str = "text",
    about: Phrase | Html | None = None,
    is_required: bool = False,
    changed: Changed | None = None,
    options: Sequence[str] = (),
) -> Field:
    """One line of text.

    Args:
        page, label, about, is_required: as in `Field`.
        value: that it begins with.
        kind: the browser's: `text`, `password`, `time`, `datetime-local`.
        changed: called when it has another value.
        options: what may be meant.
    """

    def make() -> Any:
        offered = list(options) or None
        made = ui.input(value=value, on_change=_heard(page, changed), autocomplete=offered).props("outlined dense")
        made.props["type"] = kind
        made.props["autocomplete"] = "new-password" if kind == "password" else "off"
        return made

    return Field(page, label, make, about=about, is_required=is_required)


def area_field(page: Page, label: Phrase, value: str = "", *, about: Phrase | Html | None = None) -> Field:
    """Lines of code or data."""

    def make() -> Any:
        return ui.textarea(value=value).props("outlined dense autogrow").classes("mono")

    return Field(page, label, make, about=about)


def choice_field(
    page: Page,
    label: Phrase,
    options: Mapping[str, str],
    value: str | None,
    *,
    about: Phrase | Html | None = None,
    is_required: bool = False,
    changed: Changed | None = None,
) -> Field:
    """One of some."""

    def make() -> Any:
        return ui.select(dict(options), value=value, on_change=_heard(page, changed)).props("outlined dense")

    return Field(page, label, make, about=about, is_required=is_required)


def many_field(
    page: Page,
    label: Phrase,
    options: Mapping[str, str],
    value: Sequence[str],
    *,
    about: Phrase | Html | None = None,
    changed: Changed | None = None,
) -> Field:
    """Any of some."""

    def make() -> Any:
        made = ui.select(dict(options), value=list(value), multiple=True, on_change=_heard(page, changed))
        return made.props("outlined dense use-chips").classes("chips")

    return Field(page, label, make, about=about)


def switch_field(
    page: Page, label: Phrase, *, value: bool = False, about: Phrase | None = None, changed: Changed | None = None
) -> Field:
    """Yes or no."""

    def make() -> Any:
        return ui.switch(value=value, on_change=_heard(page, changed))

    return Field(page, label, make, about=about)


def typed_length(value: float | None) -> str:
    """Seconds as people type them, in the largest unit that fits; None: nothing.

    >>> typed_length(300.0), typed_length(90.0), typed_length(86400), typed_length(None)
    ('5m', '90s', '1d', '')
    """
    if value is None:
        return ""
    for unit, size in _UNITS:
        if value >= size and value % size == 0:
            return f"{value / size:g}{unit}"
    return f"{value:g}s"


def read_length(field: Field, name: str, *, empty: float | None = None) -> float | None:
    """The seconds that were typed; `empty` for nothing, and for 0.

    Raises:
        InvalidInput: no length of time; names the field.
    """
    text = field.text.removesuffix("s") if field.text.strip("0") == "s" else field.text
    return parse_duration(text, name) if text.strip("0") else empty


def read_number(field: Field, name: str) -> float | None:
    """The number that was typed, with a point or a comma; None for nothing.

    Raises:
        InvalidInput: no number; names the field.
    """
    if not field.text:
        return None
    try:
        return float(field.text.replace(",", "."))
    except ValueError as error:
        raise field.wrong(name, "shell.not_number") from error


def _heard(page: Page, changed: Changed | None) -> Callable[..., Awaitable[None]] | None:
    return None if changed is None else page.act(changed)
