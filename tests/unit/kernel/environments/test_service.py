import asyncio
from dataclasses import dataclass

import pytest
from tests.unit.kernel.environments.doubles import MemoryCatalogue, MemoryFolder, ScriptedBuilder, request_for

from fastflow.kernel.environments.domain.errors import BadEnvironmentHash, SetupFailed
from fastflow.kernel.environments.service import EnvironmentService
from fastflow.kit.errors import NotFound
from fastflow.kit.identity import SYSTEM
from fastflow.testing.clock import START, FakeClock


@dataclass
class House:
    catalogue: MemoryCatalogue
    folder: MemoryFolder
    builder: ScriptedBuilder
    clock: FakeClock

    def service(self) -> EnvironmentService:
        """As a process that was just started would see it."""
        return EnvironmentService(self.catalogue, self.builder, self.folder, self.clock)


@pytest.fixture
async def house(clock: FakeClock) -> House:
    folder = MemoryFolder()
    return House(MemoryCatalogue(), folder, ScriptedBuilder(folder), clock)


async def test_ensure_when_new_then_built_and_afterwards_known(house: House) -> None:
    service, request = house.service(), request_for("six")
    assert service.resolved_hash(request) is None
    lines: list[str] = []
    first = await service.ensure(request, lines.append)
    assert first.built
    assert lines == ["Installed 1 package"]
    assert service.resolved_hash(request) == first.hash
    second = await service.ensure(request, lines.append)
    assert (second.hash, second.built) == (first.hash, False)
    assert lines == ["Installed 1 package"]
    assert (house.builder.resolved, house.builder.built) == (1, 1)
    assert (second.interpreter, second.uv_version, second.build_seconds) == ("cpython-3.11.7", "1.0", 0.5)


async def test_resolved_hash_when_asked_again_then_from_memory(house: House) -> None:
    service, request = house.service(), request_for("six")
    await service.ensure(request)
    reads = house.catalogue.reads
    for _ in range(100):
        service.resolved_hash(request)
    assert house.catalogue.reads == reads


async def test_ensure_when_ten_ask_at_once_then_built_once_and_all_hear_it(house: House) -> None:
    service, request = house.service(), request_for("six")
    lines: list[str] = []
    found = await asyncio.gather(*(service.ensure(request, lines.append) for _ in range(10)))
    assert len({one.hash for one in found}) == 1
    assert [one.built for one in found].count(True) == 1
    assert house.builder.built == 1
    assert len(lines) == 10


async def test_ensure_when_one_of_two_is_cancelled_then_the_other_gets_it(house: House) -> None:
    service, request = house.service(), request_for("six")
    house.builder.go.clear()
    first, second = (asyncio.ensure_future(service.ensure(request)) for _ in range(2))
    await house.builder.working.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    house.builder.go.set()
    assert (await second).hash
    assert house.builder.cancelled == 0


async def test_ensure_when_all_are_cancelled_then_the_build_is_stopped_and_can_be_repeated(house: House) -> None:
    service, request = house.service(), request_for("six")
    house.builder.go.clear()
    only = asyncio.ensure_future(service.ensure(request))
    await house.builder.working.wait()
    only.cancel()
    with pytest.raises(asyncio.CancelledError):
        await only
    assert house.builder.cancelled == 1
    house.builder.go.set()
    assert (await service.ensure(request)).built


async def test_ensure_when_it_cannot_be_resolved_then_all_waiters_hear_why_and_nothing_is_remembered(
    house: House,
) -> None:
    service, request = house.service(), request_for("impossible")
    failed = await asyncio.gather(*(service.ensure(request) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(error, SetupFailed) and "No solution" in error.message for error in failed)
    assert service.resolved_hash(request) is None
    with pytest.raises(SetupFailed):
        await service.ensure(request)
    assert house.builder.resolved == 2


async def test_unpinned_requirements_when_newer_versions_appear_then_the_same_until_refreshed(house: House) -> None:
    request = request_for("six")
    first = await house.service().ensure(request)
    house.builder.version = 2
    service = house.service()
    assert (await service.ensure(request)).hash == first.hash
    service.refresh(request, SYSTEM)
    assert (await service.ensure(request)).hash != first.hash
    assert house.catalogue.audit == ["refresh by system"]


async def test_unpinned_requirements_when_the_folder_is_gone_then_rebuilt_from_the_lock(house: House) -> None:
    request = request_for("six")
    first = await house.service().ensure(request)
    house.builder.version = 2
    house.folder.built.clear()
    service = house.service()
    service.open()
    assert service.list() == []
    again = await service.ensure(request)
    assert (again.hash, again.built) == (first.hash, True)
    assert house.builder.resolved == 1


async def test_unpinned_requirements_when_the_interpreter_was_patched_then_the_same_lock_in_a_new_environment(
    house: House,
) -> None:
    request = request_for("six")
    first = await house.service().ensure(request)
    house.builder.version = 2
    house.folder.built.clear()
    # The key of an unnamed interpreter changes with it; that of a named one does not: this is the latter.
    resolution = dict(house.catalogue.resolutions)
    house.builder.default_interpreter = "cpython-3.11.8"
    service = house.service()
    house.catalogue.resolutions = {service._key(request): first.hash} | resolution
    again = await service.ensure(request)
    assert again.hash != first.hash
    assert house.folder.built[again.hash] is not None
    assert house.catalogue.cards[again.hash].lock == house.catalogue.cards[first.hash].lock
    assert service.resolved_hash(request) == again.hash


async def test_ensure_when_another_machine_resolved_meanwhile_then_its_result_is_taken(house: House) -> None:
    service, request = house.service(), request_for("six")
    house.builder.go.clear()
    waiting = asyncio.ensure_future(service.ensure(request))
    await house.builder.working.wait()
    other_folder = MemoryFolder()
    other_builder = ScriptedBuilder(other_folder)
    other_builder.version = 2
    other = await EnvironmentService(house.catalogue, other_builder, other_folder, house.clock).ensure(request)
    house.builder.go.set()
    assert (await waiting).hash == other.hash


async def test_open_when_folders_and_rows_differ_then_brought_together(house: House) -> None:
    service = house.service()
    kept, lost = await service.ensure(request_for("kept")), await service.ensure(request_for("lost"))
    del house.catalogue.cards[lost.hash]
    house.folder.built["e" * 64] = None  # without a readable card
    house.catalogue.cards["f" * 64] = house.catalogue.cards[kept.hash]
    service = house.service()
    service.open()
    assert house.folder.sweeps == 1
    assert {card.hash for card in service.list()} == {kept.hash, lost.hash}
    assert set(house.folder.built) == {kept.hash, lost.hash}


async def test_get_when_not_there_then_not_found_and_no_hash_refused(house: House) -> None:
    service = house.service()
    made = await service.ensure(request_for("six"))
    assert service.get(made.hash).python == made.python
    with pytest.raises(NotFound) as caught:
        service.get("0" * 64)
    assert caught.value.code == "environment_not_found"
    for odd in ("", "../../etc", "Z" * 64):
        with pytest.raises(BadEnvironmentHash):
            service.get(odd)


async def test_collect_when_some_are_unused_then_only_those_go_and_come_back_the_same(house: House) -> None:
    service = house.service()
    old, kept, fresh = [await service.ensure(request_for(name)) for name in ("old", "kept", "fresh")]
    house.clock.advance(40 * 86400)
    house.catalogue.touch(fresh.hash, house.clock.now())
    planned = service.collect_garbage(30, True, {kept.hash}, SYSTEM)
    assert (planned.hashes, planned.freed_bytes, planned.dry_run) == ([old.hash], 10, True)
    assert old.hash in house.folder.built
    assert house.catalogue.audit == []
    assert service.collect_garbage(30, False, {kept.hash}, SYSTEM).hashes == [old.hash]
    assert house.catalogue.audit == ["gc of 1 by system"]
    assert {card.hash for card in service.list()} == {kept.hash, fresh.hash}
    house.builder.version = 2
    assert (await service.ensure(request_for("old"))).hash == old.hash


async def test_collect_when_used_this_moment_then_kept_even_with_zero_days(house: House) -> None:
    service = house.service()
    await service.ensure(request_for("six"))
    assert service.collect_garbage(0, False, (), SYSTEM).hashes == []
    house.clock.advance(601)
    assert len(service.collect_garbage(0, False, (), SYSTEM).hashes) == 1


async def test_touch_when_called_often_then_written_once(house: House) -> None:
    service = house.service()
    made = await service.ensure(request_for("six"))
    used = house.catalogue.cards[made.hash].last_used_at
    house.clock.advance(30)
    service.touch(made.hash)
    assert house.catalogue.cards[made.hash].last_used_at == used
    house.service().touch(made.hash)
    assert house.catalogue.cards[made.hash].last_used_at > used


async def test_readiness_when_asked_at_each_step_then_it_says_how_far_the_environment_is(house: House) -> None:
    building, asking = house.service(), house.service()  # two processes: the runner, and the web process
    request = request_for("six")

    def state() -> tuple[str, str | None]:
        (found,) = asking.readiness([request])
        return found.state, found.environment

    assert state() == ("not built", None)
    house.builder.go.clear()
    preparing = asyncio.ensure_future(building.ensure(request))
    await house.builder.working.wait()
    assert state()[0] == "building"
    house.builder.go.set()
    environment = await preparing
    assert state() == ("ready", environment.hash)
    house.folder.remove(environment.hash)
    assert state() == ("not built", environment.hash)


async def test_readiness_when_the_last_try_failed_then_it_says_why_until_one_succeeds(house: House) -> None:
    service, bad, good = house.service(), request_for("impossible"), request_for("six")
    with pytest.raises(SetupFailed):
        await service.ensure(bad)
    await service.ensure(good)
    failed, ready = house.service().readiness([bad, good])
    assert (failed.state, failed.why) == ("failed", "error: No solution found")
    assert (ready.state, ready.why) == ("ready", None)
    house.folder.remove(ready.environment or "")
    key = next(iter(house.catalogue.resolutions))
    house.catalogue.save_failure(key, "error: the disk was full", START)
    assert service.readiness([good])[0].why == "error: the disk was full"
    await service.ensure(good)
    assert list(house.catalogue.failures.values()) == ["error: No solution found"]
    assert service.readiness([good])[0].state == "ready"


async def test_ensure_when_the_failure_cannot_be_noted_then_it_is_still_told(house: House) -> None:
    house.catalogue.is_away = True
    with pytest.raises(SetupFailed, match="No solution found"):
        await house.service().ensure(request_for("impossible"))
