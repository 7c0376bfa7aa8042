"""A builder, a catalogue and a folder in memory."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from fastflow.kernel.environments.domain.environment import EnvironmentCard, EnvironmentRequest, Interpreter, Lock
from fastflow.kernel.environments.domain.errors import SetupFailed
from fastflow.kernel.environments.ports import LookedUp, OnLine
from fastflow.kit.errors import Unavailable
from fastflow.kit.identity import Actor
from fastflow.testing.clock import START

CODE = Path("/data/code/abc")


def request_for(requirements: str) -> EnvironmentRequest:
    return EnvironmentRequest(kind="requirements", content={"requirements.txt": requirements}, code_dir=CODE)


class MemoryFolder:
    def __init__(self) -> None:
        self.built: dict[str, EnvironmentCard | None] = {}
        self.sweeps = 0

    def python(self, environment: str) -> Path | None:
        return Path(f"/envs/{environment}/bin/python") if environment in self.built else None

    def read_card(self, environment: str) -> EnvironmentCard | None:
        return self.built.get(environment)

    def hashes(self) -> Sequence[str]:
        return sorted(self.built)

    def freed_bytes(self, environment: str) -> int:
        return 10

    def remove(self, environment: str) -> None:
        self.built.pop(environment, None)

    def sweep(self) -> None:
        self.sweeps += 1


class MemoryCatalogue:
    def __init__(self) -> None:
        self.cards: dict[str, EnvironmentCard] = {}
        self.resolutions: dict[str, str] = {}
        self.failures: dict[str, str] = {}
        self.is_away = False
        self.audit: list[str] = []
        self.reads = 0

    def find(self, environment: str) -> EnvironmentCard | None:
        return self.cards.get(environment)

    def load_all(self) -> Sequence[EnvironmentCard]:
        return sorted(self.cards.values(), key=lambda card: card.last_used_at, reverse=True)

    def save(self, card: EnvironmentCard) -> None:
        self.cards.setdefault(card.hash, card)

    def touch(self, environment: str, at: datetime) -> None:
        if environment in self.cards:
            self.cards[environment] = replace(self.cards[environment], last_used_at=at)

    def remove(self, environment: str, *, keep_resolved: bool = False) -> None:
        if keep_resolved and environment in self.resolutions.values():
            return
        self.cards.pop(environment, None)
        self.resolutions = {key: value for key, value in self.resolutions.items() if value != environment}

    def find_resolution(self, key: str) -> str | None:
        self.reads += 1
        return self.resolutions.get(key)

    def save_resolution(self, key: str, environment: str, at: datetime, *, replacing: str | None = None) -> str:
        if self.resolutions.get(key, replacing) == replacing:
            self.resolutions[key] = environment
        return self.resolutions[key]

    def look_up(self, keys: Collection[str]) -> Mapping[str, LookedUp]:
        known = {key: LookedUp(environment=self.resolutions.get(key), problem=self.failures.get(key)) for key in keys}
        return {key: one for key, one in known.items() if one != LookedUp()}

    def save_failure(self, key: str, problem: str, at: datetime) -> None:
        if self.is_away:
            raise Unavailable("The database does not answer.")
        self.failures[key] = problem

    def remove_failure(self, key: str) -> None:
        self.failures.pop(key, None)

    def remove_resolution(self, key: str, *, actor: Actor, at: datetime) -> None:
        self.resolutions.pop(key, None)
        self.audit.append(f"refresh by {actor.name}")

    def record_collection(self, hashes: Sequence[str], *, unused_days: float, actor: Actor, at: datetime) -> None:
        self.audit.append(f"gc of {len(hashes)} by {actor.name}")


class ScriptedBuilder:
    """Builds when `go` is set; counts what it does. `versions` is what unpinned requirements resolve to now."""

    platform = "linux-test-libc"

    def __init__(self, folder: MemoryFolder) -> None:
        self.folder = folder
        self.default_interpreter = "cpython-3.11.7"
        self.go = asyncio.Event()
        self.go.set()
        self.working = asyncio.Event()
        self.version = 1
        self.resolved = 0
        self.built = 0
        self.cancelled = 0
        self._locks: dict[str, asyncio.Lock] = {}

    async def resolve(self, request: EnvironmentRequest, on_line: OnLine | None) -> Lock:
        self.resolved += 1
        text = request.content["requirements.txt"]
        if "impossible" in text:
            raise SetupFailed("error: No solution found")
        return self._lock(f"{text}=={self.version}")

    async def relock(self, card: EnvironmentCard, request: EnvironmentRequest, on_line: OnLine | None) -> Lock | None:
        if card.interpreter.rpartition(".")[0] != self.default_interpreter.rpartition(".")[0]:
            return None
        return self._lock(card.lock)

    async def build(
        self, lock: Lock, request: EnvironmentRequest, on_line: OnLine | None
    ) -> tuple[EnvironmentCard, bool]:
        there = self.folder.built.get(lock.hash)
        if there is not None:
            return there, False
        self.working.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if on_line is not None:
            on_line("Installed 1 package")
        self.built += 1
        card = EnvironmentCard(
            hash=lock.hash,
            interpreter=self.default_interpreter,
            lock=lock.text,
            uv_version="1.0",
            size_bytes=100,
            packages=1,
            build_seconds=0.5,
            built_at=START,
            last_used_at=START,
        )
        self.folder.built[lock.hash] = card
        return card, True

    @asynccontextmanager
    async def exclusive(self, name: str) -> AsyncIterator[None]:
        async with self._locks.setdefault(name, asyncio.Lock()):
            yield

    def is_held(self, name: str) -> bool:
        return name in self._locks and self._locks[name].locked()

    def _lock(self, text: str) -> Lock:
        interpreter = Interpreter(path=Path("/usr/bin/python3"), version=self.default_interpreter)
        return Lock(text=text, interpreter=interpreter, platform=self.platform)
