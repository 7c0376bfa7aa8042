"""A claimed run gets the environment that was asked for when it was submitted, read back from the snapshot."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fastflow.kernel.db.engine import Database
from fastflow.kernel.environments.domain.environment import Environment, EnvironmentRequest
from fastflow.kernel.pipelines.domain.pipeline import FrozenPipeline
from fastflow.kernel.pipelines.wiring import build_pipelines
from fastflow.kernel.runs.infra.code import SnapshotMaker
from fastflow.kernel.runs.service.freezing import freeze_capsule
from fastflow.kernel.runs.service.policy import RunPolicy
from fastflow.kit.errors import NotFound
from fastflow.testing.run_doubles import MemoryEnvironments, make_run

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)

PROJECT = '[project]\nname = "p"\nversion = "1"\ndependencies = ["six"]\n'
PIPELINES = {
    "none": {"a/main.py": "print(1)\n"},
    "requirements": {"a/main.py": "print(1)\n", "a/requirements.txt": "# why\nsix  # pinned later\n"},
    "script": {"a.py": '# /// script\n# dependencies = ["six"]\n# ///\nprint("ä")\n'},
    "project": {"a/main.py": "print(1)\n", "a/pyproject.toml": PROJECT},
}


class RememberingEnvironments(MemoryEnvironments):
    """Keeps what was asked for."""

    request: EnvironmentRequest | None = None

    async def ensure(self, request: EnvironmentRequest, on_line: Callable[[str], None] | None = None) -> Environment:
        self.request = request
        return self.environment


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize("kind", PIPELINES)
async def test_request_when_read_back_is_the_one_that_was_frozen(
    database: Database, data_dir: Path, pipelines_dir: Path, kind: str
) -> None:
    write(pipelines_dir, PIPELINES[kind])
    catalog = build_pipelines(database, pipelines_dir=pipelines_dir, data_dir=data_dir)
    frozen = catalog.freeze("a")
    run = make_run("a", capsule=_capsule(frozen, data_dir))
    shutil.rmtree(pipelines_dir)  # the live pipeline goes away while the run waits
    environments = RememberingEnvironments()
    ready = await SnapshotMaker(catalog, environments).make_ready(run, lambda _line: None)
    assert environments.request is not None and environments.request.kind == kind
    assert environments.request.input_hash == frozen.environment.input_hash
    assert (ready.code_dir / frozen.pipeline.script).exists()


async def test_environment_when_exact_is_taken_by_its_hash_alone(
    database: Database, data_dir: Path, pipelines_dir: Path
) -> None:
    write(pipelines_dir, PIPELINES["none"])
    catalog = build_pipelines(database, pipelines_dir=pipelines_dir, data_dir=data_dir)
    capsule = _capsule(catalog.freeze("a"), data_dir)
    environments = RememberingEnvironments()
    maker = SnapshotMaker(catalog, environments)
    ready = await maker.make_ready(make_run("a", capsule={**capsule, "exact": True}), lambda _line: None)
    assert ready.environment == environments.environment and environments.request is None


async def test_environment_when_exact_and_not_here_is_built_again_if_it_becomes_the_same(
    database: Database, data_dir: Path, pipelines_dir: Path
) -> None:
    write(pipelines_dir, PIPELINES["none"])
    catalog = build_pipelines(database, pipelines_dir=pipelines_dir, data_dir=data_dir)
    run = make_run("a", capsule={**_capsule(catalog.freeze("a"), data_dir), "exact": True})
    environments = RememberingEnvironments()
    environments.is_gone = True
    maker = SnapshotMaker(catalog, environments)
    notes: list[str] = []
    same = replace(environments.environment, hash="e" * 64)
    environments.environment = same
    assert (await maker.make_ready(run, notes.append)).environment == same
    assert "built again from its lock" in notes[0]
    environments.environment = replace(same, hash="f" * 64)
    with pytest.raises(NotFound, match="leads to another one"):
        await maker.make_ready(run, notes.append)


def _capsule(frozen: FrozenPipeline, data_dir: Path) -> dict[str, object]:
    policy = RunPolicy(logs_dir=data_dir / "logs")
    return freeze_capsule(frozen, policy, executor="process", environment="e" * 64, secrets={}, digest="d").to_json()
