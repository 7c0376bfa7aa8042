"""The room of dead letters."""

from collections.abc import Sequence
from pathlib import Path

from fastflow.kernel.failures.service import FailureService, LetterService
from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.ui.manifest import Manifest, NavEntry, PageSpec
from fastflow.ui.rooms.letters.finding import find_letters


def manifest(letters: LetterService, failures: FailureService, catalog: PipelineCatalog) -> Manifest:
    """What it brings: runs that failed for good, by their cause, and each with what can be done about it."""

    def load() -> Sequence[PageSpec]:
        from fastflow.ui.rooms.letters.detail import LetterPage
        from fastflow.ui.rooms.letters.groups import LettersPage
        from fastflow.ui.rooms.letters.schemas import Schemas

        schemas = Schemas(catalog)
        groups, detail = LettersPage(letters, failures, schemas), LetterPage(letters, failures, schemas)
        return [
            PageSpec(path="/dead-letters", title="letters.title", build=groups.build),
            PageSpec(path="/dead-letters/{run_id}", title="letters.one_title", build=detail.build),
        ]

    nav = NavEntry(path="/dead-letters", label="letters.title", icon="letter", order=35, key="l")
    return Manifest(
        name="letters",
        texts=Path(__file__).parent / "texts.toml",
        load=load,
        nav=[nav],
        finders=[find_letters(letters)],
    )
