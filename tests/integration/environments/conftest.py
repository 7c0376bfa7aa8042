"""Real uv on packages made here, so that most tests need no network; one cache for the whole session."""

import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from fastflow.kernel.db.engine import Database
from fastflow.kernel.environments.domain.environment import EnvironmentRequest
from fastflow.kernel.environments.service import EnvironmentService
from fastflow.kernel.environments.wiring import build_environments

Service = Callable[..., EnvironmentService]
Request = Callable[..., EnvironmentRequest]


def make_wheel(folder: Path, name: str, version: str, files: Mapping[str, str]) -> Path:
    """A pure-Python wheel."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    tags = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    whole = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": tags,
    }
    record = "".join(f"{file},,\n" for file in [*whole, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**whole, f"{info}/RECORD": record}.items():
            archive.writestr(zipfile.ZipInfo(file, (2026, 1, 1, 0, 0, 0)), text)
    return path


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder with `alpha` 1.0 and 2.0, and `beta` 1.0."""
    folder = tmp_path / "wheels"
    for name, version in (("alpha", "1.0"), ("alpha", "2.0"), ("beta", "1.0")):
        make_wheel(folder, name, version, {f"{name}.py": f'VERSION = "{version}"\n'})
    return folder


@pytest.fixture
def uv_cache_dir(shared_dir: Path) -> Path:
    return shared_dir / "uv_cache"


@pytest.fixture
def offline(wheels: Path) -> dict[str, str]:
    """What uv gets, so that it knows the packages made here and nothing else."""
    return {"PATH": os.environ["PATH"], "UV_FIND_LINKS": str(wheels), "UV_NO_INDEX": "1", "UV_OFFLINE": "1"}


@pytest.fixture
def service(database: Database, data_dir: Path, uv_cache_dir: Path, offline: dict[str, str]) -> Service:
    """Services as processes of this data folder would have them."""

    def _service(**changed: object) -> EnvironmentService:
        given: dict[str, object] = {"data_dir": data_dir, "uv_cache_dir": uv_cache_dir, "environ": offline}
        return build_environments(database, **(given | changed))  # type: ignore[arg-type]  # any argument may be changed

    return _service


@pytest.fixture
def request_for(tmp_path: Path) -> Request:
    """What a pipeline with these files asks for."""

    def _request(kind: str, content: Mapping[str, str], **changed: object) -> EnvironmentRequest:
        code = tmp_path / "code"
        code.mkdir(exist_ok=True)
        given: dict[str, object] = {"kind": kind, "content": content, "code_dir": code}
        return EnvironmentRequest(**(given | changed))  # type: ignore[arg-type]  # any field may be given

    return _request
