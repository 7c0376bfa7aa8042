"""The room of pipelines."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fastflow.kernel.environments.domain.environment import EnvironmentCard, Readiness
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kernel.runs.service import RunService
from fastflow.kernel.schedules.service import ScheduleService
from fastflow.kernel.secrets.service import SecretService
from fastflow.kernel.webhooks.service import WebhookService
from fastflow.ui.manifest import Manifest, NavEntry, PageSpec
from fastflow.ui.rooms.pipelines.finding import find_pipelines

States = Callable[[Sequence[Pipeline]], Mapping[str, Readiness]]
"""How far the pipelines' environments are, by name."""

FindCard = Callable[[str], EnvironmentCard]
"""What is known of a built environment, by its hash; raises NotFound."""


def manifest(
    catalog: PipelineCatalog,
    states: States,
    find_card: FindCard,
    runs: RunService,
    schedules: ScheduleService,
    secrets: SecretService,
    webhooks: WebhookService,
) -> Manifest:
    """What it brings: the list of pipelines, and each pipeline with the form that runs it."""

    def load() -> Sequence[PageSpec]:
        from fastflow.ui.rooms.pipelines.detail import PipelinePage
        from fastflow.ui.rooms.pipelines.source import SourcePage
        from fastflow.ui.rooms.pipelines.table import PipelineTable

        table = PipelineTable(catalog, states, runs)
        detail = PipelinePage(catalog, states, find_card, runs, schedules, secrets, webhooks)
        return [
            PageSpec(path="/pipelines", title="pipelines.title", build=table.build),
            PageSpec(path="/pipelines/{name}", title="pipelines.pipeline_title", build=detail.build),
            PageSpec(path="/pipelines/{name}/source", title="source.title", build=SourcePage(catalog).build),
        ]

    finders = find_pipelines(catalog)
    nav = NavEntry(path="/pipelines", label="pipelines.title", icon="pipelines", order=20, key="p")
    return Manifest(name="pipelines", texts=Path(__file__).parent / "texts.toml", load=load, nav=[nav], finders=finders)
