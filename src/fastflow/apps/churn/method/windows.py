"""Windows of time: which months features may see, which months labels are read from, and the record that proves it.

The test task fixes everything: features end at its anchor, labels are read from the backtest window. Training repeats
the same task further back, at every anchor whose whole label window lies inside the training window. A customer whose
fate in a label window was not observed to its end is censored: neither churned nor stayed.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .panel import Integers, Panel, yyyymm
from .problems import Refusal

Outcome = Literal["any", "end"]
Population = Literal["alive", "observed"]


@dataclass(frozen=True)
class Task:
    """One prediction task, the same at every anchor.

    Args:
        gap: months between an anchor (the last month that features see) and the first month of its label window.
        horizon: months of the label window.
        outcome: "any": churned when dead in any month of the window; "end": when the last known state in it is dead.
        population: "alive": customers alive at the anchor; "observed": all with a row in the anchor's month.
    """

    gap: int
    horizon: int
    outcome: Outcome = "any"
    population: Population = "alive"

    def label_window(self, anchor: int) -> tuple[int, int]:
        """First and last counted month from which an anchor's labels are read."""
        return anchor + self.gap + 1, anchor + self.gap + self.horizon


@dataclass(frozen=True)
class Plan:
    """The anchors of an experiment.

    Args:
        task: what is predicted.
        anchors: counted months of the training anchors, rising.
        test_anchor: counted month of the test's anchor.
        training_from, training_to, backtest_from, backtest_to: the experiment's windows, counted, both ends inside.
    """

    task: Task
    anchors: tuple[int, ...]
    test_anchor: int
    training_from: int
    training_to: int
    backtest_from: int
    backtest_to: int


@dataclass(frozen=True)
class Outcomes:
    """Whose fate in one label window is known.

    Args:
        rows: indices of the customers, rising, shape (n,).
        churned: 1 churned, 0 stayed, shape (n,), int8.
        population: customers of the task's population at the anchor.
        censored: those of them whose fate was not observed to the end of the window.
        gone: those of them who died between anchor and label window and are no longer at risk.
    """

    rows: Integers
    churned: NDArray[np.int8]
    population: int
    censored: int
    gone: int


def plan_windows(
    *,
    training_from: int,
    training_to: int,
    backtest_from: int,
    backtest_to: int,
    embargo: int = 0,
    history: int = 6,
    most_anchors: int = 12,
    outcome: Outcome = "any",
    population: Population = "alive",
) -> Plan:
    """Anchors for four counted months; the newest `most_anchors` that fit.

    Args:
        embargo: months that must lie between an anchor and its label window.
        history: months of the training window that an anchor needs behind it, its own among them.

    Raises:
        Refusal: windows reversed or overlapping, or no anchor fits.
    """
    for name, begin, end in (
        ("training", training_from, training_to),
        ("backtest", backtest_from, backtest_to),
    ):
        if begin > end:
            raise Refusal(
                f"The {name} window is reversed: {yyyymm(begin)} to {yyyymm(end)}.", "Give the earlier month first."
            )
    if backtest_from <= training_to:
        raise Refusal(
            f"The backtest window begins in {yyyymm(backtest_from)}, inside the training window that ends in "
            f"{yyyymm(training_to)}.",
            "Begin the backtest after the training window.",
        )
    horizon = backtest_to - backtest_from + 1
    test_anchor = min(training_to, backtest_from - 1 - embargo)
    task = Task(backtest_from - 1 - test_anchor, horizon, outcome, population)
    earliest = training_from + history - 1
    latest = training_to - task.gap - horizon
    if latest < earliest:
        need = history + task.gap + horizon
        raise Refusal(
            f"The training window has {training_to - training_from + 1} months; {history} of history, {task.gap} of gap "
            f"and {horizon} of labels need {need}.",
            "Lengthen the training window, shorten the backtest window, or lower history_months.",
        )
    anchors = tuple(range(max(earliest, latest - most_anchors + 1), latest + 1))
    return Plan(task, anchors, test_anchor, training_from, training_to, backtest_from, backtest_to)


def read_outcomes(panel: Panel, anchor: int, task: Task) -> Outcomes:
    """Labels of one anchor, from the months of its label window alone.

    Raises:
        Refusal: the panel ends before the label window does, or does not reach back to the anchor.
    """
    begin, end = task.label_window(anchor)
    if panel.column(anchor) < 0 or end > panel.last_month:
        raise Refusal(
            f"The panel covers {yyyymm(panel.first_month)} to {yyyymm(panel.last_month)}; features at {yyyymm(anchor)} "
            f"and labels to {yyyymm(end)} are needed.",
            "Ingest more months, or move the windows.",
        )
    state = panel.alive[:, panel.column(anchor)]
    at_risk = state == 1 if task.population == "alive" else state >= 0
    gone = np.zeros(len(state), dtype=bool)
    if task.population == "alive" and task.gap:
        gone = at_risk & (panel.alive[:, panel.column(anchor) + 1 : panel.column(begin)] == 0).any(axis=1)
    window = panel.alive[:, panel.column(begin) : panel.column(end) + 1]
    churned, stayed = _fates(window, task.outcome)
    known = at_risk & ~gone & (churned | stayed)
    rows = np.flatnonzero(known)
    return Outcomes(
        rows=rows,
        churned=churned[rows].astype(np.int8),
        population=int(at_risk.sum()),
        censored=int((at_risk & ~gone & ~known).sum()),
        gone=int(gone.sum()),
    )


def _fates(window: NDArray[np.int8], outcome: Outcome) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    stayed = window[:, -1] == 1
    if outcome == "any":
        churned = (window == 0).any(axis=1)
        return churned, stayed & ~churned
    known = window >= 0
    newest = window.shape[1] - 1 - np.argmax(known[:, ::-1], axis=1)
    churned = known.any(axis=1) & (window[np.arange(len(window)), newest] == 0)
    return churned, stayed


def audit_windows(plan: Plan, outcomes: dict[int, Outcomes], test: Outcomes) -> dict[str, Any]:
    """The record that proves the separation: per anchor, what features saw and where labels came from.

    `separated` compares the months that were really read; nothing in it is taken from the configuration's word.
    """
    anchors = []
    for anchor in plan.anchors:
        begin, end = plan.task.label_window(anchor)
        found = outcomes[anchor]
        anchors.append(
            {
                "features_until": yyyymm(anchor),
                "labels_from": yyyymm(begin),
                "labels_to": yyyymm(end),
                "customers": len(found.rows),
                "churned": int(found.churned.sum()),
                "censored": found.censored,
                "gone_before_window": found.gone,
            }
        )
    latest = max(plan.task.label_window(anchor)[1] for anchor in plan.anchors)
    begin, end = plan.task.label_window(plan.test_anchor)
    return {
        "training_anchors": anchors,
        "test": {
            "features_until": yyyymm(plan.test_anchor),
            "labels_from": yyyymm(begin),
            "labels_to": yyyymm(end),
            "population": test.population,
            "customers": len(test.rows),
            "churned": int(test.churned.sum()),
            "censored": test.censored,
            "gone_before_window": test.gone,
        },
        "gap_months": plan.task.gap,
        "horizon_months": plan.task.horizon,
        "outcome": plan.task.outcome,
        "population": plan.task.population,
        "latest_month_read_for_training": yyyymm(max(latest, *plan.anchors)),
        "earliest_test_label_month": yyyymm(begin),
        "months_between": begin - latest - 1,
        "separated": latest < begin and max(plan.anchors) < begin and latest <= plan.training_to,
    }
