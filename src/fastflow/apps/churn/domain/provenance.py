"""Where the figures of an experiment come from: its windows, data, settings and runs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .experiment import Experiment, chosen, snapshot
from .files import IngestedFile
from .month import Month, Window
from .timeline import gap_between


@dataclass(frozen=True, kw_only=True)
class Computed:
    """A run whose results are told of.

    Attributes:
        pipeline: its name.
        run_id: of the run.
        at: when its results were taken in, ISO 8601 UTC.
    """

    pipeline: str
    run_id: str
    at: str


@dataclass(frozen=True, kw_only=True)
class SettingValue:
    """A setting, as it was.

    Attributes:
        name: of it; of what lies within another one with a dot.
        value: as JSON has it.
        usual: what it would have been if nothing was said; '' where there is no such thing.
        is_chosen: whether both differ.
    """

    name: str
    value: str
    usual: str
    is_chosen: bool


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """All of it.

    Attributes:
        experiment: what was decided, and when.
        gap_months: between the last month that features see and the first one that is predicted.
        files: the data; a file that was removed since is not among them.
        settings: every one of them.
        computed: the runs, in the order of the pipelines.
    """

    experiment: Experiment
    gap_months: int
    files: Sequence[IngestedFile]
    settings: Sequence[SettingValue]
    computed: Sequence[Computed]

    @property
    def seed(self) -> str:
        """Of everything drawn."""
        return str(self.experiment.hyperparameters.get("seed", ""))


@dataclass(frozen=True, kw_only=True)
class Written:
    """A report as it is handed over.

    Attributes:
        on: day, YYYY-MM-DD; so a report is the same for the whole of a day.
        by: who asked for it.
        version: of the product that wrote it.
    """

    on: str
    by: str
    version: str


def provenance_of(experiment: Experiment, files: Sequence[IngestedFile], computed: Sequence[Computed]) -> Provenance:
    """Where the figures of the experiment come from.

    Args:
        files: all that there are. computed: the runs whose results are there.
    """
    embargo = experiment.hyperparameters.get("embargo_months", 0)
    return Provenance(
        experiment=experiment,
        gap_months=gap_between(experiment.training, experiment.backtest, int(embargo)),
        files=[file for file in files if file.file_id in experiment.id_files],
        settings=list(_settings(experiment)),
        computed=computed,
    )


def told_month(month: Month) -> str:
    """A month as people write it.

    >>> told_month(Month.parse(202309))
    '2023-09'
    """
    return f"{month.year:04d}-{month.number:02d}"


def told_window(window: Window) -> str:
    """The months of a window."""
    return f"{told_month(window.first)} – {told_month(window.last)}"


def _settings(experiment: Experiment) -> Iterator[SettingValue]:
    usual = dict(_flat(snapshot({}, experiment.training_to)))
    differing = chosen(experiment)
    for name, value in _flat(experiment.hyperparameters):
        is_chosen = name.partition(".")[0] in differing and usual.get(name) != value
        yield SettingValue(name=name, value=value, usual=usual.get(name, ""), is_chosen=is_chosen)


def _flat(settings: Mapping[str, Any], within: str = "", depth: int = 2) -> Iterator[tuple[str, str]]:
    """Names with dots, and values as JSON; objects are opened so far."""
    for name, value in settings.items():
        if isinstance(value, Mapping) and value and depth:
            yield from _flat(value, f"{within}{name}.", depth - 1)
        else:
            yield f"{within}{name}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
