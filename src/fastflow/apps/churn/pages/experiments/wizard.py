"""An experiment step by step: files, windows, settings, review. What is wrong is told while it is filled in, by the service."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nicegui import ui

from fastflow.apps.churn.domain.experiment import MONTHS, Definition, Experiment, chosen
from fastflow.apps.churn.domain.hyperparameters import FEATURE_SETS, SETTING_NAMES, Settings
from fastflow.apps.churn.domain.month import Month, MonthError, Window
from fastflow.apps.churn.domain.timeline import Timeline, lay_out, propose_timeline
from fastflow.apps.churn.errors import ExperimentRefused, ExperimentTwin
from fastflow.apps.churn.pages.experiments.timeline import timeline
from fastflow.apps.churn.pages.experiments.words import (
    instant,
    month,
    number_in,
    path_of,
    trail,
    value_text,
    warned,
    window,
)
from fastflow.apps.churn.service.database import GUARDED_BY
from fastflow.apps.churn.service.experiments import Experiments
from fastflow.kit.errors import InvalidInput
from fastflow.kit.identity import Role
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, join, link, span, tag
from fastflow.ui.parts import facts, heading, when
from fastflow.ui.shell.controls import button
from fastflow.ui.shell.forms import Field, Form, area_field, choice_field, many_field, nearest, text_field
from fastflow.ui.shell.page import BASE, Fragment, Page
from fastflow.ui.texts import Data, Texts

_MODELS = ("gradient_boosting", "logistic", "random_forest", "auto")
STEPS: Mapping[str, Sequence[str]] = {
    "data": ("experiment_name", "id_files", "as_of"),
    "windows": MONTHS,
    "settings": ("model_type", "feature_set", "hyperparameters"),
    "review": (),
}
"""Step -> its fields."""


class Wizard:
    """Builds the pages.

    Args:
        experiments: judges and takes what was filled in.
    """

    def __init__(self, experiments: Experiments) -> None:
        self._experiments = experiments

    async def build_new(self, page: Page) -> None:
        """A page that makes one."""
        t = page.t
        files = await page.ask(self._experiments.files, actor=page.actor)
        usual = await page.ask(self._experiments.defaults, actor=page.actor)
        asked = [file for file in files if str(file["file_id"]) == page.query.get("file")]
        picked = asked or files[-1:]  # the newest: files of different sources have nothing to do with each other
        begun = {
            "id_files": [file["file_id"] for file in picked],
            "experiment_name": _plain_name(asked),
            **{name: usual[name] for name in usual},
        }
        Fragment(heading(t("experiments.new"), trail=trail(t)))
        _Steps(page, self._experiments, files, {**begun, "hyperparameters": {}}, None)

    async def build_change(self, page: Page) -> None:
        """A page that changes one."""
        t = page.t
        found = await page.ask(self._experiments.find, number_in(page.params), actor=page.actor)
        files = await page.ask(self._experiments.files, actor=page.actor)
        begun = {**found.content(), "experiment_name": found.experiment_name, "hyperparameters": chosen(found)}
        ui.page_title(f"{found.experiment_name} · {t('experiments.change')} · Fast-Flow")
        Fragment(heading(t("experiments.change"), trail=trail(t, found)))
        _Steps(page, self._experiments, files, begun, found)


class _Steps:
    """The steps on a page; `changed` is the experiment that is changed, None for a new one."""

    def __init__(
        self,
        page: Page,
        experiments: Experiments,
        files: Sequence[Mapping[str, Any]],
        begun: Mapping[str, Any],
        changed: Experiment | None,
    ) -> None:
        self._page = page
        self._experiments = experiments
        self._files = files
        self._changed = changed
        self._step = next(iter(STEPS))
        self._fields: dict[str, Field] = {}
        self._boxes: dict[str, ui.element] = {}
        self._proposed: Mapping[str, str] = {}
        self._looks = 0
        with ui.element("section").classes("card narrow form-card"):
            self._where = Fragment(Html(""))
            puts = {"data": self._put_data, "windows": self._put_windows, "settings": self._put_settings}
            for name, put in puts.items():
                with ui.element("div").classes("run-form") as self._boxes[name]:
                    put(begun)
            with ui.element("div") as self._boxes["review"]:
                self._review = Fragment(Html(""))
            self._put_buttons()
        self._form = Form(self._fields)
        if changed is None:
            self._propose()
        self._show()

    # -- fields -----------------------------------------------------------------------------------------------------------

    def _put_data(self, begun: Mapping[str, Any]) -> None:
        page, t = self._page, self._page.t
        name = str(begun.get("experiment_name", ""))
        self._fields["experiment_name"] = text_field(page, t("experiments.name"), name, is_required=True)
        if self._files:
            options = {str(file["file_id"]): _file_told(file) for file in self._files}
            picked = [str(number) for number in begun.get("id_files", ()) if str(number) in options]
            self._fields["id_files"] = many_field(
                page,
                t("experiments.files"),
                options,
                picked,
                about=t("experiments.files_about"),
                changed=self._files_chosen,
            )
        else:
            way = link(f"{BASE}/churn/files/-/new", t("experiments.take_in"))
            Fragment(div(icon("file"), span(t("experiments.no_files"), Data(" "), way), cls="note", role="status"))
        self._fields["as_of"] = text_field(
            page,
            t("experiments.as_of"),
            str(begun.get("as_of", "")),
            about=t("experiments.as_of_about"),
            changed=self._live,
        )

    def _put_windows(self, begun: Mapping[str, Any]) -> None:
        page, t = self._page, self._page.t
        Fragment(tag("p", t("experiments.windows_about"), cls="muted small-text"))
        self._timeline = Fragment(Html(""))
        Fragment(tag("p", t("experiments.month_about"), cls="muted small-text"))
        with ui.element("div").classes("pairs"):
            for name in MONTHS:
                begin = str(begun.get(name, ""))
                self._fields[name] = text_field(
                    page, t(f"experiments.{name}"), begin, is_required=True, changed=self._live
                )

    def _put_settings(self, begun: Mapping[str, Any]) -> None:
        page, t = self._page, self._page.t
        models = {name: str(t(f"experiments.model_{name}")) for name in _MODELS}
        sets = {name: str(t(f"experiments.set_{name}")) for name in FEATURE_SETS}
        model = begun.get("model_type", _MODELS[0])
        self._fields["model_type"] = choice_field(
            page, t("experiments.model_type"), {**models, **({} if model in models else {model: model})}, model
        )
        self._fields["feature_set"] = choice_field(
            page, t("experiments.feature_set"), sets, begun.get("feature_set", next(iter(FEATURE_SETS)))
        )
        lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in begun["hyperparameters"].items())
        names = join(
            span(t("experiments.settings_about")),
            tag("details", tag("summary", t("experiments.all_settings")), _usual_settings()),
        )
        self._fields["hyperparameters"] = area_field(page, t("experiments.settings"), lines, about=names)

    def _put_buttons(self) -> None:
        page, t = self._page, self._page.t
        may = page.may(Role.OPERATOR, GUARDED_BY)
        save = t("experiments.create") if self._changed is None else t("experiments.save")
        with ui.element("div").classes("actions"):
            self._back = button(page, t("experiments.back"), self._do_back)
            self._next = button(page, t("experiments.next"), self._do_next, cls="primary")
            self._save = button(page, save, self._do_save, cls="primary", may=may)

    # -- steps ------------------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        t, steps = self._page.t, list(STEPS)
        place = steps.index(self._step)
        self._where.show(_where(t, place))
        for name, box in self._boxes.items():
            box.set_visibility(name == self._step)
        self._timeline.show(timeline(self._page.t, self._known(), self._laid()))
        self._back.set_visibility(place > 0)
        self._next.set_visibility(self._step != "review")
        self._save.set_visibility(self._step == "review")

    async def _do_back(self) -> None:
        steps = list(STEPS)
        self._step = steps[steps.index(self._step) - 1]
        self._show()

    async def _do_next(self) -> None:
        """To the next step, unless something is wrong with a field of this one."""
        steps = list(STEPS)
        problems = await self._problems()
        here = self._of_step(problems)
        self._form.tell(here)
        if here:
            return
        following = steps[steps.index(self._step) + 1]
        if following == "review" and problems:  # of a step before, which this one has made wrong
            self._step = next(name for name, fields in STEPS.items() if _concerns(problems, fields))
            self._form.tell(problems)
        else:
            self._step = following
        if self._step == "review":
            await self._show_review()
        self._show()

    async def _files_chosen(self) -> None:
        """Other months are known: windows that nobody has touched follow them."""
        if {name: self._fields[name].text for name in MONTHS} == {**dict.fromkeys(MONTHS, ""), **self._proposed}:
            self._propose()
        await self._live()

    def _propose(self) -> None:
        """Begin with windows that the months of the chosen files allow."""
        known = self._known()
        laid = None if known is None else propose_timeline(known, **self._lengths())
        self._proposed = {} if laid is None else _months_of(laid)
        for name, value in self._proposed.items():
            self._fields[name].put(value)

    def _known(self) -> Window | None:
        """The months that the chosen files tell of."""
        picked = set(self._fields["id_files"].value or ()) if "id_files" in self._fields else set()
        files = [file for file in self._files if str(file["file_id"]) in picked]
        if not files:
            return None
        first, last = min(file["first_month"] for file in files), max(file["last_month"] for file in files)
        return Window(Month.parse(first), Month.parse(last))

    def _lengths(self) -> dict[str, int]:
        """Of the task, as far as the settings say so rightly."""
        try:
            said = self._settings()
        except InvalidInput:  # told beside the settings
            said = {}
        usual = Settings()
        found = {name: said.get(name, getattr(usual, name)) for name in ("history_months", "embargo_months")}
        return {name: value if isinstance(value, int) else getattr(usual, name) for name, value in found.items()}

    def _laid(self) -> Timeline | None:
        """The windows as they are filled in; None: they are not whole, or do not go together."""
        try:
            months = [Month.parse(_month(self._fields[name].text)) for name in MONTHS]
            training, backtest = Window(*months[:2]), Window(*months[2:])
        except MonthError:
            return None
        return lay_out(training, backtest, **self._lengths())

    async def _live(self) -> None:
        """Tell what is wrong with what is filled in so far; what is still empty is not."""
        self._timeline.show(timeline(self._page.t, self._known(), self._laid()))
        self._looks += 1
        look = self._looks
        problems = self._of_step(await self._problems())
        if look != self._looks:  # a later look knows more, and may have answered first
            return
        self._form.tell({name: told for name, told in problems.items() if self._fields[name].text})

    async def _problems(self) -> dict[str, str]:
        """What the service says is wrong, by field; a twin is told by the review."""
        try:
            await self._judged()
        except ExperimentTwin:
            return {}
        except InvalidInput as error:
            if not isinstance(error, ExperimentRefused) and "hyperparameters" not in error.fields:
                raise
            return dict(error.fields)
        return {}

    def _of_step(self, problems: Mapping[str, str]) -> dict[str, str]:
        return {place: told for place, told in problems.items() if nearest(place, self._fields) in STEPS[self._step]}

    async def _judged(self) -> Definition:
        return await self._page.ask(
            self._experiments.judge, self._given(), actor=await self._page.who(), but=self._number
        )

    @property
    def _number(self) -> int | None:
        return None if self._changed is None else self._changed.experiment_id

    async def _show_review(self) -> None:
        t = self._page.t
        try:
            definition = await self._judged()
        except ExperimentTwin as error:
            self._review.show(_twin(t, error))
            self._save.props["disabled"] = True
            self._save.update()
            return
        if self._page.may(Role.OPERATOR, GUARDED_BY):
            self._save.props.pop("disabled", None)
            self._save.update()
        warnings = await self._page.ask(self._experiments.warnings, definition, actor=await self._page.who())
        self._review.show(join(_reviewed(t, definition), warned(t, warnings)))

    async def _do_save(self) -> None:
        page, given = self._page, self._given()
        actor = await page.who()
        with self._form.placing():
            if self._changed is None:
                made = await page.ask(self._experiments.create, given, actor=actor)
            else:
                made = await page.ask(self._experiments.change, self._changed.experiment_id, given, actor=actor)
        page.go(path_of(made.experiment_id))

    # -- what was filled in -----------------------------------------------------------------------------------------------

    def _given(self) -> dict[str, Any]:
        """As the service takes it.

        Raises:
            InvalidInput: a line of the settings that is none.
        """
        fields = self._fields
        given: dict[str, Any] = {name: _month(fields[name].text) for name in MONTHS}
        given |= {name: fields[name].value for name in ("model_type", "feature_set")}
        given["experiment_name"] = fields["experiment_name"].text
        given["id_files"] = [int(each) for each in fields["id_files"].value or ()] if "id_files" in fields else []
        given["as_of"] = fields["as_of"].text or None
        if given["as_of"] and not given["id_files"]:
            given["id_files"] = None  # all that had been taken in by then
        given["hyperparameters"] = self._settings()
        return given

    def _settings(self) -> dict[str, Any]:
        found = {}
        for line in self._fields["hyperparameters"].text.splitlines():
            name, sign, value = (part.strip() for part in line.partition("="))
            if not (name and sign) and line.strip():
                t = self._page.t
                problem = t("experiments.no_line", line=line[:60])
                raise InvalidInput(problem, hint=t("shell.mend"), fields={"hyperparameters": problem})
            if name:
                try:
                    found[name] = json.loads(value)
                except ValueError:
                    found[name] = value
        return found


def _concerns(problems: Mapping[str, str], fields: Sequence[str]) -> bool:
    return any(nearest(place, set(fields)) in fields for place in problems)


def _month(text: str) -> int | str | None:
    """A month as it was typed: 199707 or 1997-07; what is none, the service refuses."""
    digits = text.replace("-", "", 1) if len(text) == 7 else text
    return int(digits) if digits.isascii() and digits.isdigit() else text or None


def _file_told(file: Mapping[str, Any]) -> str:
    months = f"{month(Month.parse(file['first_month']))} – {month(Month.parse(file['last_month']))}"
    return f"#{file['file_id']} {file.get('name', '')} · {months}"


def _usual_settings() -> Html:
    """Every setting with the value that it has when nothing is said."""
    usual = Settings()
    lines = "\n".join(f"{name} = {json.dumps(getattr(usual, name))}" for name in SETTING_NAMES)
    return tag("pre", Data(lines), cls="sql-text")


def _plain_name(files: Sequence[Mapping[str, Any]]) -> str:
    """What an experiment on a file may be called to begin with.

    >>> _plain_name([{"name": "spring 2024.csv"}]), _plain_name([])
    ('spring 2024', '')
    """
    return Path(str(files[0].get("name", ""))).stem if files else ""


def _months_of(laid: Timeline) -> Mapping[str, str]:
    windows = (laid.training.first, laid.training.last, laid.backtest.first, laid.backtest.last)
    return {name: str(value) for name, value in zip(MONTHS, windows, strict=True)}


def _where(t: Texts, place: int) -> Html:
    """The steps, with the one that is open."""
    items = [
        tag(
            "li",
            span(Data(str(number + 1)), cls="number"),
            t(f"experiments.step_{name}"),
            cls="at" if number == place else "done" if number < place else "",
            aria_current="step" if number == place else None,
        )
        for number, name in enumerate(STEPS)
    ]
    return tag("ol", items, cls="wizard-steps")


def _twin(t: Texts, error: ExperimentTwin) -> Html:
    path = BASE + path_of(int(error.extra["twin_id"]))
    told = join(as_told(t, error.message), Data(" "), link(path, t("experiments.open_twin")))
    return div(icon("alert"), span(told), cls="note bad", role="alert")


def _reviewed(t: Texts, definition: Definition) -> Html:
    own = chosen(definition)
    settings = [div(Data(f"{name} = "), value_text(value), cls="mono") for name, value in own.items()]
    files = ", ".join(f"#{number}" for number in definition.id_files)
    return facts(
        [
            (t("experiments.name"), Data(definition.experiment_name)),
            (t("experiments.files"), Data(files) if files else t("experiments.none_yet")),
            (t("experiments.as_of"), when(instant(definition.as_of)) if definition.as_of else None),
            (t("experiments.training"), window(definition.training)),
            (t("experiments.backtest"), window(definition.backtest)),
            (t("experiments.model_type"), Data(definition.model_type)),
            (t("experiments.feature_set"), Data(definition.feature_set)),
            (t("experiments.settings"), join(settings) if settings else t("experiments.all_usual")),
        ]
    )
