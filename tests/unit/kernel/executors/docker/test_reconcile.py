from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from fastflow.kernel.executors.docker.engine import Engine, EngineAway
from fastflow.kernel.executors.docker.images import Images
from fastflow.kernel.executors.docker.reconcile import reconcile
from fastflow.kernel.executors.docker.slots import Slots
from fastflow.kernel.executors.port import RunKey
from fastflow.kernel.executors.process.zygotes import RunUser


class FakeEngine(Engine):
    def __init__(self, containers: Mapping[str, str | None]) -> None:
        self._containers = containers
        self.removed: list[str] = []
        self.asked: list[Sequence[str]] = []

    async def containers(self, labels: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        self.asked.append(labels)
        return [
            {"Id": number, "Labels": None if slot is None else {"fastflow-slot": slot}}
            for number, slot in self._containers.items()
        ]

    async def remove(self, container: str) -> None:
        self.removed.append(container)

    async def image_ids(self) -> set[str]:
        return {"sha256:" + "a" * 64}


@pytest.fixture
def slots(tmp_path: Path) -> Slots:
    made = Slots(tmp_path / "containers", RunUser(uid=None, gid=None))
    made.open()
    return made


def images_of(engine: Engine, slots: Slots) -> Images:
    return Images(engine, None, slots.root / "images", RunUser(uid=None, gid=None))  # type: ignore[arg-type]


async def test_containers_when_a_slot_is_behind_them_then_kept_and_the_others_removed(slots: Slots) -> None:
    held, given, dead = slots.make("held"), slots.make("given"), slots.make("dead")
    given.note(image="i", container="2")
    given.give_to(RunKey(run_id="run", token=1))
    dead._held.close()
    engine = FakeEngine({"1": "held", "2": "given", "3": "dead", "4": "unknown", "5": None})
    assert await reconcile(engine, slots, images_of(engine, slots), "me") == 3
    assert engine.removed == ["3", "4", "5"]
    assert engine.asked == [["fastflow-data=me"]]
    assert not dead.folder.exists()
    held.remove()


async def test_engine_when_away_then_nothing_is_decided(slots: Slots) -> None:
    class Away(FakeEngine):
        async def containers(self, _labels: Sequence[str]) -> Sequence[Mapping[str, Any]]:
            raise EngineAway("away")

    leftover = slots.make()
    leftover._held.close()
    engine = Away({})
    with pytest.raises(EngineAway):
        await reconcile(engine, slots, images_of(engine, slots), "me")
    assert leftover.folder.exists()


async def test_facts_of_images_when_the_engine_has_them_no_more_then_forgotten(slots: Slots) -> None:
    for name in (f"{'a' * 12}-{'0' * 12}", f"{'b' * 12}-{'0' * 12}", "new-x1"):
        (slots.root / "images" / name).mkdir(parents=True)
    engine = FakeEngine({})
    await reconcile(engine, slots, images_of(engine, slots), "me")
    assert {path.name for path in (slots.root / "images").iterdir()} == {f"{'a' * 12}-{'0' * 12}", "new-x1"}
