"""The room of experiments."""

from collections.abc import Sequence
from pathlib import Path

from fastflow.apps.churn.pages.experiments.finding import find_experiments
from fastflow.apps.churn.service.chains import Chains
from fastflow.apps.churn.service.demo import Demo
from fastflow.apps.churn.service.experiments import Experiments
from fastflow.apps.churn.service.late import LateRows
from fastflow.apps.churn.service.materializing import Materializing
from fastflow.apps.churn.service.outbox import ExperimentBundles
from fastflow.apps.churn.service.runs import ChurnRuns
from fastflow.ui.manifest import Manifest, NavEntry, PageSpec

PATH = "/churn/experiments"


def manifest(
    experiments: Experiments,
    bundles: ExperimentBundles,
    materializing: Materializing,
    runs: ChurnRuns,
    chains: Chains,
    late: LateRows,
    demo: Demo,
) -> Manifest:
    """What it brings: experiments, made step by step, computed, looked at, compared."""

    def load() -> Sequence[PageSpec]:
        from fastflow.apps.churn.pages.experiments.compare import ComparePage
        from fastflow.apps.churn.pages.experiments.detail import ExperimentPage
        from fastflow.apps.churn.pages.experiments.table import ExperimentTable
        from fastflow.apps.churn.pages.experiments.wizard import Wizard

        wizard = Wizard(experiments)
        return [
            PageSpec(path=PATH, title="experiments.title", build=ExperimentTable(experiments, demo).build),
            PageSpec(path=f"{PATH}/-/new", title="experiments.new", build=wizard.build_new),
            PageSpec(path=f"{PATH}/-/compare", title="experiments.compare", build=ComparePage(experiments).build),
            PageSpec(
                path=PATH + "/{experiment_id}",
                title="experiments.one_title",
                build=ExperimentPage(experiments, bundles, materializing, runs, chains, late).build,
            ),
            PageSpec(path=PATH + "/{experiment_id}/change", title="experiments.change", build=wizard.build_change),
        ]

    nav = NavEntry(path=PATH, label="experiments.title", icon="experiment", order=50, key="x")
    finder = find_experiments(experiments, PATH)
    texts = Path(__file__).parent / "texts.toml"
    return Manifest(name="experiments", texts=texts, load=load, nav=[nav], finders=[finder])
