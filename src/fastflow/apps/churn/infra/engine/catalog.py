"""The churn database as the engine sees it: tables of records in memory, large tables as views of their files, saved views and
macros for months; then locked.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from fastflow.apps.churn.domain.sql import MACROS, SHIPPED_VIEWS
from fastflow.apps.churn.infra.engine.connection import literal, open_locked, quoted
from fastflow.apps.churn.infra.engine.guard import Refused, check
from fastflow.apps.churn.infra.engine.kept import rows_of
from fastflow.apps.churn.infra.engine.sources import first_line

_DECLARED = {"integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "month": "INTEGER"}
_NAMES = {"file_id": "id_files"}
"""What a segment belongs to, by the name of its column where that is another one."""


@dataclass(frozen=True)
class Catalog:
    """A connection with everything in it.

    Attributes:
        connection: locked.
        tables: names of the tables.
        views: names of the views that work, with their SQL.
        broken: name of a view -> why it does not.
    """

    connection: duckdb.DuckDBPyConnection
    tables: Sequence[str]
    views: Mapping[str, str]
    broken: Mapping[str, str]

    @property
    def names(self) -> Sequence[str]:
        """All that can be read."""
        return [*self.tables, *self.views]


def open_catalog(folder: Path, tables: Mapping[str, Any], views: Mapping[str, str]) -> Catalog:
    """The database of these tables, each as `records` and `columns`, or as `segments` (path and what it belongs to)."""
    paths = [Path(path) for table in tables.values() for path, _belongs in table.get("segments") or ()]
    connection = open_locked(folder, paths)
    for macro in MACROS.values():
        connection.execute(f"CREATE MACRO {macro}")
    for name, table in tables.items():
        if table.get("segments"):
            _make_segments(connection, name, table["segments"])
        else:
            _make_records(connection, name, table.get("records") or (), table["columns"])
    tables = _with_columns(connection, tables)
    shipped = {name: sql for name, sql in SHIPPED_VIEWS.items() if name not in tables and name not in views}
    working, broken = _make_views(connection, list(tables), {**shipped, **views})
    told = {name: why for name, why in broken.items() if name in views}
    return Catalog(connection, list(tables), working, told)


def _make_records(
    connection: duckdb.DuckDBPyConnection, name: str, records: Sequence[Mapping[str, Any]], columns: Mapping[str, str]
) -> None:
    names = list(dict.fromkeys([*columns, *(key for record in records for key in record)]))
    types = {key: _type_of([record.get(key) for record in records], columns.get(key)) for key in names}
    if not names:
        return
    typed = ", ".join(f"{quoted(key)} {kind}" for key, kind in types.items())
    connection.execute(f"CREATE TABLE {quoted(name)} ({typed})")
    if not records:
        return
    plain = [{key: _plain(record.get(key)) for key in names} for record in records]
    shape = json.dumps([dict(types)])
    connection.execute(
        f"INSERT INTO {quoted(name)} SELECT unnest(from_json(CAST(? AS JSON), {literal(shape)}), recursive := true)",
        [json.dumps(plain)],
    )


def _type_of(values: Sequence[Any], declared: str | None) -> str:
    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        return _DECLARED.get(declared or "text", "VARCHAR")
    if kinds == {bool}:
        return "BOOLEAN"
    if kinds == {int}:
        return "BIGINT" if all(abs(value) < 2**63 for value in values if value is not None) else "DOUBLE"
    return "DOUBLE" if kinds <= {int, float} else "VARCHAR"


def _plain(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _with_columns(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Any]) -> Mapping[str, Any]:
    """Those of the tables that have a column: others are no tables for SQL yet."""
    there = {row[0] for row in connection.execute("SELECT table_name FROM information_schema.tables").fetchall()}
    return {name: table for name, table in tables.items() if name in there}


def _make_segments(connection: duckdb.DuckDBPyConnection, name: str, segments: Sequence[Any]) -> None:
    parts = []
    for path, belongs in segments:
        rows = rows_of(connection, path)
        there = {row[0] for row in connection.execute(f"DESCRIBE {rows}").fetchall()}
        more = {_NAMES.get(key, key): value for key, value in belongs.items()}
        added = "".join(
            f", CAST({int(value)} AS INTEGER) AS {quoted(key)}" for key, value in more.items() if key not in there
        )
        parts.append(f"SELECT *{added} FROM ({rows})")
    connection.execute(f"CREATE VIEW {quoted(name)} AS {' UNION ALL BY NAME '.join(parts)}")


def _make_views(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[str], views: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Make the views, each after those that it reads; what remains cannot be made, and why."""
    waiting, working, broken = dict(views), dict[str, str](), dict[str, str]()
    while waiting:
        done = []
        for name, sql in waiting.items():
            try:
                check(connection, sql, [*tables, *working])
                connection.execute(f"CREATE VIEW {quoted(name)} AS {bare(connection, sql)}")
                done.append(name)
            except Refused as error:
                broken[name] = error.message
            except duckdb.Error as error:
                broken[name] = first_line(error)
        if not done:
            break
        for name in done:
            working[name] = waiting.pop(name)
            broken.pop(name, None)
    return working, broken


def bare(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """A statement that passed the guard, without the semicolon behind it, so that it can stand inside of another one.

    Raises:
        Refused: it cannot.
    """
    text = str(connection.extract_statements(sql)[0].query)
    for inside in (text, text.rpartition(";")[0]):
        tree = connection.execute("SELECT json_serialize_sql(?)", [f"FROM (\n{inside}\n)"]).fetchall()[0][0]
        if inside and not json.loads(tree)["error"]:
            return f"{inside}\n"
    raise Refused("The statement cannot stand inside of another one.")
