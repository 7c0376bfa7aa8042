"""Making environments ready, finding them, and removing the unused ones."""

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from fastflow.kernel.environments.domain.environment import (
    Collected,
    Environment,
    EnvironmentCard,
    EnvironmentRequest,
    Readiness,
)
from fastflow.kernel.environments.domain.errors import BadEnvironmentHash, SetupFailed
from fastflow.kernel.environments.domain.recipe import recipe_of
from fastflow.kernel.environments.ports import Builder, Catalogue, EnvironmentFolder, LookedUp, OnLine
from fastflow.kernel.executors.port import OWN_PYTHON, EnvironmentRecipe
from fastflow.kit.clock import Clock
from fastflow.kit.errors import NotFound, Unavailable
from fastflow.kit.identity import Actor

JUST_USED = timedelta(minutes=10)
"""An environment used this recently is never collected: a run may be on its way into it."""
_TOUCH_SECONDS = 60.0
_MEMORY_SECONDS = 10.0
"""How long a process trusts what it knows of a resolution; another process may have refreshed it."""
_log = logging.getLogger(__name__)


@dataclass
class _Flight:
    """An environment being made ready, and everybody in this process who waits for it."""

    listeners: list[OnLine] = field(default_factory=list)
    waiters: int = 0
    task: "asyncio.Task[Environment] | None" = None

    def tell(self, line: str) -> None:
        for listener in self.listeners:
            listener(line)


class EnvironmentService:
    """Environments by what is asked for and by hash. `ensure` belongs to an event loop; all else may come from any thread."""

    def __init__(
        self,
        catalogue: Catalogue,
        builder: Builder,
        folder: EnvironmentFolder,
        clock: Clock,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._variables = variables or {}
        self._catalogue = catalogue
        self._builder = builder
        self._folder = folder
        self._clock = clock
        self._resolved: dict[str, tuple[str, float]] = {}
        self._cards: dict[str, EnvironmentCard] = {}
        self._touched: dict[str, float] = {}
        self._flights: dict[str, _Flight] = {}

    def open(self) -> None:
        """Sweep what crashes left, and bring catalogue and folders together; call once per process, before all else."""
        self._folder.sweep()
        known = {card.hash for card in self._catalogue.load_all()}
        there = set(self._folder.hashes())
        for environment in there - known:
            card = self._folder.read_card(environment)
            if card is None:
                self._folder.remove(environment)
            else:
                self._catalogue.save(card)
        for environment in known - there:
            # What a resolution leads to stays as the keeper of its lock: the next use rebuilds the same environment.
            self._catalogue.remove(environment, keep_resolved=True)

    def resolved_hash(self, request: EnvironmentRequest) -> str | None:
        """The hash the request leads to, as far as it is known without building. Microseconds when asked before."""
        key = self._key(request)
        known = self._resolved.get(key)
        if known is not None and time.monotonic() - known[1] < _MEMORY_SECONDS:
            return known[0]
        return self._look_up(key)

    def readiness(self, requests: Sequence[EnvironmentRequest]) -> Sequence[Readiness]:
        """How far the environment of each request is on this machine, whichever process works on it."""
        keys = [self._key(request) for request in requests]
        known = self._catalogue.look_up(keys)
        return [self._readiness(key, known.get(key, LookedUp())) for key in keys]

    async def ensure(self, request: EnvironmentRequest, on_line: OnLine | None = None) -> Environment:
        """The environment for the request, built first if need be. Any number of calls at once build it once.

        `on_line` gets what uv says while it works; nothing when the environment is ready.

        Raises:
            SetupFailed: it cannot be resolved or built; the message is uv's own.
        """
        ready = self._ready_in_memory(request) or await asyncio.to_thread(self._ready, request)
        if ready is not None:
            if self._is_touch_due(ready.hash):
                await asyncio.to_thread(self.touch, ready.hash)
            return ready
        return await self._join(request, on_line)

    async def recipe(
        self, request: EnvironmentRequest, on_line: OnLine | None = None, *, exactly: str | None = None
    ) -> tuple[Environment, EnvironmentRecipe | None]:
        """The environment for the request as a machine that has nothing of ours makes it; nothing is built here, but the
        lock is remembered as if it were. Without a recipe, the machine's own Python will do.

        Args:
            request: what is asked for.
            on_line: gets what uv says while it resolves.
            exactly: the environment it must be.

        Raises:
            SetupFailed: it cannot be resolved; the message is uv's own.
            NotFound: nobody remembers the lock of exactly that one.
        """
        key = self._key(request)
        found = exactly or await asyncio.to_thread(self.resolved_hash, request)
        card = None if found is None else await asyncio.to_thread(self._card, found)
        if card is None and exactly is not None:
            raise NotFound(
                f"The environment {exactly[:12]} is gone, and its lock with it.",
                code="environment_not_found",
                hint="Run the pipeline normally: it takes the environment that its requirements lead to now.",
            )
        if card is None:
            async with self._builder.exclusive(_lock_name(key)):
                card = await self._lock(key, request, on_line)
        if self._is_touch_due(card.hash):
            await asyncio.to_thread(self.touch, card.hash)
        locked = Environment(
            hash=card.hash,
            python=OWN_PYTHON,
            interpreter=card.interpreter,
            uv_version=card.uv_version,
            build_seconds=0.0,
        )
        if request.kind == "none" and request.python is None:
            return locked, None
        return locked, recipe_of(card, request, platform=self._builder.platform, variables=self._variables)

    async def _lock(self, key: str, request: EnvironmentRequest, on_line: OnLine | None) -> EnvironmentCard:
        """The card of what the request leads to; of one that was never built its size is 0."""
        earlier = await asyncio.to_thread(self._look_up, key)
        known = None if earlier is None else await asyncio.to_thread(self._card, earlier)
        if known is not None:
            return known
        lock = await self._builder.resolve(request, on_line)
        now = self._clock.now()
        card = EnvironmentCard(
            hash=lock.hash,
            interpreter=lock.interpreter.version,
            lock=lock.text,
            uv_version="none",
            size_bytes=0,
            packages=lock.packages,
            build_seconds=0.0,
            built_at=now,
            last_used_at=now,
        )
        await asyncio.to_thread(self._catalogue.save, card)
        holds = await asyncio.to_thread(lambda: self._catalogue.save_resolution(key, card.hash, now, replacing=earlier))
        self._resolved[key] = (holds, time.monotonic())
        if holds == card.hash:
            return card
        return await asyncio.to_thread(self._card, holds) or card  # another machine was quicker

    async def lock(self, request: EnvironmentRequest, on_line: OnLine | None = None) -> EnvironmentCard:
        """What the request leads to, resolved and remembered but not built; as it was resolved before, if it was.

        Raises:
            SetupFailed: it cannot be resolved; the message is uv's own.
        """
        key = self._key(request)
        async with self._builder.exclusive(_lock_name(key)):
            return await self._lock(key, request, on_line)

    def lock_text(self, environment: str) -> str | None:
        """The lock of an environment, built or not; None when it is not known (any more)."""
        card = self._card(environment)
        return None if card is None else card.lock

    def get(self, environment: str) -> Environment:
        """A built environment by its hash.

        Raises:
            BadEnvironmentHash: no hash.
            NotFound: it is not on this machine (any more).
        """
        return self._environment(self.card(environment))

    def card(self, environment: str) -> EnvironmentCard:
        """What the catalogue knows of a built environment; raises as `get`."""
        if not re.fullmatch(r"[0-9a-f]{64}", environment):
            raise BadEnvironmentHash(
                f"{environment[:80]!r} is not the hash of an environment.",
                fields={"hash": "not 64 hexadecimal digits"},
            )
        card = self._card(environment) if self._folder.python(environment) is not None else None
        if card is None:
            raise NotFound(
                f"The environment {environment[:12]} is not here.",
                code="environment_not_found",
                hint="It was collected as unused or never built; a normal run of its pipeline builds it again.",
            )
        return card

    def list(self) -> Sequence[EnvironmentCard]:
        """The environments on this machine, last used first."""
        there = set(self._folder.hashes())
        cards = [card for card in self._catalogue.load_all() if card.hash in there]
        for environment in there.difference(card.hash for card in cards):
            # another server that shares the database, but not the folder, took its card out when it started
            card = self._folder.read_card(environment)
            if card is not None:
                self._catalogue.save(card)
                cards.append(card)
        return sorted(cards, key=lambda card: card.last_used_at, reverse=True)

    def touch(self, environment: str) -> None:
        """Remember that it is used; writes at most once a minute."""
        if self._is_touch_due(environment):
            self._touched[environment] = time.monotonic()
            self._catalogue.touch(environment, self._clock.now())

    def refresh(self, request: EnvironmentRequest, actor: Actor) -> None:
        """Forget what the request was resolved to, so that its next use takes the newest versions that fit."""
        key = self._key(request)
        self._catalogue.remove_resolution(key, actor=actor, at=self._clock.now())
        self._resolved.pop(key, None)

    def collect_garbage(self, unused_days: float, dry_run: bool, keep: Collection[str], actor: Actor) -> Collected:
        """Remove the environments unused for `unused_days` days.

        Their locks are remembered: when a pipeline asks again, the same environment is built again. The hashes in `keep`
        are left alone, such as those of unfinished runs; so is what was used in the last minutes. `dry_run` only tells.
        """
        now = self._clock.now()
        limit = now - max(timedelta(days=unused_days), JUST_USED)
        unused = [card.hash for card in self.list() if card.last_used_at < limit and card.hash not in keep]
        freed = sum(self._folder.freed_bytes(environment) for environment in unused)
        if not dry_run:
            for environment in unused:
                self._remove(environment)
            self._catalogue.record_collection(unused, unused_days=unused_days, actor=actor, at=now)
        return Collected(hashes=unused, freed_bytes=freed, dry_run=dry_run)

    def _remove(self, environment: str) -> None:
        self._folder.remove(environment)
        self._cards.pop(environment, None)
        self._touched.pop(environment, None)
        self._catalogue.remove(environment, keep_resolved=True)

    # --- what is ready -----------------------------------------------------------------------------------------------

    def _key(self, request: EnvironmentRequest) -> str:
        """What is asked for, on this platform, by a server of this Python; or for an image."""
        image = request.image
        own, platform = self._builder.default_interpreter, self._builder.platform
        if image is not None:
            own, platform = image.version, f"{image.platform} {image.id}"
        text = f"{request.input_hash}\0{request.python or own}\0{platform}"
        return hashlib.sha256(text.encode()).hexdigest()

    def _ready(self, request: EnvironmentRequest) -> Environment | None:
        environment = self.resolved_hash(request)
        if environment is None or self._folder.python(environment) is None:
            return None
        card = self._card(environment)
        return None if card is None else self._environment(card)

    def _ready_in_memory(self, request: EnvironmentRequest) -> Environment | None:
        """As `_ready`, but None when it would take a look into the database, for which an event loop must not wait."""
        environment, since = self._resolved.get(self._key(request), ("", 0.0))
        card = self._cards.get(environment)
        if card is None or time.monotonic() - since >= _MEMORY_SECONDS or self._folder.python(environment) is None:
            return None
        return self._environment(card)

    def _readiness(self, key: str, known: LookedUp) -> Readiness:
        if known.environment is not None and self._folder.python(known.environment) is not None:
            return Readiness(state="ready", environment=known.environment)
        if self._builder.is_held(_lock_name(key)):
            return Readiness(state="building", environment=known.environment)
        if known.problem is not None:
            return Readiness(state="failed", environment=known.environment, why=known.problem)
        return Readiness(state="not built", environment=known.environment)

    def _look_up(self, key: str) -> str | None:
        found = self._catalogue.find_resolution(key)
        if found is None:
            self._resolved.pop(key, None)
        else:
            self._resolved[key] = (found, time.monotonic())
        return found

    def _card(self, environment: str) -> EnvironmentCard | None:
        card = self._cards.get(environment)
        if card is None:
            card = self._catalogue.find(environment) or self._folder.read_card(environment)
            if card is not None:
                self._cards[environment] = card
        return card

    def _environment(self, card: EnvironmentCard, *, built: bool = False) -> Environment:
        python = self._folder.python(card.hash)
        if python is None:
            raise NotFound(f"The environment {card.hash[:12]} was removed this moment.", code="environment_not_found")
        return Environment(
            hash=card.hash,
            python=python,
            interpreter=card.interpreter,
            uv_version=card.uv_version,
            build_seconds=card.build_seconds,
            built=built,
        )

    def _is_touch_due(self, environment: str) -> bool:
        return time.monotonic() - self._touched.get(environment, float("-inf")) >= _TOUCH_SECONDS

    # --- making ready ------------------------------------------------------------------------------------------------

    async def _join(self, request: EnvironmentRequest, on_line: OnLine | None) -> Environment:
        """Wait for the one flight of this request; whoever comes first starts it, and when the last one leaves before
        its end it is called off."""
        key = self._key(request)
        flight = self._flights.get(key)
        is_first = flight is None
        if flight is None:
            flight = self._flights[key] = _Flight()
            flight.task = asyncio.create_task(self._prepare(key, request, flight.tell))  # noqa: TID251 - awaited below
        if on_line is not None:
            flight.listeners.append(on_line)
        flight.waiters += 1
        assert flight.task is not None
        try:
            environment = await asyncio.shield(flight.task)
        finally:
            flight.waiters -= 1
            if on_line is not None:
                flight.listeners.remove(on_line)
            if flight.waiters == 0:
                if self._flights.get(key) is flight:
                    del self._flights[key]
                flight.task.cancel()
                await asyncio.wait([flight.task])
        return environment if is_first else replace(environment, built=False)

    async def _prepare(self, key: str, request: EnvironmentRequest, tell: OnLine) -> Environment:
        async with self._builder.exclusive(_lock_name(key)):  # processes that want the same resolve it once
            try:
                card, built = await self._prepare_alone(key, request, tell)
            except SetupFailed as failure:
                await self._remember(self._catalogue.save_failure, key, failure.message, self._clock.now())
                raise
            await self._remember(self._catalogue.remove_failure, key)
        self._cards[card.hash] = card
        self._touched[card.hash] = time.monotonic()
        await asyncio.to_thread(self._catalogue.touch, card.hash, self._clock.now())
        return self._environment(card, built=built)

    async def _remember(self, write: Callable[..., None], *values: Any) -> None:
        """Note how it went; a database that is away must not change how it went."""
        try:
            await asyncio.to_thread(write, *values)
        except Unavailable as error:
            _log.warning("environment.outcome_not_noted", extra={"fields": {"error": error.message}})

    async def _prepare_alone(self, key: str, request: EnvironmentRequest, tell: OnLine) -> tuple[EnvironmentCard, bool]:
        earlier = await asyncio.to_thread(self._look_up, key)
        lock = None
        if earlier is not None:
            card = await asyncio.to_thread(self._card, earlier)
            if card is not None and self._folder.python(earlier) is not None:
                return card, False
            lock = await self._builder.relock(card, request, tell) if card is not None else None
        if lock is None:
            lock = await self._builder.resolve(request, tell)
        card, built = await self._builder.build(lock, request, tell)
        await asyncio.to_thread(self._catalogue.save, card)
        now = self._clock.now()
        holds = await asyncio.to_thread(lambda: self._catalogue.save_resolution(key, card.hash, now, replacing=earlier))
        self._resolved[key] = (holds, time.monotonic())
        if holds != card.hash:  # another machine resolved the same at the same time: its result is the one
            return await self._prepare_alone(key, request, tell)
        return card, built


def _lock_name(key: str) -> str:
    return f"resolve-{key}"
