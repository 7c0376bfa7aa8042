"""Logs, events and artifacts on a real database, behind the real app."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import insert, update

from fastflow.kernel.db.engine import Database
from fastflow.kernel.http.app import build_app
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.artifact_files import collect
from fastflow.kernel.runs.infra.rows import ARTIFACT, EVENT, RUN, values_of
from fastflow.kernel.runs.log_router import build_log_router
from fastflow.kernel.runs.log_service import LogService
from fastflow.kernel.runs.log_wiring import build_log_service
from fastflow.kit.identity import Actor, Role
from fastflow.kit.ids import new_id
from fastflow.testing.http import client_of

NOW = datetime(2026, 11, 21, 4, 35, tzinfo=UTC)


@dataclass
class Logs:
    """The service, its app, and a hand that plays the runner."""

    database: Database
    service: LogService
    app: FastAPI
    logs_dir: Path
    artifacts_dir: Path
    actor: Actor

    def add_run(
        self, log: bytes | None = None, *, status: str = "SUCCESS", pipeline: str = "demo", **fields: Any
    ) -> str:
        run = Run(
            id=new_id(),
            pipeline_name=pipeline,
            status=RunStatus(status),
            trigger="api",
            submitted_by="system",
            params={},
            executor="process",
            capsule={},
            queued_at=NOW,
            **fields,
        )
        with self.database.write() as connection:
            connection.execute(insert(RUN).values(values_of(run)))
        if log is not None:
            (self.logs_dir / f"{run.id}.log").write_bytes(log)
        return run.id

    def set_run(self, run_id: str, **values: Any) -> None:
        with self.database.write() as connection:
            connection.execute(update(RUN).where(RUN.c.id == run_id).values(**values))

    def append(self, run_id: str, data: bytes) -> None:
        with (self.logs_dir / f"{run_id}.log").open("ab") as log:
            log.write(data)

    def tell(self, run_id: str, kind: str, **data: Any) -> None:
        with self.database.write() as connection:
            connection.execute(insert(EVENT).values(run_id=run_id, at=NOW, kind=kind, data=data))

    def store_artifacts(self, run_id: str) -> None:
        found = collect(self.artifacts_dir / run_id).artifacts
        with self.database.write() as connection:
            for item in found:
                values = {"path": item.path, "size_bytes": item.size_bytes, "sha256": item.sha256}
                connection.execute(insert(ARTIFACT).values(run_id=run_id, created_at=item.created_at, **values))


@pytest.fixture
def make_logs(database: Database, tmp_path: Path) -> Callable[..., Logs]:
    """Builds the rooms for an actor and a stream rate."""

    def make(*, rate: int = 0, pipelines: tuple[str, ...] | None = None) -> Logs:
        (tmp_path / "logs").mkdir(exist_ok=True)
        (tmp_path / "artifacts").mkdir(exist_ok=True)
        service = build_log_service(
            database, logs_dir=tmp_path / "logs", artifacts_dir=tmp_path / "artifacts", stream_rate=rate
        )
        actor = Actor(name="token:test", role=Role.VIEWER, pipelines=pipelines)
        app = build_app([build_log_router(service)], authenticate=lambda _request: actor)
        return Logs(database, service, app, tmp_path / "logs", tmp_path / "artifacts", actor)

    return make


@pytest.fixture
def logs(make_logs: Callable[..., Logs]) -> Logs:
    """Without a rate limit, for an actor who sees every pipeline."""
    return make_logs()


@pytest.fixture
async def client(logs: Logs) -> AsyncIterator[httpx.AsyncClient]:
    """Calls the app in-process."""
    async with client_of(logs.app) as client:
        yield client
