"""What the palette offers of experiments: those whose name or number is asked for, and making a new one."""

from collections.abc import Sequence

from fastflow.apps.churn.domain.experiment import Experiment
from fastflow.apps.churn.service.database import GUARDED_BY
from fastflow.apps.churn.service.experiments import ExperimentFilter, Experiments
from fastflow.kit.identity import Actor
from fastflow.ui.manifest import Finder, Found, fits
from fastflow.ui.texts import Data, Texts

_SEARCHED = 200
"""The newest."""


def find_experiments(experiments: Experiments, path: str) -> Finder:
    """The group over experiments.

    Args:
        experiments: where they come from.
        path: of their pages.
    """

    def find(t: Texts, actor: Actor, wanted: str) -> Sequence[Found]:
        if not wanted.strip() or not actor.may_touch(GUARDED_BY):
            return []
        found = experiments.list(ExperimentFilter(), actor=actor, limit=_SEARCHED).items
        return [_found(t, path, one) for one in found if fits(f"{one.experiment_name} #{one.experiment_id}", wanted)]

    return Finder(title="experiments.title", find=find)


def _found(t: Texts, path: str, one: Experiment) -> Found:
    note = Data(f"#{one.experiment_id} · {t(f'experiments.is_{one.status}')}")
    return Found(label=Data(one.experiment_name), note=note, path=f"{path}/{one.experiment_id}")
