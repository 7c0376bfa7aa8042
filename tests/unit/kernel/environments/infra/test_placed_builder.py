from pathlib import Path
from typing import Any

from fastflow.kernel.environments.domain.environment import EnvironmentRequest
from fastflow.kernel.environments.infra.placed_builder import PlacedBuilder
from fastflow.kernel.executors.port import BaseImage

HERE = EnvironmentRequest(kind="none", content={}, code_dir=Path("/code"))


def image(number: str) -> BaseImage:
    return BaseImage(
        reference="worker", id=f"sha256:{number * 64}", python=Path("/p"), version="cpython-3.11.2", platform="linux"
    )


class Recorder:
    """A builder that only says who it is."""

    platform = "here"
    default_interpreter = "cpython-3.13.0"

    def __init__(self, name: str) -> None:
        self.name = name

    async def resolve(self, _request: EnvironmentRequest, _on_line: Any) -> Any:
        return self.name

    async def relock(self, _card: Any, _request: EnvironmentRequest, _on_line: Any) -> Any:
        return self.name

    async def build(self, _lock: Any, _request: EnvironmentRequest, _on_line: Any) -> Any:
        return self.name, True

    def exclusive(self, name: str) -> Any:
        return f"{self.name} {name}"

    def is_held(self, _name: str) -> bool:
        return self.name == "here"


async def test_builder_when_the_request_names_an_image_then_the_one_for_it_made_once() -> None:
    made: list[str] = []

    def make(one: BaseImage) -> Any:
        made.append(one.short_id)
        return Recorder(one.short_id)

    builder: Any = PlacedBuilder(Recorder("here"), make)
    there = EnvironmentRequest(kind="none", content={}, code_dir=Path("/code"), image=image("a"))
    other = EnvironmentRequest(kind="none", content={}, code_dir=Path("/code"), image=image("b"))
    lock: Any = None
    assert await builder.resolve(HERE, None) == "here"
    assert await builder.resolve(there, None) == "a" * 12
    assert await builder.relock(lock, other, None) == "b" * 12
    assert await builder.build(lock, there, None) == ("a" * 12, True)
    assert made == ["a" * 12, "b" * 12]
    assert builder.is_held("x") and builder.exclusive("x") == "here x"


def test_request_when_for_an_image_then_its_input_is_the_same() -> None:
    there = EnvironmentRequest(kind="none", content={}, code_dir=Path("/code"), image=image("a"))
    assert there.input_hash == HERE.input_hash
