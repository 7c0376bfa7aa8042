"""Pipelines that a workbench of the product ships, beside those of the user."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.pipelines.conftest import Write

from fastflow.kernel.db.engine import Database
from fastflow.kernel.pipelines.domain.errors import PipelineNotFound
from fastflow.kernel.pipelines.ports import Shipped
from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kernel.pipelines.wiring import build_pipelines, find_shipped
from fastflow.testing.clock import FakeClock
from fastflow.workbenches import SHIPPED


@pytest.fixture
def database_kind() -> str:
    """Files are what is looked at here: one database is enough."""
    return "sqlite"


@pytest.fixture
def bench(tmp_path: Path) -> Shipped:
    """A workbench with one pipeline that uses the package beside it."""
    folder = tmp_path / "product" / "weather"
    for path, text in {
        "__init__.py": "",
        "manifest.py": "raise RuntimeError('the server alone imports this')\n",
        "domain/__init__.py": "",
        "domain/month.py": "NAME = 'May'\n",
        "method/__init__.py": "",
        "method/say.py": "from ..domain.month import NAME\n",
        "pipelines/rain/main.py": "from weather.method.say import NAME\nprint(NAME)\n",
        "pipelines/rain/pipeline.toml": 'description = "Rain"\n',
        "pipelines/notes.txt": "no pipeline",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return Shipped(workbench="weather", folder=folder)


@pytest.fixture
def catalog(
    database: Database, pipelines_dir: Path, data_dir: Path, clock: FakeClock, bench: Shipped
) -> PipelineCatalog:
    return build_pipelines(database, pipelines_dir=pipelines_dir, data_dir=data_dir, shipped=[bench], clock=clock)


def _files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_list_all_when_a_workbench_ships_one_then_it_stands_after_the_users_and_is_none_of_theirs(
    catalog: PipelineCatalog, write: Write
) -> None:
    write("zoo.py")
    assert [(one.name, one.workbench) for one in catalog.list_all()] == [("zoo", None), ("rain", "weather")]
    assert [one.name for one in catalog.list()] == ["zoo"]
    assert [one.name for one in catalog.places()] == ["zoo"]
    assert catalog.get("rain").description == "Rain"
    with pytest.raises(PipelineNotFound, match=r"Did you mean 'rain'"):
        catalog.get("rian")


def test_freeze_when_it_is_shipped_then_the_copy_runs_by_itself_and_has_no_commit(
    catalog: PipelineCatalog, git: object
) -> None:
    frozen = catalog.freeze("rain")
    assert sorted(_files(frozen.code_dir)) == [
        "main.py",
        "pipeline.toml",
        "weather/__init__.py",
        "weather/domain/__init__.py",
        "weather/domain/month.py",
        "weather/method/__init__.py",
        "weather/method/say.py",
    ]
    assert (frozen.commit, frozen.dirty, frozen.pipeline.workbench) == (None, False, "weather")
    done = subprocess.run([sys.executable, "-I", "-c", _RUN, str(frozen.code_dir)], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("May\n", 0), done.stderr


_RUN = "import runpy, sys; sys.path.insert(0, sys.argv[1]); runpy.run_path(sys.argv[1] + '/main.py')"


def test_freeze_when_the_method_changed_then_it_is_another_copy_and_the_old_one_stays(
    catalog: PipelineCatalog, bench: Shipped
) -> None:
    before = catalog.freeze("rain")
    was = _files(before.code_dir)
    (bench.folder / "domain" / "month.py").write_text("NAME = 'June'\n")
    after = catalog.freeze("rain")
    assert after.tree_hash != before.tree_hash
    assert _files(before.code_dir) == was
    assert (bench.folder / "manifest.py").exists()


def test_list_when_a_user_has_one_of_that_name_then_theirs_runs_on_and_the_clash_is_told(
    catalog: PipelineCatalog, write: Write, bench: Shipped, pipelines_dir: Path
) -> None:
    write("rain.py", "print('mine')\n")
    (mine,) = catalog.list_all()
    assert (mine.workbench, mine.covers, mine.is_healthy) == (None, "weather", True)
    (fault,) = mine.faults
    assert fault.severity == "warning"
    assert fault.message.startswith("The weather workbench ships a pipeline 'rain' as well: this one takes its place")
    assert catalog.freeze("rain").pipeline.script == "rain.py"
    assert find_shipped([bench], pipelines_dir) == (["rain"], ["rain"])
    (pipelines_dir / "rain.py").unlink()
    assert catalog.get("rain").workbench == "weather"


def test_list_all_when_it_is_the_product_then_what_it_ships_is_whole_and_locked(
    database: Database, pipelines_dir: Path, data_dir: Path, clock: FakeClock
) -> None:
    product = build_pipelines(
        database, pipelines_dir=pipelines_dir, data_dir=data_dir, known_executors=("process",), shipped=SHIPPED
    )
    shipped = product.list_all()
    assert [one.name for one in shipped] == ["cf", "churn", "cox"]
    for one in shipped:
        assert (list(one.faults), one.dependencies, one.workbench) == ([], "project", "churn")
        assert "uv.lock" in one.environment_files
    names = {one.workbench: one.folder for one in SHIPPED}
    from fastflow.apps.churn.manifest import WORKBENCH

    assert names[WORKBENCH.name] == WORKBENCH.folder
