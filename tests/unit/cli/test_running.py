"""Exit codes, targets, and Ctrl-C."""

import asyncio
import fcntl
from pathlib import Path
from typing import Any

import httpx
import pytest

from fastflow.cli.client import Api
from fastflow.cli.run import find_target
from fastflow.cli.running import Interrupts, describe_failure, exit_code_of, is_runner_at_work
from fastflow.kit.errors import NotFound


@pytest.mark.parametrize(
    ("reason", "exit_code", "code"),
    [
        (None, 0, 0),
        ("exit", 3, 3),
        ("exit", 1, 1),
        ("exit", -9, 137),
        ("exit", -11, 139),
        ("exit", None, 1),
        ("timeout", -15, 124),
        ("cancelled", None, 130),
        ("oom", -9, 137),
        ("setup", None, 125),
        ("lost", None, 125),
    ],
)
def test_exit_code_of_when_a_run_has_ended_then_it_tells_how(
    reason: str | None, exit_code: int | None, code: int
) -> None:
    run = {"status": "FAILED" if reason else "SUCCESS", "reason": reason, "exit_code": exit_code}
    assert exit_code_of(run) == code


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pipelines" / "known").mkdir(parents=True)
    (tmp_path / "pipelines" / "known" / "main.py").touch()
    (tmp_path / "pipelines" / "single.py").touch()
    (tmp_path / "known").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "main.py").touch()
    (tmp_path / "script.py").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("target", "name", "folder"),
    [
        ("known", "known", None),  # PIPELINES_DIR goes before a folder of that name here
        ("single", "single", None),
        ("unknown", "unknown", None),
        ("script.py", "script", "."),
        ("./script.py", "script", "."),
        ("elsewhere", "elsewhere", "."),
        ("elsewhere/", "elsewhere", "."),
        ("elsewhere/main.py", "elsewhere", "."),
        ("pipelines/single.py", "single", "pipelines"),
    ],
)
def test_find_target_when_given_a_name_or_a_path_then_its_catalogue_is_found(
    folders: Path, target: str, name: str, folder: str | None
) -> None:
    wanted = {} if folder is None else {"pipelines_dir": (folders / folder).resolve()}
    assert find_target(target) == (name, wanted)


@pytest.mark.parametrize("target", ["missing.py", "missing/main.py", "./missing"])
def test_find_target_when_a_path_leads_nowhere_then_it_says_so(folders: Path, target: str) -> None:
    with pytest.raises(NotFound, match="There is no file"):
        find_target(target)


def test_is_runner_at_work_when_the_lock_is_held_then_yes(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert not is_runner_at_work(tmp_path)
    with (tmp_path / "run" / "runner.lock").open("w") as lock:
        assert not is_runner_at_work(tmp_path)
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert is_runner_at_work(tmp_path)


class Script:
    """A run in this process that notes what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def look(self) -> None:
        self.asked.append("look")

    async def kill(self, text: str) -> None:
        self.asked.append("kill")

    async def execute(self) -> bool:
        return True


async def _settle(interrupts: Interrupts) -> None:
    while interrupts._tasks:
        await asyncio.gather(*interrupts._tasks)


@pytest.mark.parametrize("is_here", [True, False])
def test_interrupts_when_ctrl_c_comes_twice_then_the_run_is_cancelled_and_then_not_waited_for(is_here: bool) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url.path}")
        return httpx.Response(202, json={})

    script = Script() if is_here else None
    notes: list[str] = []

    async def interrupt_twice(api: Api) -> Any:
        interrupts = Interrupts(api, "r1", script, notes.append)
        interrupts.interrupt()
        await _settle(interrupts)
        given_up_after_one = interrupts.given_up.is_set()
        interrupts.interrupt()
        await _settle(interrupts)
        return given_up_after_one, interrupts.given_up.is_set()

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://test")
    with Api(client, asyncio.Runner()) as api:
        assert api.run(interrupt_twice(api)) == (False, not is_here)
    assert asked == ["POST /runs/r1/cancel"]
    assert script is None or script.asked == ["look", "kill"]
    assert len(notes) == 2


def test_interrupts_when_the_run_has_just_ended_then_its_refusal_is_not_told() -> None:
    notes: list[str] = []

    async def interrupt(api: Api) -> None:
        interrupts = Interrupts(api, "r1", None, notes.append)
        interrupts.interrupt()
        await _settle(interrupts)

    refusal = httpx.Response(409, json={"code": "run_ended", "detail": "It has ended."})
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: refusal), base_url="http://test")
    with Api(client, asyncio.Runner()) as api:
        api.run(interrupt(api))
    assert not any("ended" in note for note in notes)


def test_describe_failure_when_setup_left_no_line_then_the_reason_stands_there_itself() -> None:
    run = {"reason": "setup", "reason_text": "the log cannot be written"}
    assert describe_failure(run) == "the run failed: setup (the lines above say why)"
    assert describe_failure(run, has_lines=False) == "the run failed: setup: the log cannot be written"
