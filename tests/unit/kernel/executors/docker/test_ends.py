import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fastflow.kernel.executors.docker.ends import end_without_record, note_stop
from fastflow.kernel.executors.docker.engine import Engine, EngineAway, EngineError, NotThere
from fastflow.kernel.executors.port import RunKey

KEY = RunKey(run_id="r", token=1)


class FakeEngine(Engine):
    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.killed: list[str] = []

    async def inspect(self, _container: str) -> Mapping[str, Any]:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"State": answer, "HostConfig": {"Memory": 100 << 20}}

    async def kill(self, container: str) -> None:
        self.killed.append(container)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "container").write_text(json.dumps({"slot": "s", "image": "i", "id": "c1"}))
    (tmp_path / "ctl").mkdir()
    (tmp_path / "ctl" / "started").write_text("1")
    return tmp_path


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        ({"Running": False, "OOMKilled": True, "ExitCode": 137}, "oom", "needed more memory than its limit of 100 MB"),
        ({"Running": False, "OOMKilled": False, "ExitCode": 137}, "lost", "exit code 137"),
        ({"Running": False, "ExitCode": 1, "Error": "shim died"}, "lost", "shim died"),
        (NotThere("no such container"), "lost", "removed from outside"),
        (EngineAway("away"), "lost", "its engine is away"),
        (EngineError("cannot say"), "lost", "cannot say"),
    ],
)
async def test_end_when_there_is_no_record_then_the_engine_tells(
    folder: Path, answer: Any, reason: str, words: str
) -> None:
    ended = await end_without_record(FakeEngine(answer), KEY, folder)
    assert ended.reason == reason and words in (ended.reason_text or "")
    assert ended.exit_code is None


async def test_end_when_it_still_runs_then_killed_first(folder: Path) -> None:
    engine = FakeEngine({"Running": True}, {"Running": False, "ExitCode": 137})
    assert (await end_without_record(engine, KEY, folder)).reason == "lost"
    assert engine.killed == ["c1"]


async def test_end_when_it_was_killed_at_our_word_then_that_is_the_reason(folder: Path) -> None:
    note_stop(folder, "timeout", "ran too long")
    ended = await end_without_record(FakeEngine({"Running": False, "ExitCode": 137}), KEY, folder)
    assert (ended.reason, ended.reason_text) == ("timeout", "ran too long")


async def test_end_when_the_script_had_not_started_then_setup(folder: Path) -> None:
    (folder / "ctl" / "started").unlink()
    ended = await end_without_record(FakeEngine({"Running": False, "ExitCode": 1}), KEY, folder)
    assert ended.reason == "setup" and "had not been started" in (ended.reason_text or "")


async def test_end_when_no_container_was_ever_made_then_said_so(tmp_path: Path) -> None:
    ended = await end_without_record(FakeEngine(), KEY, tmp_path)
    assert ended.reason == "setup" and "never made" in (ended.reason_text or "")
