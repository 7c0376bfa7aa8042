"""The data dictionary as a table that can be filled in: each column of a file, its role, its type, its name in the panel."""

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from fastflow.apps.churn.domain.dictionary import IGNORED, KEYS, ROLES, TYPES
from fastflow.apps.churn.pages.files.words import role_told, roles_in_words
from fastflow.apps.churn.service.files import checked_dictionary
from fastflow.kit.errors import InvalidInput
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, span, tag
from fastflow.ui.shell.forms import choice_field
from fastflow.ui.shell.listing import head, table
from fastflow.ui.shell.page import Fragment, Page
from fastflow.ui.texts import Data, Texts


class RoleTable:
    """The table.

    Args:
        page: where it is.
    """

    def __init__(self, page: Page) -> None:
        self._t = page.t
        self._columns: list[dict[str, str]] = []
        self._filled: dict[tuple[str, str], str] = {}
        t = page.t
        with ui.element("div") as self._box:
            Fragment(div(tag("h2", t("churn_files.meaning")), cls="card-head"))
            Fragment(div(t("churn_files.meaning_about"), cls="card-body muted small-text"))
            with ui.element("div").classes("table-wrap roles-wrap"):
                self._table = Fragment(Html(""))
            self._wrong = Fragment(Html(""), cls="roles-wrong")
            with ui.element("div").classes("run-form three"):
                self._options = {
                    name: choice_field(
                        page,
                        t(f"churn_files.{name}"),
                        {value: str(t(f"churn_files.{name}_{word}")) for value, word in values.items()},
                        next(iter(values)),
                        about=t(f"churn_files.{name}_about"),
                    )
                    for name, values in _OPTIONS.items()
                }

        async def change(at: str, name: str, value: str) -> None:
            column = self._columns[int(at)]
            column[name] = self._filled[column["source"], name] = value
            self._judge()

        self._table.on_change(page, change)

    def show(self, *, is_shown: bool) -> None:
        """Show it, or leave it away."""
        self._box.set_visibility(is_shown)

    def begin(self, columns: Sequence[Mapping[str, Any]], *, decimal: str) -> None:
        """Fill it in with what the columns of a file probably are; what was said of a column of that name before stays so."""
        self._columns = []
        self._options["decimal"].put(decimal)
        for one in columns:
            source = str(one["name"])
            guessed = {"role": str(one["role"]), "type": str(one["type"]), "name": source}
            said = {name: self._filled.get((source, name), value) for name, value in guessed.items()}
            self._columns.append({"source": source, **said})
        self._table.show(_grid(self._t, self._columns))
        self._judge()

    def dictionary(self) -> Mapping[str, Any]:
        """What was filled in, as the API takes it."""
        columns = {}
        for one in self._columns:
            said = {"role": one["role"], "source": one["source"]}
            name = one["name"].strip() or one["source"]
            columns[one["source"] if one["role"] in (*KEYS, IGNORED) else name] = (
                said if one["role"] in KEYS else {**said, "type": one["type"]}
            )
        return {"columns": columns, **{name: field.value for name, field in self._options.items()}}

    def _judge(self) -> None:
        """Say what is wrong with it so far."""
        try:
            checked_dictionary(self.dictionary())
        except InvalidInput as error:
            problem = error.fields["dictionary"]
            told = as_told(self._t, roles_in_words(self._t, problem) if self._t.language == "en" else problem)
            self._wrong.show(div(icon("alert"), span(told), cls="note bad flush", role="alert"))
        else:
            self._wrong.show(Html(""))


_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "gaps": {"refuse": "refuse", "allow": "allow"},
    "returns": {"refuse": "refuse", "allow": "allow"},
    "decimal": {".": "point", ",": "comma"},
}


def _grid(t: Texts, columns: Sequence[Mapping[str, str]]) -> Html:
    heads = [
        head(t("churn_files.column")),
        head(t("churn_files.role")),
        head(t("churn_files.type")),
        head(t("churn_files.panel_name")),
    ]
    return table(heads, [_row(t, place, one) for place, one in enumerate(columns)], cls="roles")


def _row(t: Texts, place: int, one: Mapping[str, str]) -> Html:
    name = one["source"]

    def told(field: str) -> str:
        return f"{t(f'churn_files.{field}')}: {name}"

    roles = [tag("option", role_told(t, role), value=role, selected=role == one["role"]) for role in ROLES]
    types = [tag("option", t(f"churn_files.type_{kind}"), value=kind, selected=kind == one["type"]) for kind in TYPES]
    return tag(
        "tr",
        tag("td", span(Data(name), cls="mono"), cls="wraps"),
        tag("td", tag("select", roles, data_at=place, data_of="role", aria_label=told("role"))),
        tag("td", tag("select", types, data_of="type", aria_label=told("type"), data_at=place, cls="of-feature")),
        tag(
            "td",
            tag(
                "input",
                value=one["name"],
                data_of="name",
                aria_label=told("panel_name"),
                maxlength=100,
                data_at=place,
                cls="of-feature",
            ),
        ),
    )
