"""The room of SQL: one page with an editor, what can be read, and what came out."""

from collections.abc import Sequence
from pathlib import Path

from fastflow.apps.churn.service.sql import Sql
from fastflow.ui.manifest import Manifest, NavEntry, PageSpec

PATH = "/churn/sql"


def manifest(sql: Sql) -> Manifest:
    """What it brings."""

    def load() -> Sequence[PageSpec]:
        from fastflow.apps.churn.pages.sql.page import SqlPage

        return [PageSpec(path=PATH, title="sql.title", build=SqlPage(sql).build)]

    nav = NavEntry(path=PATH, label="sql.title", icon="table", order=52, key="q")
    return Manifest(name="sql", texts=Path(__file__).parent / "texts.toml", load=load, nav=[nav])
