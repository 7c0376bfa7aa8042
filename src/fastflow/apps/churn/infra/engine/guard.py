"""Which SQL may run: judged by the tree that DuckDB's own parser makes of it, never by its text.

One statement that only reads, of tables and views of the database alone, with table functions that make rows out of nothing.
What the tree does not show to be harmless is refused.
"""

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

import duckdb

TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest"})
_SOURCES = frozenset(
    {"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EMPTY", "EMPTY_FROM", "EXPRESSION_LIST", "SHOW_REF"}
)
_SHOWN = frozenset({"DESCRIBE", "SUMMARY"})
_FORBIDDEN_FUNCTIONS = frozenset(
    {"current_setting", "getenv", "getvariable", "nextval", "currval", "write_log", "sleep_ms", "sleep"}
)
_WORD = re.compile(r"\w+")
_ENGINES_OWN = ("duckdb_", "pg_", "sqlite_", "pragma_")
LONGEST_QUERY = 100_000


class Refused(Exception):
    """The SQL may not run, or cannot.

    Args:
        message: what is wrong.
        line, column: where, from 1; None when that is not known.
    """

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


def check(connection: duckdb.DuckDBPyConnection, query: str, tables: Collection[str]) -> frozenset[str]:
    """The tables and views that a query reads, in small letters.

    Raises:
        Refused: it may not run.
    """
    if len(query) > LONGEST_QUERY:
        raise Refused(f"The query has {len(query)} characters; at most {LONGEST_QUERY} are read.")
    try:
        tree = json.loads(connection.execute("SELECT json_serialize_sql(?)", [query]).fetchall()[0][0])
        return _judged(tree, query, {name.casefold() for name in tables})
    except RecursionError as error:
        raise Refused("The query is nested too deeply.") from error


def _judged(tree: dict[str, Any], query: str, tables: set[str]) -> frozenset[str]:
    if tree["error"]:
        if tree["error_type"] == "not implemented":
            raise Refused("Only one SELECT, WITH, VALUES, DESCRIBE or SUMMARIZE may run here; PIVOT is not among them.")
        place = tree.get("position")
        raise Refused(str(tree["error_message"]), *_place(query, None if place is None else int(place)))
    statements = tree["statements"]
    if len(statements) != 1:
        raise Refused(f"There are {len(statements)} statements; write one.")
    parts = list(_parts(statements[0]))
    named = {entry["key"].casefold() for part in parts for entry in part.get("cte_map", {}).get("map", ())}
    for name in named:
        if not _WORD.fullmatch(name) or name.startswith(_ENGINES_OWN):
            raise Refused(f"A part of the query cannot be called {name[:100]!r}; use a plain word.")
    read: set[str] = set()
    for part in parts:
        _check_sources(part, query)
        kind = part.get("type")
        if kind == "BASE_TABLE":
            read.add(_table(part, query, tables, named))
        elif kind == "TABLE_FUNCTION":
            _check_function(part["function"], query, TABLE_FUNCTIONS, part)
        elif kind == "SHOW_REF":
            _check_shown(part, query, tables, named, read)
        elif kind == "FUNCTION" and str(part.get("function_name", "")).casefold() in _FORBIDDEN_FUNCTIONS:
            raise Refused(f"The function {part['function_name']} is not available here.", *_at(part, query))
        elif kind == "VALUE_PARAMETER":
            raise Refused("Parameters are not available here; write the values.", *_at(part, query))
    return frozenset(read - named)


def _parts(node: Any) -> Iterator[dict[str, Any]]:
    """All objects of the tree, from the top."""
    stack = [node]
    while stack:
        found = stack.pop()
        if isinstance(found, dict):
            yield found
            stack.extend(found.values())
        elif isinstance(found, list):
            stack.extend(found)


def _check_sources(part: dict[str, Any], query: str) -> None:
    """Refuse a kind of source that this guard does not know."""
    for key in ("from_table", "left", "right"):
        source = part.get(key)
        if isinstance(source, dict) and "class" not in source and "select_list" not in source:
            kind = source.get("type")
            if kind not in _SOURCES and not str(kind).endswith("_NODE"):
                raise Refused(f"{kind} is not available here.", *_at(source, query))


def _table(part: dict[str, Any], query: str, tables: set[str], named: set[str]) -> str:
    path = part["qualified_name"]["path"]
    name = str(path[-1]).casefold()
    is_ours = len(path) == 1 or [str(one).casefold() for one in path[:-1]] == ["main"]
    if part.get("at_clause") is not None:
        raise Refused("AT is not available here.", *_at(part, query))
    if not is_ours or (name not in tables and not (len(path) == 1 and name in named)):
        raise Refused(f"There is no table {'.'.join(map(str, path))[:200]!r}.", *_at(part, query))
    return name


def _check_function(function: dict[str, Any], query: str, known: Collection[str], part: dict[str, Any]) -> None:
    name, path = str(function.get("function_name", "")), function["qualified_name"]["path"]
    if name.casefold() not in known or len(path) != 1:
        raise Refused(
            f"The table function {name} is not available here; {', '.join(sorted(known))} are.", *_at(part, query)
        )


def _check_shown(part: dict[str, Any], query: str, tables: set[str], named: set[str], read: set[str]) -> None:
    if part.get("show_type") not in _SHOWN:
        raise Refused("SHOW is not available here; the list of tables tells what there is.", *_at(part, query))
    name = str(part.get("table_name") or "").strip('"').casefold()
    if name:
        if name not in tables | named:
            raise Refused(f"There is no table {name[:200]!r}.", *_at(part, query))
        read.add(name)


def _at(part: dict[str, Any], query: str) -> tuple[int | None, int | None]:
    location = part.get("query_location")
    return _place(query, location if isinstance(location, int) else None)


def _place(query: str, position: int | None) -> tuple[int | None, int | None]:
    """Line and column of a byte of the query."""
    content = query.encode()
    if position is None or position > len(content):
        return None, None
    before = content[:position].decode("utf-8", "replace")
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
