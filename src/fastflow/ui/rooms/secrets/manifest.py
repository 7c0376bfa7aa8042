"""The room of secrets."""

from collections.abc import Sequence
from pathlib import Path

from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kernel.secrets.service import SecretService
from fastflow.kernel.sync.service import RepositoryService
from fastflow.ui.manifest import Manifest, NavEntry, PageSpec
from fastflow.ui.rooms.secrets.finding import find_secrets


def manifest(secrets: SecretService, catalog: PipelineCatalog, repositories: RepositoryService) -> Manifest:
    """What it brings: the list of secrets, and each with who reads it. A value is taken, and never shown again."""

    def load() -> Sequence[PageSpec]:
        from fastflow.ui.rooms.secrets.detail import SecretPage
        from fastflow.ui.rooms.secrets.form import NewSecretPage
        from fastflow.ui.rooms.secrets.readers import Readers
        from fastflow.ui.rooms.secrets.table import SecretTable

        readers = Readers(catalog, repositories)
        return [
            PageSpec(path="/secrets", title="secrets.title", build=SecretTable(secrets, readers).build),
            PageSpec(path="/secrets/-/new", title="secrets.new", build=NewSecretPage(secrets, readers).build),
            PageSpec(path="/secrets/{key}", title="secrets.one_title", build=SecretPage(secrets, readers).build),
        ]

    nav = NavEntry(path="/secrets", label="secrets.title", icon="key", order=60, key="k")
    return Manifest(
        name="secrets",
        texts=Path(__file__).parent / "texts.toml",
        load=load,
        nav=[nav],
        finders=[find_secrets(secrets)],
    )
