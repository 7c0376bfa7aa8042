"""The form that runs a pipeline, made from its parameters' schema. What is right, the server decides; the form places what
it says beside the field that it says it of."""

import json
from collections.abc import Mapping
from typing import Any

from nicegui import ui

from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.runs.service import RunService
from fastflow.kit.errors import InvalidInput
from fastflow.ui.markup import Html, div, span, tag
from fastflow.ui.rooms.pipelines.fields import UNSET, Kind, Unreadable, kind_of, read
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.page import Fragment, Page
from fastflow.ui.texts import Data


class RunForm:
    """The form on a page.

    Args:
        page: where it is.
        runs: takes what was filled in.
        pipeline: which to run.
        may: whether the reader may run it.
    """

    def __init__(self, page: Page, runs: RunService, pipeline: Pipeline, *, may: bool) -> None:
        self._page = page
        self._runs = runs
        self._pipeline = pipeline
        schema = pipeline.params_schema
        with ui.element("form").classes("run-form").on("submit.prevent", lambda: None):
            if schema is None:
                self._fields = {"": _Field(page, "", {}, Kind.FREE, is_required=False)}
            else:
                required = set(schema.get("required", ()))
                self._fields = {
                    name: _Field(page, name, part, kind_of(part), is_required=name in required)
                    for name, part in (schema.get("properties") or {}).items()
                    if isinstance(part, Mapping)
                }
                if not self._fields:
                    Fragment(tag("p", page.t("pipelines.no_params"), cls="muted"))
            with ui.element("div").classes("actions"):
                button(page, page.t("pipelines.run"), self._submit, drawing="play", cls="primary", may=may)

    async def _submit(self) -> None:
        page = self._page
        params = self._read()
        if params is None:
            return
        try:
            run = await page.ask(self._runs.submit, self._pipeline.name, params, actor=await page.who(), trigger="ui")
        except InvalidInput as error:
            self._place(error)
            raise
        page.go(f"/runs/{run.id}")

    def _read(self) -> dict[str, Any] | None:
        """What was filled in; None: something cannot be read, and says so."""
        params: dict[str, Any] = {}
        is_whole = True
        for name, field in self._fields.items():
            field.tell("")
            try:
                value = read(field.kind, field.value)
            except Unreadable as error:
                field.tell(self._page.t(f"pipelines.{error.key}"))
                is_whole = False
                continue
            if field.kind is Kind.FREE:
                params.update(value)
            elif value is not UNSET:
                params[name] = value
        return params if is_whole else None

    def _place(self, error: InvalidInput) -> None:
        for place, problem in error.fields.items():
            name = place.removeprefix("params.").split(".")[0].split("[")[0]
            field = self._fields.get(name)
            if field is not None:
                field.tell(problem)


class _Field:
    """One parameter."""

    def __init__(self, page: Page, name: str, part: Mapping[str, Any], kind: Kind, *, is_required: bool) -> None:
        self.kind = kind
        self._name = name
        with ui.element("div").classes("run-field"):
            Fragment(_label(page, name, part, is_required=is_required))
            self._input = _make(page, name, part, kind, is_required=is_required)
            self._wrong = Fragment(Html(""))

    @property
    def value(self) -> Any:
        """As it was filled in."""
        return self._input.value

    def tell(self, problem: str) -> None:
        """Say what is wrong with it; nothing: nothing is."""
        self._wrong.show(div(Data(problem), cls="wrong", role="alert") if problem else Html(""))
        self._input.props["aria-invalid"] = "true" if problem else "false"


def _label(page: Page, name: str, part: Mapping[str, Any], *, is_required: bool) -> Html:
    t = page.t
    must = span(Data("*"), cls="must", title=t("pipelines.must")) if is_required else None
    about = part.get("description") or part.get("title")
    if not name:
        return div(
            tag("label", t("pipelines.free_params"), cls="name plain"),
            div(t("pipelines.free_params_about"), cls="about"),
        )
    return div(tag("label", Data(name), must, cls="name"), div(Data(about), cls="about") if about else None)


def _make(page: Page, name: str, part: Mapping[str, Any], kind: Kind, *, is_required: bool) -> Any:
    default = part.get("default")
    label = name or page.t("pipelines.free_params")
    if kind is Kind.CHOICE:
        options = {json.dumps(each): each if isinstance(each, str) else json.dumps(each) for each in part["enum"]}
        if not is_required:
            options = {"": page.t("pipelines.unset"), **options}
        chosen = json.dumps(default) if "default" in part else ("" if not is_required else None)
        made: Any = ui.select(options, value=chosen)
    elif kind is Kind.SWITCH:
        made = ui.switch(value=bool(default))
    elif kind in (Kind.JSON, Kind.FREE):
        text = json.dumps(default, ensure_ascii=False) if "default" in part else ""
        made = ui.textarea(value=text).props("autogrow").classes("mono")
    else:
        made = ui.input(value="" if default is None else str(default))
        types = {Kind.NUMBER: "text", Kind.WHOLE: "text", Kind.DATE: "date", Kind.TEXT: "text"}
        made.props["type"] = types[kind]
        if kind in (Kind.NUMBER, Kind.WHOLE):
            made.props["inputmode"] = "decimal"
    if kind is not Kind.SWITCH:
        made.props("outlined dense")
    made.props["aria-label"] = label
    return made
