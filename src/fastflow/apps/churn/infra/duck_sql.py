"""SQL over the churn database: one warm process of the engine, which holds the present revision and is gone when nobody asks."""

import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from fastflow.apps.churn.errors import EngineFailed, SqlRefused
from fastflow.apps.churn.infra.duck import EngineProcess
from fastflow.apps.churn.ports_sql import SqlAnswer, SqlTables, Stop
from fastflow.kit.errors import CapacityExceeded

QUERY_SECONDS = 30.0
IDLE_SECONDS = 120.0
_GRACE_SECONDS = 3.0
"""After a query's time is up the engine interrupts itself; one that cannot (a single giant value) is killed."""
_LOAD_SECONDS = 60.0


class DuckSql:
    """See `SqlEngine`; one query at a time.

    Args:
        folder: of the workbench, for what is written meanwhile.
        seconds: a query may take.
        idle_seconds: after which the process is ended.
    """

    def __init__(self, folder: Path, *, seconds: float = QUERY_SECONDS, idle_seconds: float = IDLE_SECONDS) -> None:
        self._folder = folder
        self._seconds = seconds
        self._idle_seconds = idle_seconds
        self._turn = threading.Lock()
        self._process: EngineProcess | None = None
        self._scratch: Path | None = None
        self._holds: tuple[int, frozenset[str]] | None = None
        self._idle: threading.Timer | None = None

    def query(self, present: SqlTables, query: str, *, limit: int, stop: Stop | None = None) -> SqlAnswer:
        """See `SqlEngine.query`."""
        asked = {"operation": "query", "query": query, "limit": limit, "seconds": self._seconds}
        return SqlAnswer(**self._ask(present, asked, stop=stop))

    def write(self, present: SqlTables, query: str, target: Path, kind: str) -> None:
        """See `SqlEngine.write`."""
        asked = {"operation": "write", "query": query, "kind": kind, "seconds": self._seconds}
        self._ask(present, asked, target)

    def check_view(self, present: SqlTables, name: str, sql: str) -> None:
        """See `SqlEngine.check_view`."""
        self._ask(present, {"operation": "check_view", "name": name, "sql": sql})

    def describe(self, present: SqlTables) -> Mapping[str, Any]:
        """See `SqlEngine.describe`."""
        found: Mapping[str, Any] = self._ask(present, {"operation": "describe"})
        return found

    def close(self) -> None:
        """End the process; the next query starts another one."""
        with self._turn:
            self._end()

    def _ask(
        self, present: SqlTables, request: dict[str, Any], target: Path | None = None, stop: Stop | None = None
    ) -> Any:
        stop = stop or Stop()
        if not self._turn.acquire(timeout=self._seconds):
            raise CapacityExceeded("Other queries take all the time.", retry_after_seconds=10)
        try:
            process, scratch = self._loaded(present)
            written = scratch / "written"
            with stop.ending(process.kill):
                told = process.ask(request | {"target": str(written)}, self._seconds + _GRACE_SECONDS)
            done = _done(told)
            if target is not None:
                shutil.move(written, target)
            return done
        except EngineFailed as error:
            self._end()
            if stop.pressed:
                raise SqlRefused("The query was stopped.", hint="Ask for less, or run it again.") from error
            if error.code == "churn_engine_timeout":
                raise SqlRefused(f"The query took longer than {self._seconds:g} seconds and was stopped.") from error
            raise
        finally:
            if stop.pressed:  # the process may have been killed after it had answered
                self._end()
            self._rest()
            self._turn.release()

    def _loaded(self, present: SqlTables) -> tuple[EngineProcess, Path]:
        """The process, holding the present state."""
        if self._idle is not None:
            self._idle.cancel()
        if self._process is None or self._scratch is None or not self._process.alive:
            self._end()
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._scratch = Path(mkdtemp(prefix="sql-", dir=self._folder))
            self._process = EngineProcess()
        key = (present.revision, frozenset(present.tables))
        if self._holds != key:
            asked = {
                "operation": "load",
                "folder": str(self._scratch),
                "tables": present.tables,
                "views": present.views,
            }
            _done(self._process.ask(asked, _LOAD_SECONDS))
            self._holds = key
        return self._process, self._scratch

    def _rest(self) -> None:
        """End the process if nobody asks for a while."""
        if self._process is not None:
            self._idle = threading.Timer(self._idle_seconds, self.close)
            self._idle.daemon = True
            self._idle.start()

    def _end(self) -> None:
        if self._process is not None:
            self._process.close()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
        self._process, self._scratch, self._holds = None, None, None


def _done(told: Mapping[str, Any]) -> Any:
    if "done" in told:
        return told["done"]
    if "refused" in told:
        place = {"line": told["line"], "column": told["column"]}
        where = "" if told["line"] is None else f" (line {told['line']}, column {told['column']})"
        problem = f"{str(told['refused']).rstrip('.')}{where}."
        raise SqlRefused(problem, fields={"query": problem}, extra=place)
    if told["failed"] == "memory":
        raise SqlRefused("The query needs more memory than the SQL engine is given; ask for less.")
    raise EngineFailed(f"The SQL engine failed: {told['message']}")
