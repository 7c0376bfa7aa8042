"""How experiments are told: their status, months and figures."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from fastflow.apps.churn.domain.experiment import CREATED, FAILED, PROCESSED, PROCESSING, Experiment
from fastflow.apps.churn.domain.month import Month, Window
from fastflow.apps.churn.domain.provenance import told_month, told_window
from fastflow.apps.churn.errors import ExperimentNotFound
from fastflow.apps.churn.pages.experiments.manifest import PATH
from fastflow.ui.hints import as_told
from fastflow.ui.icons import icon
from fastflow.ui.markup import Html, div, join, span
from fastflow.ui.parts import data_text, pill
from fastflow.ui.shell.page import BASE
from fastflow.ui.texts import Data, Phrase, Texts

_KINDS = {CREATED: "still", PROCESSING: "runs", PROCESSED: "good", FAILED: "bad"}
FIGURES = ("churn_roc_auc", "churn_pr_auc", "churn_base_rate", "churn_brier", "cox_harrell_c", "cox_ibs")
"""Those that are told first, in their order."""
_COUNTS = (
    "churn_customers", "cox_events", "cox_rows", "cox_test_customers", "cox_test_events", "cox_ibs_from_month",
    "cox_ibs_to_month", "cox_uno_limit_months", "cox_likelihood_ratio_df", "cox_robust_wald_df", "cox_customers",
    "cox_customers_departed",
)  # fmt: skip
_SHARES = ("churn_base_rate", "churn_mean_predicted")
_LEAST_P = 0.0001
_MONTHS_OF_AUC = re.compile(r"cox_auc_(\d+)m")


def state(t: Texts, experiment: Experiment) -> Html:
    """Its status."""
    return pill(_KINDS[experiment.status], t(f"experiments.is_{experiment.status}"))


def warned(t: Texts, warnings: Sequence[str]) -> Html:
    """What may mislead who does not know it."""
    return join(div(icon("alert"), span(as_told(t, told)), cls="note", role="status") for told in warnings)


def month(value: Month) -> str:
    """A month as people read it."""
    return told_month(value)


def window(value: Window) -> Data:
    """The months of a window."""
    return Data(told_window(value))


def figure(value: float | None) -> Data:
    """A figure, to the precision that people compare with.

    >>> figure(0.80342), figure(None), figure(1234.5)
    ('0.803', '–', '1\u202f234.5')
    """
    if value is None:
        return Data("–")
    return Data(f"{value:.3f}") if abs(value) < 100 else _grouped(value, 1)


def _grouped(value: float, digits: int) -> Data:
    """With thousands apart, as in the report."""
    return Data(f"{value:,.{digits}f}".replace(",", "\u202f"))


def shown_figure(name: str, value: float | None) -> Data:
    """A key figure: counts are whole, shares in per cent, very small p-values a bound.

    >>> shown_figure("churn_customers", 242.0), shown_figure("churn_base_rate", 0.1074), shown_figure("cox_likelihood_ratio_p", 0.0)
    ('242', '10.7 %', '< 0.0001')
    """
    if value is None:
        return Data("–")
    if name in _COUNTS:
        return _grouped(value, 0)
    if name in _SHARES:
        return Data(f"{100 * value:.1f} %")
    if name.endswith("_p") and value < _LEAST_P:
        return Data(f"< {_LEAST_P:.4f}")
    return figure(value)


def names_of_figures(figures: Sequence[Mapping[str, float]]) -> list[str]:
    """Of all of them: those with names of their own first."""
    known = dict.fromkeys(name for each in figures for name in each)
    return [*(name for name in FIGURES if name in known), *sorted(set(known) - set(FIGURES))]


def figure_name(t: Texts, name: str) -> Phrase | Data:
    """What a figure is called."""
    key = f"experiments.figure_{name}"
    if t.has(key):
        return t(key)
    months = _MONTHS_OF_AUC.fullmatch(name)
    return t("experiments.figure_cox_auc", n=months[1]) if months else Data(name)


def value_text(value: object) -> Data:
    """A setting's value."""
    return Data(data_text(value))


def instant(text: str) -> datetime | None:
    """A time of a record; '' is none."""
    return datetime.fromisoformat(text) if text else None


def path_of(experiment_id: int) -> str:
    """Where its page is."""
    return f"{PATH}/{experiment_id}"


def trail(t: Texts, experiment: Experiment | None = None) -> list[tuple[str, Phrase | Data]]:
    """The way to a page below the table's, or below the experiment's own."""
    way: list[tuple[str, Phrase | Data]] = [(BASE + PATH, t("experiments.title"))]
    if experiment is not None:
        way.append((BASE + path_of(experiment.experiment_id), Data(experiment.experiment_name)))
    return way


def number_in(params: Mapping[str, str]) -> int:
    """The number in a page's path.

    Raises:
        ExperimentNotFound: it is none.
    """
    number = read_number(params["experiment_id"])
    if number is None:
        raise ExperimentNotFound("There is no such experiment.")
    return number


def read_number(text: str) -> int | None:
    """The number that a part of a path is; None: it is none that anything here could have.

    >>> read_number("12"), read_number("x"), read_number("9999999999")
    (12, None, None)
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
