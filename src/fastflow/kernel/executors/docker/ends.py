"""How a run ended whose supervisor left no record: what the engine knows of its container, in words."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastflow.kernel.executors.docker.engine import Engine, EngineAway, EngineError, NotThere
from fastflow.kernel.executors.docker.slots import read_note
from fastflow.kernel.executors.port import Exit, Reason, RunKey

_STOP_NOTE = "stop"


def note_stop(folder: Path, reason: Reason, reason_text: str) -> None:
    """Write down why the engine is about to kill the container, for whoever looks at its end."""
    (folder / _STOP_NOTE).write_text(json.dumps([reason, reason_text]), encoding="utf-8")


def read_stop(folder: Path) -> tuple[Reason, str] | None:
    """Why it was killed; None when it was not by us."""
    try:
        reason, text = json.loads((folder / _STOP_NOTE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return reason, text


async def end_without_record(engine: Engine, key: RunKey, folder: Path) -> Exit:
    """The end of an attempt whose supervisor is gone and wrote nothing; whatever of it still runs is killed first."""
    reason, text = await _ask(engine, folder)
    stop = read_stop(folder)
    if stop is not None:
        reason, text = stop
    elif not (folder / "ctl" / "started").exists():
        reason, text = "setup", f"{text}; the script had not been started"
    now = datetime.now(UTC)
    return Exit(key=key, reason=reason, reason_text=text, exit_code=None, started_at=None, finished_at=now)


async def _ask(engine: Engine, folder: Path) -> tuple[Reason, str]:
    note = read_note(folder)
    if note is None or note.id is None:
        return "lost", "the run's container was never made"
    try:
        told = await _final(engine, note.id)
    except NotThere:
        return "lost", "the run's container was removed from outside, so nobody saw how the script ended"
    except EngineAway:
        return "lost", "the run's container ended without telling how, and its engine is away"
    except EngineError as error:
        return "lost", f"the run's container ended without telling how; the engine says: {error}"
    state = told["State"]
    if state.get("OOMKilled"):
        return "oom", f"needed more memory than its limit of {size_words(told['HostConfig'].get('Memory') or 0)}"
    words = f": {state['Error']}" if state.get("Error") else ""
    code = state.get("ExitCode")
    return "lost", f"the run's container was killed (exit code {code}), so nobody saw how the script ended{words}"


async def _final(engine: Engine, container: str) -> Mapping[str, Any]:
    """What the engine tells of it once it does not run any more."""
    told = await engine.inspect(container)
    if told["State"].get("Running"):
        await engine.kill(container)
        told = await engine.inspect(container)
    return told


def size_words(size: int) -> str:
    """A size for people.

    >>> size_words(100 << 20)
    '100 MB'
    """
    for unit, factor in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if size >= factor:
            return f"{size / factor:.4g} {unit}"
    return f"{size} bytes"
