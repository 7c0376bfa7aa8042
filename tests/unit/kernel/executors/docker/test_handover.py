import json
from pathlib import Path
from typing import Any

import pytest

from fastflow.kernel.executors.docker.container import Shape
from fastflow.kernel.executors.docker.handover import build_order, fill_slot
from fastflow.kernel.executors.docker.slots import Slots
from fastflow.kernel.executors.port import BaseImage, Limits, RunKey, RunSpec
from fastflow.kernel.executors.process.zygotes import RunUser

IMAGE = BaseImage(
    reference="worker:1",
    id="sha256:" + "ab" * 32,
    python=Path("/usr/bin/python3.11"),
    version="cpython-3.11.2",
    platform="linux-x86_64-glibc",
    env={"PATH": "/opt/bin:/usr/bin", "LD_LIBRARY_PATH": "/opt/lib", "LANG": "C"},
)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    (folder / "package").mkdir(parents=True)
    (folder / "main.py").write_text("print(1)")
    (folder / "package" / "data.txt").write_text("data")
    return folder


def spec(code: Path, tmp_path: Path, **changes: Any) -> RunSpec:
    given: dict[str, Any] = {
        "key": RunKey(run_id="run", token=1),
        "pipeline_name": "demo",
        "code_dir": code,
        "script": "main.py",
        "python": Path("/usr/bin/python3.11"),
        "environment": "e" * 64,
        "env": {"PARAM_CITY": "Köln"},
        "params": {"CITY": "Köln"},
        "log_path": tmp_path / "run.log",
        "artifacts_dir": tmp_path / "artifacts" / "run",
    }
    return RunSpec(**{**given, **changes})


def shape(environment: Path | None = None) -> Shape:
    return Shape(image=IMAGE.id, environment=environment, limits=Limits(), network="bridge")


def test_slot_when_filled_then_code_parameters_and_links_lie_ready_and_it_is_the_runs(
    code: Path, tmp_path: Path
) -> None:
    slots = Slots(tmp_path / "containers", RunUser(uid=None, gid=None))
    slots.open()
    fill_slot(slots.make(), spec(code, tmp_path))
    folder = slots.folder(RunKey(run_id="run", token=1))
    assert json.loads((folder / "given" / "params.json").read_text()) == {"CITY": "Köln"}
    assert (folder / "given" / "code" / "package" / "data.txt").read_text() == "data"
    assert {path.name: str(path.readlink()) for path in (folder / "work").iterdir()} == {
        "main.py": "/fastflow/given/code/main.py",
        "package": "/fastflow/given/code/package",
    }
    assert (tmp_path / "artifacts" / "run").is_dir() and not (folder / "artifacts").exists()


def test_slot_when_an_earlier_attempt_left_artifacts_then_they_stay(code: Path, tmp_path: Path) -> None:
    earlier = tmp_path / "artifacts" / "run"
    earlier.mkdir(parents=True)
    (earlier / "half.csv").write_text("1")
    slots = Slots(tmp_path / "containers", RunUser(uid=None, gid=None))
    slots.open()
    fill_slot(slots.make(), spec(code, tmp_path))
    assert (earlier / "half.csv").read_text() == "1"


def test_order_when_the_run_has_an_environment_then_its_interpreter_and_path_come_first(
    code: Path, tmp_path: Path
) -> None:
    environment = tmp_path / "envs" / ("e" * 64)
    environment.mkdir(parents=True)
    (environment / "pyvenv.cfg").touch()
    order = build_order(
        spec(code, tmp_path, python=environment / "bin" / "python"), shape(environment), IMAGE, is_from_pool=True
    )
    assert order["python"] == "/fastflow/env/bin/python"
    assert order["env"]["PATH"] == "/fastflow/env/bin:/opt/bin:/usr/bin"
    assert order["env"]["VIRTUAL_ENV"] == "/fastflow/env"
    assert order["isolation"]["start"] == "pool"


def test_order_when_the_run_has_none_then_the_images_own_python_and_variables(code: Path, tmp_path: Path) -> None:
    order = build_order(spec(code, tmp_path), shape(), IMAGE)
    assert order["python"] == "/usr/bin/python3.11"
    assert order["env"]["PATH"] == "/opt/bin:/usr/bin" and order["env"]["LD_LIBRARY_PATH"] == "/opt/lib"
    assert order["env"]["LANG"] == "C.UTF-8" and "VIRTUAL_ENV" not in order["env"]
    assert order["env"]["PARAM_CITY"] == "Köln" and order["isolation"]["start"] == "cold"
    json.dumps(order)


def test_order_when_files_are_limited_then_by_the_supervisor(code: Path, tmp_path: Path) -> None:
    limits = Limits(file_size_bytes=5, memory_bytes=7, pids=3)
    assert build_order(spec(code, tmp_path, limits=limits), shape(), IMAGE)["rlimits"] == {
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": 5,
    }
