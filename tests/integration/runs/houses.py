"""The whole product with its runner inside the test's own event loop: real database, real processes."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fastflow.bootstrap import Product
from fastflow.kernel.db.engine import Database
from fastflow.kernel.executors.port import Executor
from fastflow.kernel.runs.dispatcher import Dispatcher
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kit.identity import Actor, Role
from fastflow.runner import run_forever
from fastflow.settings import Settings

OLGA = Actor(name="user:olga", role=Role.OPERATOR)


class _Watched(Product):
    """The same product, whose dispatchers are seen."""

    def __init__(self, product: Product) -> None:
        vars(self).update(vars(product))
        self.dispatchers: list[Dispatcher] = []

    def make_dispatcher(self, executors: Mapping[str, Executor]) -> Dispatcher:
        self.dispatchers.append(super().make_dispatcher(executors))
        return self.dispatchers[-1]


@dataclass
class House:
    """The product on folders of the test's own."""

    product: Product

    @property
    def settings(self) -> Settings:
        return self.product.settings

    @property
    def database(self) -> Database:
        return self.product.database

    @property
    def pipelines_dir(self) -> Path:
        return self.settings.pipelines_dir

    @asynccontextmanager
    async def runner(self) -> AsyncIterator[None]:
        """The runner at work; runs go on when it ends."""
        watched = _Watched(self.product)
        ready = asyncio.Event()
        working = asyncio.ensure_future(run_forever(watched, on_ready=ready.set))
        waiting = asyncio.ensure_future(ready.wait())
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if working.done():
            working.result()
        try:
            yield
        finally:
            watched.dispatchers[-1].stop()
            await working

    async def submit(self, name: str) -> Run:
        return await asyncio.to_thread(self.product.runs.submit, name, {}, actor=OLGA)

    async def succeeds(self, run: Run) -> None:
        ended = await self.product.runs.wait(run.id, 60, actor=OLGA)
        assert ended.status is RunStatus.SUCCESS, ended.reason_text
