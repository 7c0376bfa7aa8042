"""What is no fault is not called one; what keeps runs from running is."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fastflow.cli.checks import _check_folder, _check_pipelines, _check_running, check_machine
from fastflow.findings import Level
from fastflow.settings import Settings

Hold = Callable[[str], None]


@pytest.fixture
def hold(settings: Settings) -> Iterator[Hold]:
    """Holds a lock of the data folder until the test's end."""
    with ExitStack() as stack:

        def take(name: str) -> None:
            path = settings.data_dir / "run" / name
            path.parent.mkdir(exist_ok=True)
            file = stack.enter_context(path.open("w"))
            file.write("process 7, http://x\n")
            file.flush()
            fcntl.flock(file, fcntl.LOCK_EX)

        yield take


@pytest.mark.parametrize(
    ("held", "level", "said"),
    [
        ([], "note", "`fastflow serve` starts one"),
        (["runner.lock"], "note", "a runner alone"),
        (["serve.lock", "runner.lock"], "ok", "runs (process 7, http://x)"),
        (["serve.lock"], "fault", "its runner is away"),
    ],
)
def test_server_when_looked_for_then_only_a_missing_runner_is_a_fault(
    settings: Settings, hold: Hold, held: list[str], level: Level, said: str
) -> None:
    for name in held:
        hold(name)
    found = _check_running(settings)
    assert found.level == level
    assert said in found.text


def test_pipelines_when_one_cannot_run_then_a_fault_and_without_a_folder_a_warning(
    settings: Settings, pipelines_dir: Path
) -> None:
    (pipelines_dir / "good.py").write_text("print()\n")
    assert _check_pipelines(settings).level == "ok"
    (pipelines_dir / "bad.py").write_text("print('a'\n")
    found = _check_pipelines(settings)
    assert (found.level, found.text) == ("fault", f"{pipelines_dir}, 1 fault in bad")
    elsewhere = settings.model_copy(update={"pipelines_dir": pipelines_dir / "none"})
    assert _check_pipelines(elsewhere).level == "warning"


def test_folder_when_it_cannot_be_used_then_a_fault(tmp_path: Path, settings: Settings) -> None:
    assert _check_folder("data folder", "DATA_DIR", tmp_path / "new", settings).text.startswith(
        f"{tmp_path / 'new'} (made at the"
    )
    (tmp_path / "file").write_text("")
    found = _check_folder("data folder", "DATA_DIR", tmp_path / "file", settings)
    assert (found.level, "DATA_DIR" in found.remedy) == ("fault", True)


def test_machine_when_a_setting_is_wrong_then_its_value_and_what_may_stand_there_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EXECUTOR", "foo")
    found = check_machine()[-1]
    assert (found.name, found.level) == ("settings", "fault")
    assert found.text == "A setting has a wrong value: EXECUTOR: 'foo' is none of process, docker, ray."
