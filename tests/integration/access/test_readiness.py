"""`/ready` says which part is not fit, and why, for each part that can be unfit."""

import json
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastflow.bootstrap import Product, build_product
from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.migrate import head_revision
from fastflow.kernel.locks import hold_file_lock
from fastflow.kernel.runs.domain.commands import Heartbeat
from fastflow.kernel.runs.infra.lease_store import SqlLeaseStore
from fastflow.kit.clock import SystemClock
from fastflow.kit.identity import Actor, Role
from fastflow.probes import look_at_clock, look_at_database, look_at_disk
from fastflow.serve import RUNNER_LOCK
from fastflow.settings import Settings
from fastflow.testing.clock import FakeClock
from fastflow.testing.http import client_of
from fastflow.web import create_app

ADA = Actor(name="user:ada", role=Role.ADMIN)
Make = Callable[..., Product]


@pytest.fixture
def make(settings: Settings, request: pytest.FixtureRequest) -> Make:
    """The product with some settings changed."""

    def build(**changed: Any) -> Product:
        product = build_product(settings.model_copy(update=changed))
        request.addfinalizer(product.close)
        return product

    return build


def a_runner(product: Product, **executors: Any) -> AbstractAsyncContextManager[Any]:
    """What a runner at work leaves to be seen."""
    folder = product.settings.data_dir
    (folder / "run" / "runner.json").write_text(json.dumps({"pid": 1, "executors": executors}))
    return hold_file_lock(folder / RUNNER_LOCK)


async def ask(product: Product, actor: Actor | None = ADA, path: str = "/ready") -> tuple[int, dict[str, Any]]:
    async with client_of(create_app(product, local_actor=actor)) as client:
        answer = await client.get(path)
    return answer.status_code, answer.json()


async def test_ready_when_everything_is_fit_then_it_says_so(make: Make) -> None:
    product = make()
    async with a_runner(product):
        assert await ask(product) == (200, {"ready": True, "missing": []})


async def test_ready_when_the_disk_has_less_room_than_the_setting_says_then_it_is_not(make: Make) -> None:
    product = make(min_free_disk_mb=10**12)
    async with a_runner(product):
        status, told = await ask(product)
        assert (status, told["missing"]) == (503, ["disk"])
        assert "MB free, less than 1000000000000 MB (MIN_FREE_DISK_MB)" in told["reasons"]["disk"]
        assert await ask(product, None) == (503, {"ready": False, "missing": ["disk"]})


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"f_bavail": 0}, "DATA_DIR has 0 MB free and LOGS_DIR has 0 MB free, so nothing can be written."),
        ({"f_favail": 0}, "The file system of LOGS_DIR has no room for another file (inodes)."),
        ({"f_flag": os.ST_RDONLY}, "LOGS_DIR is on a file system that is mounted read-only."),
    ],
)
def test_disk_when_it_can_hold_nothing_more_then_it_is_not_fit_whatever_the_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, values: dict[str, int], problem: str
) -> None:
    folders = {"DATA_DIR": tmp_path, "LOGS_DIR": tmp_path}
    assert look_at_disk(folders, 0)["ok"]
    found = os.statvfs(tmp_path)
    names = ("f_bavail", "f_frsize", "f_files", "f_favail", "f_flag")
    told = SimpleNamespace(**{name: getattr(found, name) for name in names} | {"f_files": 10, **values})
    monkeypatch.setattr("fastflow.probes.os.statvfs", lambda _path: told)
    looked = look_at_disk(folders, 0)
    assert (looked["ok"], looked["problem"]) == (False, problem) and looked["hint"]


async def test_ready_when_a_folder_is_gone_then_it_is_not(make: Make) -> None:
    product = make()
    product.settings.logs_dir.rmdir()
    async with a_runner(product):
        status, told = await ask(product)
    assert (status, told["missing"]) == (503, ["disk"]) and "LOGS_DIR" in told["reasons"]["disk"]


async def test_ready_when_the_runner_is_gone_then_requests_are_served_all_the_same(make: Make) -> None:
    product = make()
    status, told = await ask(product)
    assert (status, told["missing"]) == (503, ["runner"]) and "No runner works" in told["reasons"]["runner"]
    assert await ask(product, path="/ready?for=requests") == (200, {"ready": True, "missing": []})


async def test_ready_when_the_engine_is_away_then_it_is_not(make: Make) -> None:
    product = make(executor="docker")
    async with a_runner(product, docker={"reachable": False, "why": "The socket is not there."}):
        status, told = await ask(product)
        assert (status, told["reasons"]) == (503, {"engine": "The socket is not there."})
    async with a_runner(product, docker={"reachable": True}):
        assert (await ask(product))[0] == 200


async def test_ready_when_the_cluster_is_away_then_it_is_not(make: Make) -> None:
    product = make(executor="ray")
    async with a_runner(product, ray={"reachable": False, "why": "The dashboard does not answer."}):
        assert (await ask(product))[1]["reasons"] == {"cluster": "The dashboard does not answer."}


def test_clock_when_it_differs_from_the_databases_then_it_is_not_fit(database: Database) -> None:
    told = look_at_clock(database, SystemClock(), 10.0)
    assert told["ok"] is True
    wrong = FakeClock(SystemClock().now() - timedelta(minutes=2))
    if database.is_sqlite:  # the same machine's clock: it can only have been set back since a runner was heard of
        now = SystemClock().now()
        beat = Heartbeat(owner="me", host="host-1", hostname="one", pid=1, started_at=now, url=None)
        SqlLeaseStore(database).apply([beat], now)
    told = look_at_clock(database, wrong, 10.0)
    assert told["ok"] is False
    assert ("in the future" if database.is_sqlite else "behind the database's") in told["problem"]
    assert look_at_clock(database, wrong, 600.0)["ok"] is True


def test_database_when_of_another_schema_or_read_only_then_it_is_not_fit(database: Database) -> None:
    head = head_revision()
    assert look_at_database(database, head)["ok"] is True
    assert "needs 9999" in look_at_database(database, "9999")["problem"]
    if not database.is_sqlite:
        with database.write() as connection:
            connection.exec_driver_sql(
                f'ALTER DATABASE "{database.url.database}" SET default_transaction_read_only = on'
            )
        database.engine.dispose()
        assert "takes no changes" in look_at_database(database, head)["problem"]
