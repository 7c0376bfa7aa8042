"""The room of webhooks: the addresses at which other systems start a pipeline's run. A key is shown once."""

from collections.abc import Sequence
from pathlib import Path

from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kernel.webhooks.service import WebhookService
from fastflow.ui.manifest import Manifest, PageSpec

_PATH = "/pipelines/{name}/webhooks"


def manifest(webhooks: WebhookService, catalog: PipelineCatalog) -> Manifest:
    """What it brings: the webhooks of a pipeline, to which its page leads."""

    def load() -> Sequence[PageSpec]:
        from fastflow.ui.rooms.webhooks.detail import WebhookPages
        from fastflow.ui.rooms.webhooks.table import WebhookTable

        pages = WebhookPages(webhooks, catalog)
        return [
            PageSpec(path=_PATH, title="webhooks.title", build=WebhookTable(webhooks).build),
            PageSpec(path=f"{_PATH}/-/new", title="webhooks.new", build=pages.build_new),
            PageSpec(path=_PATH + "/{webhook_id}", title="webhooks.one_title", build=pages.build_one),
        ]

    return Manifest(name="webhooks", texts=Path(__file__).parent / "texts.toml", load=load)
