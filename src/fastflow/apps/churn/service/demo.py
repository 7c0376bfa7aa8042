"""The workbench tried on example data: a small drawn panel, an experiment on it, and all of its steps."""

from fastflow.apps.churn.domain.demo import DICTIONARY, EXPERIMENT, demo_rows
from fastflow.apps.churn.domain.experiment import Experiment
from fastflow.apps.churn.domain.jobs import ALL, Ask
from fastflow.apps.churn.errors import ExperimentTwin
from fastflow.apps.churn.ports import ChurnStore
from fastflow.apps.churn.service.chains import Chains
from fastflow.apps.churn.service.experiments import Experiments
from fastflow.apps.churn.service.files import Files
from fastflow.kit.identity import Actor


class Demo:
    """The use case.

    Args:
        store: where the panel is drawn.
        files: takes it in.
        experiments: makes the experiment.
        chains: computes it.
    """

    def __init__(self, store: ChurnStore, files: Files, experiments: Experiments, chains: Chains) -> None:
        self._store = store
        self._files = files
        self._experiments = experiments
        self._chains = chains

    def start(self, *, actor: Actor) -> Experiment:
        """Take the panel in, make the experiment, and ask for all of its steps; of an earlier demo, both are taken again.

        Raises:
            Forbidden, ExperimentBusy, EngineFailed, DatabaseBusy, DatabaseDamaged, DatabaseUnwritable.
        """
        self._files.require_ingest(actor=actor)
        with self._store.staging() as folder:
            panel = folder / "demo.csv"
            panel.write_text("\n".join(demo_rows()) + "\n", encoding="utf-8")
            taken = self._files.ingest(panel, name=panel.name, dictionary=DICTIONARY, actor=actor)
        number = self._experiment({**EXPERIMENT, "id_files": [taken.file.file_id]}, actor)
        return self._chains.start(number, Ask(pipeline=ALL, windows={}), actor=actor)

    def _experiment(self, wanted: dict[str, object], actor: Actor) -> int:
        try:
            return self._experiments.create(wanted, actor=actor).experiment_id
        except ExperimentTwin as error:
            return int(error.extra["twin_id"])
