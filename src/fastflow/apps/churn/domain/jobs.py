"""What can be asked of a run of an experiment, and which results it needs and leaves."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .document import Document, Table
from .experiment import Experiment
from .experiment_rows import KEY
from .month import Month, MonthError
from .problem import Problem, Refused
from .tables import RESULTS

CHURN, COX, CF = "churn", "cox", "cf"
PIPELINES = (CHURN, COX, CF)
ALL = "all"
"""In the place of a pipeline: every step of a chain."""
WINDOWS: Mapping[str, str] = {
    "training_from": "training_from",
    "training_to": "training_to",
    "test_from": "backtest_from",
    "test_to": "backtest_to",
}
"""Month of a request -> the experiment's own."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What somebody asks for.

    Attributes:
        pipeline: one of `PIPELINES`, or `ALL`.
        windows: months of the request by their names in it; those not given are left away.
        test_reduction: of the request.
        cutoff_exclusive: for this run alone, in the place of the experiment's.
        sample: share of the customers that the counterfactual search looks at.
        limit: at most so many of them.
        seed: of what is drawn.
    """

    pipeline: str
    windows: Mapping[str, Any]
    test_reduction: float | None = None
    cutoff_exclusive: Any = None
    sample: float | None = None
    limit: int | None = None
    seed: int | None = None

    def params(self, experiment: Experiment) -> dict[str, Any]:
        """The run's parameters: what is asked for beyond the experiment."""
        given = {"SAMPLE": self.sample, "LIMIT": self.limit, "SEED": self.seed}
        told = {name: value for name, value in given.items() if value is not None}
        if self.cutoff_exclusive is not None:
            told["CUTOFF_EXCLUSIVE"] = Month.parse(self.cutoff_exclusive).yyyymm
        return {"EXPERIMENT_ID": experiment.experiment_id, **told}

    def described(self, experiment: Experiment) -> dict[str, Any]:
        """The run's experiment.json: the experiment, with what holds for this run alone."""
        record = experiment.record()
        if self.cutoff_exclusive is None:
            return record
        cutoff = Month.parse(self.cutoff_exclusive).yyyymm
        return {**record, "hyperparameters": {**record["hyperparameters"], "cutoff_exclusive": cutoff}}


def check_ask(ask: Ask, experiment: Experiment) -> None:
    """Raises:
    Refused: with everything that does not fit the experiment; a window is never silently another one.
    """
    problems = [*_windows(ask, experiment), *_options(ask), *_cutoff(ask, experiment)]
    if problems:
        raise Refused(problems)


def _windows(ask: Ask, experiment: Experiment) -> Iterator[Problem]:
    for name, own in WINDOWS.items():
        given = ask.windows.get(name)
        if given is None:
            continue
        try:
            month = Month.parse(given)
        except MonthError as error:
            yield Problem(name, str(error).rstrip("."), "Correct the month, or leave it away.")
            continue
        mine: Month = getattr(experiment, own)
        if month != mine:
            yield Problem(
                name,
                f"{month} is not the experiment's {own}, {mine}",
                "Leave it away; for other windows make another experiment.",
            )
    if ask.test_reduction:
        yield Problem("test_reduction", "the backtest asks all customers of its window", "Leave it away, or give 0.")


def _options(ask: Ask) -> Iterator[Problem]:
    for name, value in (("sample", ask.sample), ("limit", ask.limit), ("seed", ask.seed)):
        if value is not None and ask.pipeline != CF:
            yield Problem(name, f"the pipeline {ask.pipeline} takes none", "Leave it away.")
    if ask.cutoff_exclusive is not None and ask.pipeline != COX:
        yield Problem("cutoff_exclusive", f"the pipeline {ask.pipeline} takes none", "Leave it away.")


def _cutoff(ask: Ask, experiment: Experiment) -> Iterator[Problem]:
    if ask.cutoff_exclusive is None or ask.pipeline != COX:
        return
    try:
        cutoff = Month.parse(ask.cutoff_exclusive)
    except MonthError as error:
        yield Problem("cutoff_exclusive", str(error).rstrip("."), "Correct the month.")
        return
    history = int(experiment.hyperparameters["history_months"])
    if cutoff > experiment.backtest_from:
        problem = f"the survival analysis would see months of the backtest window {experiment.backtest} before {cutoff}"
        yield Problem("cutoff_exclusive", problem, f"Choose {experiment.backtest_from} or an earlier month.")
    elif cutoff - experiment.training_from < history + 1:
        problem = f"{cutoff} leaves no month after {history} months of history from {experiment.training_from}"
        yield Problem("cutoff_exclusive", problem, "Choose a later month.")


# -- results of runs ----------------------------------------------------------------------------------------------------


def results_table() -> Table:
    """The table that says which run the results of an experiment are of."""
    return Table(
        description="One row per experiment and pipeline: the run whose results are in the tables.",
        source="runs",
        records=(),
    )


def find_results(document: Document, experiment_id: int, pipeline: str) -> Mapping[str, Any] | None:
    """The record of the run whose results are in the tables; None: there are none."""
    found = (
        record
        for record in document.records(RESULTS)
        if record.get(KEY) == experiment_id and record.get("pipeline") == pipeline
    )
    return next(found, None)


def current_run(experiment: Experiment) -> str | None:
    """The run that computes the experiment: of the step that its chain is at, else the newest, as ids rise with time."""
    if experiment.step is not None:
        return experiment.step.run_id or None
    return max(experiment.runs.values(), default=None)


def stale(pipeline: str) -> tuple[str, ...]:
    """The pipelines whose results go when this one has new ones: counterfactuals were asked of the model before."""
    return (CHURN, CF) if pipeline == CHURN else (pipeline,)


def source_of(pipeline: str) -> str:
    """What stands as the source of a table that the pipeline writes."""
    return f"pipeline {pipeline}"
