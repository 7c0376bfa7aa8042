"""The churn rule of a list of transactions, as fields."""

from collections.abc import Mapping, Sequence

from nicegui import ui

from fastflow.ui.markup import div, tag
from fastflow.ui.shell.forms import Field, Form, choice_field, text_field
from fastflow.ui.shell.page import Fragment, Page

_LIKELY: Mapping[str, Sequence[str]] = {
    "customer": (
        "customer",
        "customer_id",
        "customerid",
        "kunde",
        "kunden_id",
        "kundennummer",
        "client",
        "user_id",
        "id",
    ),
    "date": ("date", "datum", "day", "time", "timestamp", "order_date", "bestelldatum"),
    "amount": ("amount", "betrag", "dollars", "revenue", "umsatz", "price", "paid", "value", "dollar_value"),
    "quantity": ("quantity", "menge", "anzahl", "qty", "count", "cds", "items"),
}
_NEEDED = ("customer", "date")
_NONE = ""


class RuleFields:
    """The fields.

    Args:
        page: where they are.
    """

    def __init__(self, page: Page) -> None:
        t = page.t
        none = {_NONE: str(t("churn_files.no_column"))}
        with ui.element("div") as self._box:
            Fragment(div(tag("h2", t("churn_files.rule")), cls="card-head"))
            Fragment(div(t("churn_files.rule_about"), cls="card-body muted small-text"))
            with ui.element("div").classes("run-form"):
                self._columns: dict[str, Field] = {
                    name: choice_field(
                        page,
                        t(f"churn_files.of_{name}"),
                        none,
                        _NONE,
                        about=t(f"churn_files.of_{name}_about"),
                        is_required=name in _NEEDED,
                    )
                    for name in _LIKELY
                }
                about = t("churn_files.gap_months_about")
                self._gap = text_field(page, t("churn_files.gap_months"), "6", about=about, is_required=True)
                self._through = text_field(page, t("churn_files.through"), about=t("churn_files.through_about"))
        self._none = none
        self._form = Form({**self._columns, "gap_months": self._gap, "through": self._through})

    def show(self, *, is_shown: bool) -> None:
        """Show them, or leave them away."""
        self._box.set_visibility(is_shown)

    def begin(self, columns: Sequence[str]) -> None:
        """Offer these columns, and begin with the likely ones."""
        by_word = {name.strip().casefold(): name for name in reversed(columns)}
        for name, field in self._columns.items():
            field.input.set_options({**self._none, **{column: column for column in columns}})
            field.put(next((by_word[word] for word in _LIKELY[name] if word in by_word), _NONE))

    def tell(self, problems: Mapping[str, str]) -> None:
        """Say what is wrong with them."""
        self._form.tell({name: told for name, told in problems.items() if name in self._form_names})

    @property
    def _form_names(self) -> Sequence[str]:
        return (*self._columns, "gap_months", "through")

    def given(self) -> Mapping[str, str | None]:
        """What was filled in, as the API takes it."""
        through = self._through.text
        return {
            **{name: str(field.value or "") or None for name, field in self._columns.items()},
            "gap_months": self._gap.text,
            "through": through.replace("-", "", 1) if len(through) == 7 else through,
        }
