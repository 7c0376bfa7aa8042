"""SQL over the churn database, and saved views. Viewers ask, operators save and delete views."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastflow.apps.churn.domain.described import describe_column, describe_table
from fastflow.apps.churn.domain.document import Document, Table
from fastflow.apps.churn.domain.sql import LONGEST_VIEW_NAME, MACROS, SHIPPED_VIEWS, is_view_name
from fastflow.apps.churn.domain.tables import VIEWS
from fastflow.apps.churn.errors import ViewInUse, ViewNotFound
from fastflow.apps.churn.ports import ChurnStore, Note
from fastflow.apps.churn.ports_sql import SqlAnswer, SqlEngine, SqlTables, Stop
from fastflow.apps.churn.service.database import GUARDED_BY
from fastflow.kit.errors import Conflict, InvalidInput, NotFound
from fastflow.kit.identity import Actor, Role


class Sql:
    """The use cases.

    Args:
        store: the database.
        engine: answers.
        folder: for files being downloaded.
    """

    def __init__(self, store: ChurnStore, engine: SqlEngine, folder: Path) -> None:
        self._store = store
        self._engine = engine
        self.folder = folder

    def query(self, query: str, *, limit: int, actor: Actor, stop: Stop | None = None) -> SqlAnswer:
        """Rows of a query, unless `stop` ends it.

        Raises:
            SqlRefused: it may not run, or cannot; says where.
        """
        actor.require_pipeline(GUARDED_BY)
        return self._engine.query(self._present(), query, limit=limit, stop=stop)

    def download(self, query: str, target: Path, kind: str, *, actor: Actor) -> None:
        """Write the rows of a query into a file; raises as `query`."""
        actor.require_pipeline(GUARDED_BY)
        self._engine.write(self._present(), query, target, kind)

    def tables(self, *, actor: Actor) -> Mapping[str, Any]:
        """`tables` and views with their columns, and views that are `broken`, with the reason."""
        actor.require_pipeline(GUARDED_BY)
        found = self._engine.describe(self._present())
        declared = self._store.read().tables
        told = [_described(one, declared.get(one["name"])) for one in found["tables"]]
        macros = [{"name": name, "definition": text} for name, text in MACROS.items()]
        return {**found, "tables": told, "macros": macros}

    def schema(self, table: str, *, actor: Actor) -> Mapping[str, Any]:
        """One table with its columns.

        Raises:
            NotFound: there is none of that name.
        """
        found = next((one for one in self.tables(actor=actor)["tables"] if one["name"] == table), None)
        if found is None:
            raise NotFound(f"There is no table {table!r}.", fields={"table": f"there is no table {table!r}"})
        return dict(found)

    # -- views ------------------------------------------------------------------------------------------------------------

    def views(self, *, actor: Actor) -> Sequence[Mapping[str, str]]:
        """Saved views."""
        actor.require_pipeline(GUARDED_BY)
        return [{"name": str(one["name"]), "sql": str(one["sql"])} for one in self._store.read().records(VIEWS)]

    def save_view(self, name: str, sql: str, *, actor: Actor) -> None:
        """Save a view, or put another SELECT into one.

        Raises:
            SqlRefused: it may not run, reads what is not there, or itself.
            InvalidInput, Conflict: its name is none, or a table's.
        """
        actor.require_pipeline(GUARDED_BY, Role.OPERATOR)
        if not is_view_name(name):
            problem = (
                f"is no name of letters, digits and _, with {LONGEST_VIEW_NAME} at most, that begins with no digit"
            )
            raise InvalidInput(f"name: {problem}.", fields={"name": problem})
        present = self._present()
        same = next((one for one in present.tables if one.casefold() == name.casefold()), None)
        if same is not None or name.casefold() in SHIPPED_VIEWS:
            problem = f"{name} is a {'table' if same else 'view that the workbench brings'}"
            raise Conflict(
                f"{problem[0].upper()}{problem[1:]}.", code="churn_view_name_taken", fields={"name": problem}
            )
        self._engine.check_view(present, name, sql)

        def edit(document: Document) -> tuple[Document, Note]:
            others = [one for one in document.records(VIEWS) if str(one["name"]).casefold() != name.casefold()]
            note = Note(actor=actor, action="churn_view.save", subject=f"churn_view:{name}", detail={"sql": sql[:1000]})
            return document.with_records(VIEWS, [*others, {"name": name, "sql": sql}]), note

        self._store.change(edit)

    def delete_view(self, name: str, *, actor: Actor) -> None:
        """Delete a saved view.

        Raises:
            ViewNotFound, ViewInUse: there is none, or others read it.
        """
        actor.require_pipeline(GUARDED_BY, Role.OPERATOR)
        present = self._present()
        if name not in present.views:
            raise ViewNotFound(f"There is no view {name!r}.", fields={"name": f"there is no view {name!r}"})
        users = self._readers(present, name)
        if users:
            raise ViewInUse(f"The view {name} is read by {', '.join(users)}.")

        def edit(document: Document) -> tuple[Document, Note]:
            left = [one for one in document.records(VIEWS) if one["name"] != name]
            return document.with_records(VIEWS, left), Note(
                actor=actor, action="churn_view.delete", subject=f"churn_view:{name}"
            )

        self._store.change(edit)

    def _readers(self, present: SqlTables, name: str) -> Sequence[str]:
        """Views that work with the view and do not without it."""
        left = {other: sql for other, sql in present.views.items() if other != name}
        without = SqlTables(revision=-1 - present.revision, tables=present.tables, views=left)
        before = self._engine.describe(present)["broken"]
        return sorted(other for other in self._engine.describe(without)["broken"] if other not in before)

    def _present(self) -> SqlTables:
        """The tables of the present revision."""
        document = self._store.read()
        tables: dict[str, dict[str, Any]] = {}
        for name, table in document.tables.items():
            columns = {column: told.type for column, told in table.columns.items()}
            if table.segments is None:
                tables[name] = {"columns": columns, "records": [dict(one) for one in table.records or ()]}
            else:
                paths = [[str(self._store.segment(one.sha256)), dict(one.belongs)] for one in table.segments]
                tables[name] = {"columns": columns, "segments": paths}
        views = {str(one["name"]): str(one["sql"]) for one in document.records(VIEWS)}
        return SqlTables(revision=document.revision, tables=tables, views=views)


def _described(found: Mapping[str, Any], declared: Table | None) -> Mapping[str, Any]:
    """A table as the engine has it, with what it and its columns hold, in words."""
    table = found["name"]
    own = {} if declared is None else {name: column.description for name, column in declared.columns.items()}
    columns = [
        {**one, "description": own.get(one["name"]) or describe_column(table, one["name"])} for one in found["columns"]
    ]
    about = describe_table(table) if declared is None else declared.description
    return {**found, "columns": columns, "description": about}
