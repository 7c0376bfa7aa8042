"""Environments for an image: built inside it, by its own Python, once, and used by runs in containers of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fastflow.kernel.environments.domain.environment import Environment, EnvironmentRequest
from fastflow.kernel.environments.domain.errors import SetupFailed
from fastflow.kernel.environments.service import EnvironmentService
from fastflow.kernel.executors.docker.images import no_line
from fastflow.kernel.executors.port import BaseImage
from fastflow.kernel.executors.process.builder import find_build_user, hand_over
from fastflow.kernel.executors.registry import DockerSettings
from fastflow.testing.docker_engine import WORKER_IMAGE
from fastflow.testing.docker_lab import DockerLab, docker_lab

Request = Callable[..., EnvironmentRequest]

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


@pytest.fixture
async def lab(data_dir: Path, docker_host: str) -> AsyncIterator[DockerLab]:
    async with docker_lab(data_dir, docker_host) as made:
        yield made


@pytest.fixture
async def image(lab: DockerLab) -> BaseImage:
    return await lab.docker.base_image(no_line)


@pytest.fixture
def cache(data_dir: Path) -> Path:
    """A cache of the test's own, as the product has it."""
    return data_dir / "uv_cache"


@pytest.fixture
def environments(service: Callable[..., Any], docker_host: str, data_dir: Path, cache: Path) -> EnvironmentService:
    """As the product assembles it: whoever builds is nobody else."""
    builder = find_build_user(run_user=None, reach=[data_dir])
    for folder in (cache, data_dir / "python"):
        hand_over(folder, builder)
    engine = DockerSettings(host=docker_host, image=WORKER_IMAGE)
    made: EnvironmentService = service(engine=engine, owner_uid=builder.uid, uv_cache_dir=cache)
    return made


async def printed(lab: DockerLab, environment: Environment, script: str) -> str:
    outcome = await lab.run(script, python=environment.python, environment=environment.hash)
    assert outcome.exit.reason is None, outcome.log
    return outcome.text("stdout").decode().strip()


async def test_requirements_when_for_an_image_then_built_inside_once_and_usable_there(
    lab: DockerLab, environments: EnvironmentService, image: BaseImage, request_for: Request, data_dir: Path
) -> None:
    request = request_for("requirements", {"requirements.txt": "alpha==1.0\n"}, image=image)
    lines: list[str] = []
    first = await environments.ensure(request, lines.append)
    again = await environments.ensure(request)
    assert (first.built, again.built, first.hash) == (True, False, again.hash)
    assert first.interpreter == f"{image.version}+image.{image.short_id}"
    assert any("alpha==1.0" in line for line in lines)
    told = await printed(
        lab, first, "import alpha, sys\nprint(alpha.VERSION, sys.prefix, '%d.%d' % sys.version_info[:2])"
    )
    assert told == "1.0 /fastflow/env " + ".".join(image.version.removeprefix("cpython-").split(".")[:2])
    folder = data_dir / "envs" / first.hash
    assert (folder / "fastflow-image").read_text() == image.id
    assert not (folder / "pyvenv.cfg").stat().st_mode & 0o222
    assert environments.get(first.hash).hash == first.hash


async def test_requirements_when_for_the_machine_and_an_image_then_two_environments(
    environments: EnvironmentService, image: BaseImage, request_for: Request
) -> None:
    here = request_for("requirements", {"requirements.txt": "beta\n"})
    environment_here = await environments.ensure(here)
    environment_there = await environments.ensure(replace(here, image=image))
    assert environment_here.hash != environment_there.hash
    assert environments.resolved_hash(here) == environment_here.hash


async def test_no_dependencies_when_for_an_image_then_its_own_python_with_what_it_has_and_no_container(
    lab: DockerLab, environments: EnvironmentService, image: BaseImage, request_for: Request
) -> None:
    environment = await environments.ensure(request_for("none", {}, image=image))
    assert environment.build_seconds < 1
    told = await printed(lab, environment, "import os, sys\nprint(sys.prefix, os.path.realpath(sys.executable))")
    assert told == f"/usr {image.python}"


async def test_environment_when_its_run_tries_to_change_it_then_refused(
    lab: DockerLab, environments: EnvironmentService, image: BaseImage, request_for: Request
) -> None:
    environment = await environments.ensure(
        request_for("requirements", {"requirements.txt": "alpha==2.0\n"}, image=image)
    )
    script = "import alpha\ntry:\n    open(alpha.__file__, 'a')\nexcept OSError as error:\n    print(error.strerror)"
    assert await printed(lab, environment, script) in ("Read-only file system", "Permission denied")


async def test_build_when_it_fails_inside_then_in_uvs_own_words_and_nothing_left(
    lab: DockerLab, environments: EnvironmentService, image: BaseImage, request_for: Request, data_dir: Path
) -> None:
    request = request_for("requirements", {"requirements.txt": "alpha==3.0\n"}, image=image)
    with pytest.raises(SetupFailed, match=r"there is no version of alpha==3\.0"):
        await environments.ensure(request)
    assert await lab.containers() == []
    assert list((data_dir / "envs").iterdir()) == []
    assert list((data_dir / "containers").glob("slot.*")) == []


async def test_build_when_cancelled_then_its_container_ends(
    lab: DockerLab, environments: EnvironmentService, image: BaseImage, request_for: Request, data_dir: Path
) -> None:
    request = request_for("requirements", {"requirements.txt": "alpha==1.0\n"}, image=image)
    building = asyncio.create_task(environments.ensure(request))
    async with asyncio.timeout(30):
        while not await lab.containers():  # noqa: ASYNC110  the engine tells nobody
            await asyncio.sleep(0.01)
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    assert await lab.containers() == []
    assert list((data_dir / "containers").glob("slot.*")) == []


async def test_image_when_it_has_no_uv_then_ours_is_lent_to_it(
    lab: DockerLab, environments: EnvironmentService, image: BaseImage, request_for: Request
) -> None:
    request = request_for("requirements", {"requirements.txt": "alpha==1.0\n"}, image=replace(image, uv=None))
    environment = await environments.ensure(request)
    assert await printed(lab, environment, "import alpha\nprint(alpha.VERSION)") == "1.0"


async def test_image_when_gone_from_the_engine_then_its_runs_fail_in_words(
    lab: DockerLab, environments: EnvironmentService, image: BaseImage, request_for: Request, data_dir: Path
) -> None:
    environment = await environments.ensure(request_for("none", {}, image=image))
    marker = data_dir / "envs" / environment.hash / "fastflow-image"
    marker.chmod(0o644)
    marker.write_text("sha256:" + "0" * 64)
    with pytest.raises(Exception, match="is not on this machine any more"):
        await lab.launch(lab.spec("print(1)", python=environment.python, environment=environment.hash))
