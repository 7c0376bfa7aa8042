"""The process of the engine: requests in, answers out; gone as soon as its parent is."""

import json
import os
import resource
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import duckdb

from fastflow.apps.churn.infra.engine.catalog import Catalog, open_catalog
from fastflow.apps.churn.infra.engine.connection import open_locked
from fastflow.apps.churn.infra.engine.faults import Faulty
from fastflow.apps.churn.infra.engine.guard import Refused
from fastflow.apps.churn.infra.engine.late import find_late
from fastflow.apps.churn.infra.engine.look import join_panels, look_at, read_rows
from fastflow.apps.churn.infra.engine.panel_file import make_panel
from fastflow.apps.churn.infra.engine.picks import pick_rows
from fastflow.apps.churn.infra.engine.query import check_view, describe, run_query, write_query
from fastflow.apps.churn.infra.engine.risk import name_risks
from fastflow.apps.churn.infra.engine.summary import summarise
from fastflow.apps.churn.infra.engine.transactions import make_panel_of_transactions

Request = Mapping[str, Any]
MOST_MEMORY = 6 * 2**30
"""Addresses of this process: what DuckDB allocates beside its own limit (long texts, the files' columns) ends here."""


def _panel(asked: Request) -> Any:
    source, folder = Path(asked["source"]), Path(asked["folder"])
    with open_locked(folder, [source]) as connection:
        return make_panel(connection, source, folder, asked["dictionary"])


def _transactions(asked: Request) -> Any:
    source, folder = Path(asked["source"]), Path(asked["folder"])
    with open_locked(folder, [source]) as connection:
        return make_panel_of_transactions(connection, source, folder, asked["rule"])


def _look(asked: Request) -> Any:
    source = Path(asked["source"])
    with open_locked(Path(asked["folder"]), [source]) as connection:
        return look_at(connection, source)


def _join(asked: Request) -> Any:
    target = Path(asked["target"])
    with open_locked(target.parent, [Path(path) for path, _number in asked["panels"]]) as connection:
        return join_panels(connection, asked["panels"], asked["columns"], target)


def _late(asked: Request) -> Any:
    known, later = asked["known"], asked["later"]
    with open_locked(Path(asked["folder"]), [Path(path) for path, _number in (*known, *later)]) as connection:
        return find_late(connection, known, later, asked["columns"], asked["limit"])


def _rows(asked: Request) -> Any:
    paths = asked["paths"]
    with open_locked(Path(asked["folder"]), [Path(path) for path in paths]) as connection:
        return [read_rows(connection, path, asked["limit"], asked["offset"]) for path in paths]


def _summary(asked: Request) -> Any:
    with open_locked(Path(asked["folder"]), [Path(asked["panel"])]) as connection:
        return summarise(connection, asked["panel"])


def _risks(asked: Request) -> Any:
    target, sources = Path(asked["target"]), [Path(path) for path in asked["sources"]]
    with open_locked(target.parent, sources) as connection:
        return name_risks(connection, asked["sources"], target, asked["risks"])


def _picks(asked: Request) -> Any:
    picks = asked["picks"]
    with open_locked(Path(asked["folder"]), [Path(pick["path"]) for pick in picks]) as connection:
        return pick_rows(connection, picks)


_loaded: Catalog | None = None


def _load(asked: Request) -> Any:
    global _loaded
    if _loaded is not None:
        _loaded.connection.close()
        _loaded = None
    _loaded = open_catalog(Path(asked["folder"]), asked["tables"], asked["views"])
    return None


def _catalog() -> Catalog:
    if _loaded is None:
        raise Refused("No database is loaded.")
    return _loaded


OPERATIONS: Mapping[str, Callable[[Request], Any]] = {
    "panel": _panel,
    "transactions": _transactions,
    "look": _look,
    "join": _join,
    "late": _late,
    "rows": _rows,
    "summary": _summary,
    "load": _load,
    "query": lambda asked: run_query(_catalog(), asked["query"], asked["limit"], asked["seconds"]),
    "write": lambda asked: write_query(_catalog(), asked["query"], asked["target"], asked["kind"], asked["seconds"]),
    "check_view": lambda asked: check_view(_catalog(), asked["name"], asked["sql"]),
    "describe": lambda _asked: describe(_catalog()),
    "risks": _risks,
    "picks": _picks,
}


def answer(line: str) -> str:
    """What a request gets."""
    asked = json.loads(line)
    try:
        told: dict[str, Any] = {"done": OPERATIONS[asked["operation"]](asked)}
    except Faulty as found:
        told = {"faults": found.faults.told, "fault_count": found.faults.count}
    except Refused as found:
        told = {"refused": found.message, "line": found.line, "column": found.column}
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        told = {"failed": "memory", "message": str(error)[:2000]}
    except (duckdb.Error, OSError) as error:
        told = {"failed": "engine", "message": str(error)[:2000]}
    return json.dumps(told, default=str, allow_nan=False)


def _requests(lines: "SimpleQueue[str]") -> None:
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)  # the parent is gone, or wants this process to be: whatever is being computed is of no use


def main() -> None:
    """Answer until the standard input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    lines: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_requests, args=(lines,), name="requests", daemon=True).start()
    while True:
        sys.stdout.write(answer(lines.get()) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
