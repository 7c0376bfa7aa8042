"""The room of files: panels and lists of transactions, taken in, looked at, deleted."""

from collections.abc import Sequence
from pathlib import Path

from fastflow.apps.churn.pages.files.finding import find_files
from fastflow.apps.churn.service.files import Files
from fastflow.ui.manifest import Manifest, NavEntry, PageSpec

PATH = "/churn/files"


def manifest(files: Files) -> Manifest:
    """What it brings."""

    def load() -> Sequence[PageSpec]:
        from fastflow.apps.churn.pages.files.detail import FilePage
        from fastflow.apps.churn.pages.files.table import FileTable
        from fastflow.apps.churn.pages.files.taking import TakingPage

        return [
            PageSpec(path=PATH, title="churn_files.title", build=FileTable(files).build),
            PageSpec(path=f"{PATH}/-/new", title="churn_files.new", build=TakingPage(files).build),
            PageSpec(path=PATH + "/{file_id}", title="churn_files.one_title", build=FilePage(files).build),
        ]

    nav = NavEntry(path=PATH, label="churn_files.title", icon="file", order=51, key="i")
    texts = Path(__file__).parent / "texts.toml"
    return Manifest(name="files", texts=texts, load=load, nav=[nav], finders=[find_files(files, PATH)])
