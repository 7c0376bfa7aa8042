"""The process of the SQL engine, as the server sees it: started with an empty environment, asked by lines of JSON, killed when it
takes too long. DuckDB itself is imported there and never here.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastflow.apps.churn.domain.dictionary import Dictionary, SeenColumn
from fastflow.apps.churn.domain.files import ChurnRule
from fastflow.apps.churn.domain.summary import ColumnSummary, MonthSummary, PanelSummary
from fastflow.apps.churn.errors import EngineFailed, IngestRefused
from fastflow.apps.churn.ports import MadePanel, MakePanel, Pick, Rows
from fastflow.apps.churn.ports_late import LateCell, LateCount, LateRow
from fastflow.kit.errors import CapacityExceeded
from fastflow.kit.words import counted

MODULE = "fastflow.apps.churn.infra.engine"
FILE_SECONDS = 3600.0
"""A file of some tens of millions of rows takes minutes."""
_TURN_SECONDS = 120.0
_MOST_SAID = 10
"""Faults in the sentence of a refusal; its `extra` has a hundred."""


class EngineProcess:
    """One process; answers one request after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-m", MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"LANG": "C.UTF-8"},
            cwd="/",
            start_new_session=True,
        )
        self.timed_out = False

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Its answer.

        Raises:
            EngineFailed: it died, or took longer than `seconds` and was killed.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        timer = threading.Timer(seconds, self._time_out)
        timer.start()
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except (BrokenPipeError, ConnectionResetError):
            answer = b""
        finally:
            timer.cancel()
            timer.join()
        if not answer.endswith(b"\n"):
            raise self._dead(seconds)
        told: dict[str, Any] = json.loads(answer)
        return told

    def kill(self) -> None:
        """Let whoever waits for its answer know that there will be none."""
        self._process.kill()

    def _time_out(self) -> None:
        self.timed_out = True
        self._process.kill()

    def _dead(self, seconds: float) -> EngineFailed:
        code = self._process.wait()
        if self.timed_out:
            return EngineFailed(
                f"The SQL engine took longer than {seconds:g} seconds and was stopped.", code="churn_engine_timeout"
            )
        return EngineFailed(f"The process of the SQL engine died (exit code {code}).")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


class DuckPanels:
    """See `PanelEngine` and `RiskEngine`; one file after the other, each in a process of its own.

    Args:
        folder: of the workbench, for what is written meanwhile.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turn = threading.Lock()

    def look(self, source: Path, folder: Path) -> Sequence[SeenColumn]:
        """See `PanelEngine.look`."""
        done = self._ask({"operation": "look", "source": str(source), "folder": str(folder)})
        return [SeenColumn(**column) for column in done]

    @contextmanager
    def ready(self) -> Iterator[MakePanel]:
        """See `PanelEngine.ready`."""
        process = EngineProcess()

        def make_panel(source: Path, folder: Path, meant: Dictionary | ChurnRule) -> MadePanel:
            asked: dict[str, Any] = {"source": str(source), "folder": str(folder)}
            if isinstance(meant, ChurnRule):
                asked |= {"operation": "transactions", "rule": meant.record()}
            else:
                asked |= {"operation": "panel", "dictionary": meant.record()}
            with self._in_turn():
                return MadePanel(path=folder / "panel.parquet", **_done(process.ask(asked, FILE_SECONDS)))

        try:
            yield make_panel
        finally:
            process.close()

    def join_panels(self, panels: Mapping[int, Path], columns: Sequence[str], target: Path) -> int:
        """See `PanelEngine.join_panels`."""
        asked = {"operation": "join", "panels": _numbered(panels), "columns": list(columns), "target": str(target)}
        with self._in_turn():
            return int(self._ask(asked)["replaced"])

    def find_late(
        self, known: Mapping[int, Path], later: Mapping[int, Path], columns: Sequence[str], limit: int
    ) -> tuple[Sequence[LateCount], Sequence[LateRow]]:
        """See `LateEngine.find_late`."""
        panels = {"known": _numbered(known), "later": _numbered(later)}
        with TemporaryDirectory(prefix="late-", dir=self._folder) as folder, self._in_turn():
            found = self._ask(
                {"operation": "late", **panels, "columns": list(columns), "folder": folder, "limit": limit}
            )
        counts = [LateCount(*each) for each in found["counts"]]
        cells = [[LateCell(**cell) for cell in row.pop("cells")] for row in found["rows"]]
        return counts, [LateRow(**row, cells=own) for row, own in zip(found["rows"], cells, strict=True)]

    def read_rows(self, panel: Path, *, limit: int, offset: int) -> Rows:
        """See `PanelEngine.read_rows`."""
        return self._rows([panel], limit, offset)[0]

    def read_tables(self, paths: Sequence[Path], limit: int) -> Sequence[Rows]:
        """The first rows of each of these Parquet files, by one process.

        Raises:
            EngineFailed: one cannot be read.
        """
        return self._rows(paths, limit, 0)

    def _rows(self, paths: Sequence[Path], limit: int, offset: int) -> Sequence[Rows]:
        with TemporaryDirectory(prefix="rows-", dir=self._folder) as folder:
            named = [str(path) for path in paths]
            asked = {"operation": "rows", "paths": named, "folder": folder, "limit": limit, "offset": offset}
            return [Rows(**found) for found in self._ask(asked)]

    def summarise(self, panel: Path) -> PanelSummary:
        """See `PanelEngine.summarise`."""
        with TemporaryDirectory(prefix="rows-", dir=self._folder) as folder:
            told = self._ask({"operation": "summary", "panel": str(panel), "folder": folder})
        columns = [ColumnSummary(**column) for column in told["columns"]]
        return PanelSummary(columns=columns, months=[MonthSummary(**month) for month in told["months"]])

    def name_risks(self, sources: Sequence[Path], target: Path, risks: Sequence[tuple[float, str]]) -> int:
        """See `RiskEngine.name_risks`."""
        named = {"sources": [str(path) for path in sources], "target": str(target), "risks": list(risks)}
        with self._in_turn():
            return int(self._ask({"operation": "risks", **named})["rows"])

    def pick_rows(self, picks: Sequence[Pick]) -> Sequence[Sequence[Mapping[str, Any]]]:
        """See `PickEngine.pick_rows`."""
        told = [
            {"path": str(one.path), "by": one.by, "most": one.most, "customers": list(one.customers)} for one in picks
        ]
        with TemporaryDirectory(prefix="rows-", dir=self._folder) as folder:
            found: list[list[dict[str, Any]]] = self._ask({"operation": "picks", "picks": told, "folder": folder})
            return found

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=_TURN_SECONDS):
            raise CapacityExceeded("Another file is being taken in for minutes.", retry_after_seconds=60)
        try:
            yield
        finally:
            self._turn.release()

    def _ask(self, request: Mapping[str, Any]) -> Any:
        process = EngineProcess()
        try:
            told = process.ask(request, FILE_SECONDS)
        finally:
            process.close()
        return _done(told)


def _numbered(panels: Mapping[int, Path]) -> list[tuple[str, int]]:
    return [(str(path), number) for number, path in sorted(panels.items())]


def _done(told: Mapping[str, Any]) -> Any:
    """What an answer says.

    Raises:
        IngestRefused, EngineFailed: it was none.
    """
    if "done" in told:
        return told["done"]
    if "faults" in told:
        raise refused(told["faults"], told["fault_count"])
    raise EngineFailed(
        "The file needs more memory than the SQL engine is given."
        if told["failed"] == "memory"
        else f"The SQL engine failed: {told['message']}"
    )


def refused(faults: Sequence[Mapping[str, Any]], count: int) -> IngestRefused:
    """The faults of a file as an error."""
    told = [_sentence(fault) for fault in faults[:_MOST_SAID]]
    next_line = next((fault["line"] for fault in faults[_MOST_SAID:] if fault["line"] is not None), None)
    begin = "" if next_line is None else f" from line {next_line} on"
    more = f" … and {counted(count - len(told), 'more fault')}{begin}" if count > len(told) else ""
    return IngestRefused(
        f"The file has {counted(count, 'fault')}, nothing of it was taken in. {'; '.join(told)}{more}.",
        extra={"faults": list(faults), "fault_count": count},
    )


def _sentence(fault: Mapping[str, Any]) -> str:
    place = "" if fault["line"] is None else f"line {fault['line']}"
    column = "" if fault["column"] is None else f"column {str(fault['column'])[:60]}"
    where = ", ".join(part for part in (place, column) if part)
    return f"{where}: {fault['problem']}" if where else str(fault["problem"])
