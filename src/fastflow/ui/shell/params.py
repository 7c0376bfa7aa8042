"""Parameters of a pipeline as fields, made from their schema: for a run, a schedule, a dead letter. What is right, the service
decides; what it says of one stands at its field."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from nicegui import ui

from fastflow.kit.errors import FastFlowError, InvalidInput
from fastflow.ui.hints import as_told
from fastflow.ui.markup import Html, div, span, tag
from fastflow.ui.shell.forms import nearest
from fastflow.ui.shell.page import Fragment, Page
from fastflow.ui.shell.param_kinds import UNSET, Kind, Unreadable, kind_of, read
from fastflow.ui.texts import Data

_FREE, _ALL = "", "params"
"""The field of parameters that no schema names; what the service calls all of them."""


class ParamField:
    """One parameter, or all that have no field of their own.

    Args:
        page: where it is.
        name: the parameter's.
        part: its schema.
        kind: how it is filled in.
        value: that it begins with; UNSET: none.
        is_required: marks it so.
    """

    def __init__(
        self, page: Page, name: str, part: Mapping[str, Any], kind: Kind, value: Any, *, is_required: bool
    ) -> None:
        self.kind = kind
        self._t = page.t
        with ui.element("div").classes("run-field"):
            Fragment(_label(page, name, part, kind, is_required=is_required))
            self._input = _make(page, name, part, kind, value, is_required=is_required)
            self._wrong = Fragment(Html(""))

    @property
    def value(self) -> Any:
        """As it was filled in."""
        return self._input.value

    def tell(self, problem: str) -> None:
        """Say what is wrong with it; nothing: nothing is."""
        self._wrong.show(div(as_told(self._t, problem), cls="wrong", role="alert") if problem else Html(""))
        self._input.props["aria-invalid"] = "true" if problem else "false"


class ParamFields:
    """The fields on a page.

    Args:
        page: where they are.
        schema: of the parameters; None: the pipeline declares none, and takes any.
        values: that they begin with, and what is not among them says nothing; None: the schema's defaults.
        is_partial: nothing is required: for what is put in place of other values.
    """

    def __init__(
        self,
        page: Page,
        schema: Mapping[str, Any] | None,
        values: Mapping[str, Any] | None = None,
        *,
        is_partial: bool = False,
    ) -> None:
        self._page = page
        self._fields: dict[str, ParamField] = {}
        given = dict(values or {})
        if schema is not None:
            required = set() if is_partial else set(schema.get("required", ()))
            for name, part in (schema.get("properties") or {}).items():
                if isinstance(part, Mapping):
                    value = given.pop(name, UNSET if values is not None else part.get("default", UNSET))
                    kind = kind_of(part, may_be_unset=values is not None)
                    self._fields[name] = ParamField(page, name, part, kind, value, is_required=name in required)
            if not self._fields and not given:
                Fragment(tag("p", page.t("params.none"), cls="muted"))
        if schema is None or given:
            self._fields[_FREE] = ParamField(page, "", {}, Kind.FREE, given or UNSET, is_required=False)

    def read(self) -> dict[str, Any]:
        """What was filled in.

        Raises:
            InvalidInput: something cannot be read; its field says so.
        """
        params: dict[str, Any] = {}
        problems: dict[str, str] = {}
        for name, field in self._fields.items():
            try:
                value = read(field.kind, field.value)
            except Unreadable as error:
                problems[name] = self._page.t(f"params.{error.key}")
                continue
            if field.kind is Kind.FREE:
                params.update(value)
            elif value is not UNSET:
                params[name] = value
        self.tell(problems)
        if problems:
            hint = self._page.t("shell.mend")
            raise InvalidInput(self._page.t("params.unreadable"), hint=hint, fields=problems)
        return params

    @contextmanager
    def placing(self) -> Iterator[None]:
        """What goes wrong inside is told beside the parameters it concerns, and raised again."""
        self.tell({})
        try:
            yield
        except FastFlowError as error:
            self.tell(error.fields)
            raise

    def tell_own(self, problems: Mapping[str, str]) -> None:
        """As `tell`, of what is wrong with a form those problems that are the parameters'."""
        self.tell({place: told for place, told in problems.items() if place.startswith(_ALL)})

    def tell(self, problems: Mapping[str, str]) -> None:
        """Say what is wrong with each; with the others nothing is. What has no field is said at the one of all others."""
        told: dict[str, list[str]] = {}
        for given, problem in problems.items():
            place = _FREE if given == _ALL else given.removeprefix(f"{_ALL}.")
            name = nearest(place, self._fields)
            if name in self._fields:
                told.setdefault(name, []).append(problem)
            else:
                told.setdefault(_FREE, []).append(f"{place}: {problem}")
        for name, field in self._fields.items():
            field.tell("; ".join(told.get(name, ())))


def _label(page: Page, name: str, part: Mapping[str, Any], kind: Kind, *, is_required: bool) -> Html:
    t = page.t
    must = span(Data("*"), cls="must", title=t("shell.must")) if is_required else None
    if kind is Kind.FREE:
        return div(
            tag("label", t("params.free"), cls="name plain"),
            div(t("params.free_about"), cls="about"),
        )
    about = part.get("description") or part.get("title")
    return div(tag("label", Data(name), must, cls="name"), div(Data(about), cls="about") if about else None)


def _make(page: Page, name: str, part: Mapping[str, Any], kind: Kind, value: Any, *, is_required: bool) -> Any:
    if kind in (Kind.CHOICE, Kind.SWITCH_OR_NOT):
        made = _choice(page, part.get("enum", (True, False)), value, is_required=is_required)
    elif kind is Kind.SWITCH:
        made = ui.switch(value=value is True)
    elif kind in (Kind.JSON, Kind.FREE):
        text = "" if value is UNSET else json.dumps(value, ensure_ascii=False, indent=2 if kind is Kind.FREE else None)
        made = ui.textarea(value=text).props("autogrow").classes("mono")
    else:
        made = ui.input(value="" if value is UNSET or value is None else str(value))
        if part.get("default") is not None:
            made.props["placeholder"] = str(part["default"])
        made.props["type"] = "date" if kind is Kind.DATE else "text"
        if kind in (Kind.NUMBER, Kind.WHOLE):
            made.props["inputmode"] = "decimal"
    if kind is not Kind.SWITCH:
        made.props("outlined dense")
    made.props["aria-label"] = name or str(page.t("params.free"))
    return made


def _choice(page: Page, offered: Any, value: Any, *, is_required: bool) -> Any:
    options = {json.dumps(each): each if isinstance(each, str) else json.dumps(each) for each in offered}
    if not is_required:
        options = {"": str(page.t("params.unset")), **options}
    chosen = "" if value is UNSET else json.dumps(value)
    return ui.select(options, value=chosen if chosen in options else None)
