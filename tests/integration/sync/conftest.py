"""The whole product without its processes, a real repository over file://, and syncs carried out in the test's own loop."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fastflow.bootstrap import Product, build_product
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.sync.domain.repository import Definition, Repository
from fastflow.kernel.sync.domain.sync import Sync, SyncEvent
from fastflow.kit.identity import Actor, Role
from fastflow.kit.secret_text import SecretText
from fastflow.settings import Settings
from fastflow.testing.git_upstream import Upstream

ADMIN = Actor(name="user:ada", role=Role.ADMIN)
OPERATOR = Actor(name="user:olga", role=Role.OPERATOR)


@dataclass
class House:
    """A server's product, and shorthands."""

    product: Product
    upstream: Upstream
    made: list[Product] = field(default_factory=list)

    def add(self, name: str = "flows", **values: Any) -> Repository:
        definition = Definition(**{"name": name, "url": self.upstream.url, **values})
        return self.product.sync.repositories.create(definition, actor=ADMIN)

    async def sync(self, name: str = "flows", **options: Any) -> Sync:
        """Ask for a sync, carry it out here; how it ended."""
        (asked,) = await asyncio.to_thread(
            lambda: self.product.sync.syncs.request(name, actor=options.pop("actor", OPERATOR), **options)
        )
        await self.product.sync.make_syncer().work_off(asked.id)
        return self.get(asked)

    def rollback(self, commit: str | None = None, name: str | None = None, **options: Any) -> Sync:
        return self.product.sync.syncs.rollback(name, commit, actor=OPERATOR, **options)

    def get(self, sync: Sync) -> Sync:
        return self.product.sync.syncs.get(sync.id, actor=ADMIN)

    def events(self, sync: Sync) -> list[SyncEvent]:
        return list(self.product.sync.store.load_events(sync.id, after_id=0, limit=10_000))

    def names(self) -> list[str]:
        return [pipeline.name for pipeline in self.product.pipelines.list()]

    def active(self, name: str = "flows") -> str | None:
        found = {one.repository: one.commit for one in self.product.sync.store.load_active()}
        return found.get(name)

    def submit(self, name: str, **params: Any) -> Run:
        return self.product.runs.submit(name, params, actor=OPERATOR)

    def secret(self, key: str, value: str, pipelines: tuple[str, ...] | None = ()) -> None:
        self.product.secrets.create(key, SecretText(value), pipelines=pipelines, actor=ADMIN)

    def problem(self, name: str = "flows") -> str | None:
        return self.product.sync.repositories.get(name, actor=ADMIN).problem


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    made = Upstream(tmp_path / "upstream")
    made.push({"hello.py": "print('one')\n"}, "First")
    return made


@pytest.fixture
def build(database_url: str, settings: Settings, data_dir: Path, upstream: Upstream) -> Iterator[Callable[..., House]]:
    """Builds a server's product on the test's database; with another folder, another server's."""
    made: list[Product] = []

    def _build(folder: Path | None = None, **values: Any) -> House:
        home = folder or data_dir
        given = {
            "git_protocols": ("https", "ssh", "http", "file"),
            "database_url": database_url,
            "data_dir": home,
            "logs_dir": home / "logs",
            **values,
        }
        product = build_product(settings.model_copy(update=given))
        made.append(product)
        return House(product, upstream)

    yield _build
    for product in made:
        product.close()


@pytest.fixture
def house(build: Callable[..., House]) -> House:
    return build()
