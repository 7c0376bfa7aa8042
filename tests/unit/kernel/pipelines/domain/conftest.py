"""A pipeline's files in memory."""

from collections.abc import Callable, Collection, Mapping

import pytest

from fastflow.kernel.pipelines.domain.faults import Fault, FaultList
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.pipelines.domain.reading import read_pipeline
from fastflow.kernel.pipelines.domain.source import Source, UnreadableFile


class MemoryFiles:
    """Files by path; None as content stands for a file that cannot be read."""

    def __init__(self, files: Mapping[str, str | bytes | None]) -> None:
        self._files = files

    @property
    def paths(self) -> Collection[str]:
        return self._files.keys()

    def read(self, path: str) -> bytes:
        content = self._files[path]
        if content is None:
            raise UnreadableFile("Permission denied")
        return content.encode() if isinstance(content, str) else content


@pytest.fixture
def faults() -> FaultList:
    return FaultList("demo", "demo/")


@pytest.fixture
def read() -> Callable[..., Pipeline]:
    """Reads a folder pipeline from `{path: content}`; main.py is there unless given."""

    def _read(files: Mapping[str, str | bytes | None], *, executors: Collection[str] | None = ("process",)) -> Pipeline:
        given = {"main.py": "print()\n", **files}
        source = Source(
            name="demo", kind="folder", script="main.py", files=MemoryFiles(given), faults=FaultList("demo", "demo/")
        )
        return read_pipeline(source, server_python="3.11.7", known_executors=executors)

    return _read


@pytest.fixture
def faults_of(read: Callable[..., Pipeline]) -> Callable[..., list[Fault]]:
    """The faults of a folder pipeline."""
    return lambda files: list(read(files).faults)
