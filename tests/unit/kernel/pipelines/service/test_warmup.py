import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from tests.unit.kernel.environments.doubles import MemoryCatalogue, MemoryFolder, ScriptedBuilder

from fastflow.kernel.environments.domain.environment import EnvironmentRequest, Lock
from fastflow.kernel.environments.ports import GENTLY, OnLine
from fastflow.kernel.environments.service import EnvironmentService
from fastflow.kernel.pipelines.domain.errors import PipelinesDirUnavailable
from fastflow.kernel.pipelines.domain.faults import Fault
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.pipelines.service import PipelineCatalog, WarmUp
from fastflow.testing.clock import FakeClock


class Pipelines:
    """A catalogue of what the test says there is."""

    def __init__(self) -> None:
        self.there: dict[str, Pipeline] = {}
        self.warm: list[str] = []
        self.problem: Exception | None = None

    def put(self, name: str, requirements: str, **values: Any) -> None:
        self.there[name] = Pipeline(
            name=name,
            kind="folder",
            script="main.py",
            dependencies="requirements",
            environment_files={"requirements.txt": requirements},
            **values,
        )

    def list_all(self) -> Sequence[Pipeline]:
        return self.list()

    def list(self) -> Sequence[Pipeline]:
        if self.problem is not None:
            raise self.problem
        return list(self.there.values())

    def environment(self, pipeline: Pipeline) -> EnvironmentRequest:
        return pipeline.environment(Path("/nowhere"))

    def remember(self, pipelines: Sequence[Pipeline]) -> None:
        assert pipelines or not self.there

    def mark_warm(self, name: str) -> None:
        self.warm.append(name)


class WatchingBuilder(ScriptedBuilder):
    """Notes how many builds go on at once, and whether they were asked to be gentle."""

    def __init__(self, folder: MemoryFolder) -> None:
        super().__init__(folder)
        self.asked: list[tuple[str, bool]] = []
        self.now = self.most = 0

    async def resolve(self, request: EnvironmentRequest, on_line: OnLine | None) -> Lock:
        self.asked.append((request.content["requirements.txt"], GENTLY.get()))
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        return await super().resolve(request, on_line)


@dataclass
class Bench:
    pipelines: Pipelines = field(default_factory=Pipelines)
    folder: MemoryFolder = field(default_factory=MemoryFolder)
    seconds: float = 1000.0

    def __post_init__(self) -> None:
        self.builder = WatchingBuilder(self.folder)
        self.catalogue = MemoryCatalogue()
        self.environments = EnvironmentService(self.catalogue, self.builder, self.folder, FakeClock())
        self.warm_up = WarmUp(cast("PipelineCatalog", self.pipelines), self.environments, clock=lambda: self.seconds)

    async def look(self) -> list[str]:
        """Names of what was warmed by one look."""
        return [one.pipeline for one in await self.warm_up.look()]


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_look_when_repeated_then_only_what_is_new_or_changed_is_built(bench: Bench) -> None:
    bench.pipelines.put("a", "six")
    bench.pipelines.put("b", "pandas")
    bench.pipelines.put(
        "broken", "six", faults=[Fault(pipeline="broken", file="main.py", message="no", hint="do", severity="error")]
    )
    assert await bench.look() == ["a", "b"]
    assert bench.pipelines.warm == ["a", "b"]
    assert await bench.look() == []
    bench.pipelines.there["a"] = replace(bench.pipelines.there["a"], description="other words", modules=("json",))
    assert await bench.look() == []
    bench.pipelines.put("b", "polars")
    assert await bench.look() == ["b"]
    bench.pipelines.put("c", "polars")  # which is ready
    assert await bench.look() == []
    assert bench.builder.built == 3


async def test_look_when_many_are_due_then_one_at_a_time_and_gently_but_runs_are_not_held_to_it(bench: Bench) -> None:
    for number in range(5):
        bench.pipelines.put(f"p{number}", f"package{number}")
    await bench.look()
    assert bench.builder.most == 1
    assert bench.builder.asked == [(f"package{number}", True) for number in range(5)]
    await bench.environments.ensure(Pipelines.environment(bench.pipelines, _asking("of-a-run")))
    assert bench.builder.asked[-1] == ("of-a-run", False)


async def test_look_when_the_disk_is_nearly_full_then_nothing_is_built_until_there_is_room(bench: Bench) -> None:
    held: list[str] = ["DATA_DIR has 3 MB free"]
    bench.warm_up = WarmUp(
        cast("PipelineCatalog", bench.pipelines),
        bench.environments,
        clock=lambda: bench.seconds,
        why_not=lambda: held[0] if held else None,
    )
    bench.pipelines.put("a", "six")
    (refused,) = await bench.warm_up.look()
    assert refused.problem == "Nothing is built ahead: DATA_DIR has 3 MB free." and bench.builder.built == 0
    held.clear()
    bench.seconds += 61
    assert await bench.look() == ["a"] and bench.builder.built == 1
    held.append("DATA_DIR has 3 MB free")
    (ready,) = await bench.warm_up.warm(["a"])  # what is there takes no room
    assert ready.problem is None


async def test_look_when_an_environment_was_collected_as_unused_then_it_is_left_alone(bench: Bench) -> None:
    bench.pipelines.put("a", "six")
    await bench.look()
    for environment in bench.folder.hashes():
        bench.folder.remove(environment)
    assert await bench.look() == []


async def test_look_when_one_fails_then_it_is_told_and_tried_again_later_and_less_often(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.pipelines.put("bad", "impossible")
    bench.pipelines.put("good", "six")
    with caplog.at_level(logging.INFO):
        assert await bench.look() == ["bad", "good"]
    (told,) = [record for record in caplog.records if record.message == "preheat.not_ready"]
    assert vars(told)["fields"] == {"pipeline": "bad", "reason": "error: No solution found"}
    over = vars(caplog.records[-1])["fields"]
    assert (over["ready"], over["failed"]) == (1, 1)
    states = bench.warm_up.states(bench.pipelines.list())
    assert (states["bad"].state, states["bad"].why) == ("failed", "error: No solution found")
    assert states["good"].state == "ready"

    for pause in (60, 240, 960, 3600, 3600):
        bench.seconds += pause - 1
        assert await bench.look() == []
        bench.seconds += 1
        assert await bench.look() == ["bad"]
    bench.pipelines.put("bad", "possible")
    assert await bench.look() == ["bad"]
    assert bench.warm_up.states(bench.pipelines.list())["bad"].state == "ready"


async def test_look_when_pipelines_cannot_be_listed_then_told_once_and_later_made_good(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.pipelines.put("a", "six")
    bench.pipelines.problem = PipelinesDirUnavailable("There is no folder /pipelines.")
    for _ in range(3):
        assert await bench.look() == []
    assert [record.message for record in caplog.records] == ["preheat.waits"]
    bench.pipelines.problem = RuntimeError("a fault of ours")
    assert await bench.look() == []
    assert caplog.records[-1].exc_info is not None
    bench.pipelines.problem = None
    assert await bench.look() == ["a"]


def _asking(requirements: str) -> Pipeline:
    pipelines = Pipelines()
    pipelines.put("run", requirements)
    return pipelines.there["run"]


async def test_look_when_a_pipelines_runs_start_from_an_image_then_nothing_is_built_here_nor_told(bench: Bench) -> None:
    bench.pipelines.put("here", "six")
    bench.pipelines.put("there", "pandas")
    bench.warm_up = WarmUp(
        cast("PipelineCatalog", bench.pipelines), bench.environments, is_elsewhere=lambda one: one.name == "there"
    )
    assert await bench.look() == ["here"]
    assert set(bench.warm_up.states(list(bench.pipelines.there.values()))) == {"here"}
