import asyncio
import importlib.metadata
import json
import os
import select
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.environments.conftest import Request, Service, make_wheel
from tests.integration.environments.projects import gate_build, write_local_project

from fastflow.kernel.environments.domain.environment import Environment
from fastflow.kernel.environments.domain.errors import SetupFailed
from fastflow.kernel.environments.infra.folders import tree_bytes
from fastflow.kernel.environments.infra.sealing import CARD_NAME
from fastflow.kernel.environments.infra.uv_builder import LinkMode


@pytest.fixture
def database_kind() -> str:
    """Files are what is looked at here: one database is enough."""
    return "sqlite"


def run(environment: Environment, code: str) -> str:
    command = [str(environment.python), "-I", "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


async def test_build_when_there_are_no_dependencies_then_an_empty_environment_shared_by_all(
    service: Service, request_for: Request
) -> None:
    one = await service().ensure(request_for("none", {}))
    two = await service().ensure(request_for("none", {}, python=">=3.9"))
    assert (one.built, two.built) == (True, False)
    assert one.hash == two.hash
    assert run(one, "import sys; print(sys.prefix)") == str(one.python.parent.parent)
    assert one.uv_version == importlib.metadata.version("uv")


@pytest.mark.parametrize("is_guarded", [True, False])
async def test_build_when_runs_could_change_files_then_none_is_shared_with_the_cache(
    service: Service, request_for: Request, is_guarded: bool
) -> None:
    asked: list[str] = []

    async def link_mode() -> LinkMode:
        asked.append("once")
        return "hardlink" if is_guarded else "copy"

    made = service(link_mode=link_mode)
    first = await made.ensure(request_for("requirements", {"requirements.txt": "alpha\n"}))
    await made.ensure(request_for("requirements", {"requirements.txt": "beta\n"}))
    (module,) = first.python.parent.parent.rglob("alpha.py")
    assert module.stat().st_nlink == (2 if is_guarded else 1)
    assert asked == ["once"]


async def test_build_when_requirements_are_given_then_installed_with_bytecode_and_read_only(
    service: Service, request_for: Request, data_dir: Path, offline: dict[str, str]
) -> None:
    environ = offline | {"PYTHONDONTWRITEBYTECODE": "1"}
    made = service(environ=environ)
    lines: list[str] = []
    previous = os.umask(0o077)
    try:
        environment = await made.ensure(request_for("requirements", {"requirements.txt": "alpha\n"}), lines.append)
    finally:
        os.umask(previous)
    assert run(environment, "import alpha; print(alpha.VERSION)") == "2.0"
    folder = environment.python.parent.parent
    assert folder == data_dir / "envs" / environment.hash
    assert [path.name for path in folder.rglob("alpha*.pyc")]
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode)
            assert not mode & 0o222, path
            assert mode & 0o444 == 0o444, path
    assert any("alpha==2.0" in line for line in lines)
    (card,) = made.list()
    assert (card.hash, card.packages) == (environment.hash, 1)
    assert "--hash=sha256:" in card.lock
    assert json.loads((folder / CARD_NAME).read_text())["hash"] == environment.hash
    assert 0 < card.size_bytes <= tree_bytes(folder)
    assert list((data_dir / "build").iterdir()) == []


async def test_build_when_the_index_lines_hold_credentials_then_they_are_not_kept(
    service: Service, request_for: Request, wheels: Path, data_dir: Path
) -> None:
    make_wheel(wheels.parent / "private-s3cr3t", "gamma", "1.0", {"gamma.py": ""})
    text = f"--find-links {wheels.parent / 'private-s3cr3t'}\ngamma\n"
    made = service()
    environment = await made.ensure(request_for("requirements", {"requirements.txt": text}))
    assert run(environment, "import gamma; print('there')") == "there"
    assert "s3cr3t" not in made.card(environment.hash).lock
    assert "s3cr3t" not in (data_dir / "envs" / environment.hash / CARD_NAME).read_text()


async def test_build_when_files_are_included_then_they_count(service: Service, request_for: Request) -> None:
    content = {"requirements.txt": "-r more/extra.txt\n-c pins.txt\nalpha\n", "more/extra.txt": "beta\n"}
    environment = await service().ensure(request_for("requirements", content | {"pins.txt": "alpha<2\n"}))
    assert run(environment, "import alpha, beta; print(alpha.VERSION, beta.VERSION)") == "1.0 1.0"


@pytest.mark.parametrize("line", ["./lib", "-e ./lib", "lib @ file:./lib", "./dist/delta-1.0-py3-none-any.whl"])
async def test_build_when_a_requirement_is_a_path_then_built_from_a_copy_of_the_code(
    service: Service, request_for: Request, tmp_path: Path, line: str
) -> None:
    code = tmp_path / "code"
    write_local_project(code / "lib")
    make_wheel(code / "dist", "delta", "1.0", {"delta.py": ""})
    before = sorted(str(path) for path in code.rglob("*"))
    request = request_for("requirements", {"requirements.txt": f"{line}\nbeta\n"}, needs_code=True)
    environment = await service().ensure(request)
    module = "delta" if "delta" in line else "lib"
    origin = run(environment, f"import {module}; print({module}.__file__)")
    assert origin.startswith(str(environment.python.parent.parent))
    assert sorted(str(path) for path in code.rglob("*")) == before


async def test_build_when_a_script_names_sources_then_its_own_package_is_taken(
    service: Service, request_for: Request, tmp_path: Path
) -> None:
    write_local_project(tmp_path / "code" / "lib")
    header = (
        '# /// script\n# requires-python = ">=3.10"\n# dependencies = ["lib", "alpha<2"]\n'
        '# [tool.uv.sources]\n# lib = { path = "lib" }\n# ///\n'
    )
    environment = await service().ensure(request_for("script", {"main.py": header}, needs_code=True))
    assert run(environment, "import lib, alpha; print(lib.ORIGIN, alpha.VERSION)") == "local 1.0"


async def test_build_when_a_script_has_a_header_then_installed(service: Service, request_for: Request) -> None:
    header = '# /// script\n# dependencies = ["alpha==1.0"]\n# ///\n'
    environment = await service().ensure(request_for("script", {"main.py": header}))
    assert run(environment, "import alpha; print(alpha.VERSION)") == "1.0"


async def test_build_when_a_project_has_no_lock_then_resolved(service: Service, request_for: Request) -> None:
    project = '[project]\nname = "demo"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["alpha"]\n'
    environment = await service().ensure(request_for("project", {"pyproject.toml": project}))
    assert run(environment, "import alpha; print(alpha.VERSION)") == "2.0"


async def test_build_when_configuration_lies_around_the_data_folder_then_it_is_not_read(
    service: Service, request_for: Request, data_dir: Path
) -> None:
    (data_dir / "uv.toml").write_text("this is not TOML")
    (data_dir / "pyproject.toml").write_text('[tool.uv]\nindex-url = "http://127.0.0.1:9/simple"\n')
    environment = await service().ensure(request_for("requirements", {"requirements.txt": "alpha\n"}))
    assert environment.built


@pytest.mark.parametrize(
    ("kind", "content", "python", "said", "hint"),
    [
        ("requirements", {"requirements.txt": "alpha==9\n"}, None, "alpha==9", "requirement"),
        ("requirements", {"requirements.txt": "nowhere-to-be-found\n"}, None, "nowhere-to-be-found", "name"),
        ("requirements", {"requirements.txt": "alpha==\n"}, None, "requirements.txt", ""),
        ("project", {"pyproject.toml": "[project\n"}, None, "pyproject.toml", ""),
        ("none", {}, "3.99", "3.99", "Install Python 3.99"),
        ("none", {}, "nonsense", "nonsense", "Install Python nonsense"),
    ],
)
async def test_setup_when_it_fails_then_the_message_is_uvs_own_and_nothing_stays(
    service: Service,
    request_for: Request,
    data_dir: Path,
    kind: str,
    content: dict[str, str],
    python: str | None,
    said: str,
    hint: str,
) -> None:
    made = service()
    with pytest.raises(SetupFailed) as caught:
        await made.ensure(request_for(kind, content, python=python))
    assert said in caught.value.message
    assert hint in caught.value.hint
    assert made.list() == []
    assert list((data_dir / "build").iterdir()) == []
    assert list((data_dir / "envs").iterdir()) == []


async def test_setup_when_the_folder_cannot_be_written_then_told(
    service: Service, request_for: Request, data_dir: Path
) -> None:
    made = service()
    (data_dir / "build").rmdir()
    (data_dir / "build").write_text("")
    with pytest.raises(SetupFailed, match="Not a directory"):
        await made.ensure(request_for("none", {}))


async def test_build_when_everything_is_cached_then_no_network_is_needed(
    service: Service, request_for: Request, data_dir: Path, uv_cache_dir: Path
) -> None:
    """A real lock from PyPI: built once with the network, then on a second machine without it."""
    code = request_for("none", {}).code_dir
    project = '[project]\nname = "demo"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["six"]\n'
    (code / "pyproject.toml").write_text(project)
    (code / "uv.toml").touch()
    online = {key: value for key, value in os.environ.items() if not key.startswith(("UV_", "VIRTUAL"))}
    environ = online | {"UV_CACHE_DIR": str(uv_cache_dir)}
    await _uv("lock", cwd=code, env=environ)
    content = {"pyproject.toml": project, "uv.lock": (code / "uv.lock").read_text()}
    one = await service(environ=online).ensure(request_for("project", content))
    elsewhere = data_dir / "second"
    elsewhere.mkdir()
    without_network = {"PATH": os.environ["PATH"], "UV_OFFLINE": "1"}
    again = service(environ=without_network, data_dir=elsewhere)
    two = await again.ensure(request_for("project", content))
    assert (one.hash, two.built) == (two.hash, True)
    assert "six" in run(two, "import six; print(six.__name__)")

    stale = content | {"pyproject.toml": project.replace('"six"', '"six", "packaging"')}
    with pytest.raises(SetupFailed, match="needs to be updated") as caught:
        await service(environ=online).ensure(request_for("project", stale))
    assert "uv lock" in caught.value.hint

    header = '# /// script\n# requires-python = ">=3.11"\n# dependencies = ["six"]\n# ///\n'
    (code / "main.py").write_text(header)
    await _uv("lock", "--script", "main.py", cwd=code, env=environ)
    locked = {"main.py": header, "main.py.lock": (code / "main.py.lock").read_text()}
    assert (await again.ensure(request_for("script", locked))).hash == two.hash


async def test_ensure_when_cancelled_then_uv_and_its_children_are_gone(
    service: Service, request_for: Request, tmp_path: Path, data_dir: Path
) -> None:
    lib = tmp_path / "code" / "lib"
    write_local_project(lib)
    gate = gate_build(lib)
    request = request_for("requirements", {"requirements.txt": "./lib\n"}, needs_code=True)
    task = asyncio.ensure_future(service().ensure(request))
    backend = os.pidfd_open(int(await asyncio.to_thread(gate.told.read_text)))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert select.select([backend], [], [], 10)[0], "the build backend is still running"
    os.close(backend)
    assert list((data_dir / "build").iterdir()) == []
    gate.close()
    assert (await service().ensure(request)).built


async def _uv(*arguments: str, cwd: Path, env: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "uv", "--quiet", *arguments, cwd=cwd, env=env)
    assert await process.wait() == 0
