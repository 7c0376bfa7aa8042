from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from fastflow.kernel.executors.docker.engine import Engine, EngineAway, EngineError, NotThere
from fastflow.kernel.executors.docker.images import Images, _check_version
from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.kernel.executors.process.zygotes import RunUser


class FakeEngine(Engine):
    """Has no image; pulling goes as it was told."""

    def __init__(self, image: EngineError, pull: EngineError | None = None) -> None:
        self._image = image
        self._pull = pull
        self.pulled: list[str] = []

    async def image(self, _reference: str) -> Mapping[str, Any]:
        raise self._image

    async def pull(self, reference: str, on_line: Callable[[str], None]) -> None:
        self.pulled.append(reference)
        on_line("pulling fs layer")
        if self._pull:
            raise self._pull


def images(engine: Engine, tmp_path: Path) -> Images:
    return Images(engine, None, tmp_path / "images", RunUser(uid=1, gid=1))  # type: ignore[arg-type]


async def test_image_when_it_cannot_be_pulled_then_the_engines_words_and_both_ways_out(tmp_path: Path) -> None:
    told: list[str] = []
    engine = FakeEngine(NotThere("none"), EngineError("manifest unknown"))
    with pytest.raises(LaunchFailed) as caught:
        await images(engine, tmp_path).current("worker:1", told.append)
    message = caught.value.message
    assert "manifest unknown" in message and "docker pull worker:1" in message and "make worker-image" in message
    assert told == ["pulling the image worker:1", "pulling fs layer"]


async def test_image_when_the_engine_is_away_then_not_pulled(tmp_path: Path) -> None:
    engine = FakeEngine(EngineAway("The container engine is away."))
    with pytest.raises(LaunchFailed, match="The container engine is away"):
        await images(engine, tmp_path).current("worker:1", lambda _line: None)
    assert engine.pulled == []


async def test_image_by_id_when_gone_then_never_pulled(tmp_path: Path) -> None:
    engine = FakeEngine(NotThere("none"))
    with pytest.raises(LaunchFailed, match="not on this machine any more"):
        await images(engine, tmp_path).by_id("sha256:ab")
    assert engine.pulled == []


@pytest.mark.parametrize("version", ["cpython-3.8.18", "cpython-2.7.18"])
def test_python_when_too_old_then_refused_in_words(version: str) -> None:
    with pytest.raises(EngineError, match=r"3\.9 is the oldest"):
        _check_version(version, "worker:1")


def test_python_when_new_enough_then_taken() -> None:
    _check_version("cpython-3.13.0", "worker:1")
