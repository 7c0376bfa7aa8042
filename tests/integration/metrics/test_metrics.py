"""`/metrics` on a real database: counters only grow, names are bounded, and nobody reads names that are not theirs."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import delete

from fastflow.kernel.db.engine import Database
from fastflow.kernel.http.app import build_app
from fastflow.kernel.metrics.infra.at_end import CountedEnds
from fastflow.kernel.metrics.infra.store import SqlMetricsStore
from fastflow.kernel.metrics.router import build_router
from fastflow.kernel.metrics.wiring import MetricsRoom, build_metrics
from fastflow.kernel.runs.domain import commands as command
from fastflow.kernel.runs.domain.run import Ending, failure
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.lease_store import SqlLeaseStore
from fastflow.kernel.runs.infra.rows import RUN
from fastflow.kernel.runs.infra.submit_store import SqlSubmitStore
from fastflow.kernel.schedules.infra.rows import SCHEDULE
from fastflow.kit.errors import Unauthenticated
from fastflow.kit.identity import SYSTEM, Actor, Grant, Role
from fastflow.testing.clock import FakeClock
from fastflow.testing.http import client_of
from fastflow.testing.run_doubles import make_run

VIEWER = Actor(name="user:vera", role=Role.VIEWER)
ONLY_B = Actor(name="user:bo", role=Role.NONE, grants=(Grant(role=Role.VIEWER, pipelines="b*"),))
Samples = dict[tuple[str, tuple[str, ...]], float]


class Desk:
    def __init__(self, database: Database, clock: FakeClock, folder: Path, most: int) -> None:
        self.database, self.clock = database, clock
        self.store = SqlMetricsStore(database)
        self._leases = SqlLeaseStore(database, at_end=(CountedEnds(),))
        self.room: MetricsRoom = build_metrics(
            database, data_dir=folder, logs_dir=folder, max_pipelines=most, schedule_grace=60.0, clock=clock
        )

    def submit(self, name: str) -> str:
        run = make_run(name, queued_at=self.clock.now())
        SqlSubmitStore(self.database).insert(run, admission=None, actor=SYSTEM, action="run.submit", detail={})
        return run.id

    def run(self, name: str, *, reason: str | None = None, seconds: float = 2.0) -> str:
        """A run from its submission to its end."""
        run_id, now = self.submit(name), self.clock.now()
        self._leases.apply([command.Claim(owner="me", host="host-1", max_concurrent=99, limit=99)], now)
        ended_at = now + timedelta(seconds=seconds)
        ending = Ending(
            status=RunStatus.SUCCESS, reason=None, reason_text=None, started_at=now, finished_at=ended_at, exit_code=0
        )
        done = ending if reason is None else failure(reason, "x", ended_at)  # type: ignore[arg-type]
        (finished,) = self._leases.apply(
            [command.Finish(lease=command.Lease(run_id=run_id, token=1), ending=done)], now
        )
        assert finished.applied
        return run_id

    async def scrape(self, actor: Actor | None = VIEWER, *, is_public: bool = False, **headers: str) -> Samples:
        response = await self.get(actor, is_public=is_public, **headers)
        assert response.status_code == 200, response.text
        return {
            (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
        }

    async def get(self, actor: Actor | None, *, is_public: bool = False, **headers: str) -> httpx.Response:
        def authenticate(_request: object) -> Actor:
            if actor is None:
                raise Unauthenticated("Who are you?")
            return actor

        app = build_app([build_router(self.room.metrics, version="1", is_public=is_public)], authenticate=authenticate)
        async with client_of(app) as client:
            return await client.get("/metrics", headers=headers)


@pytest.fixture
def desk(database: Database, clock: FakeClock, tmp_path: Path) -> Desk:
    (tmp_path / "run").mkdir()
    return Desk(database, clock, tmp_path, most=2)


def _ended(samples: Samples) -> dict[tuple[str, ...], float]:
    return {labels: value for (name, labels), value in samples.items() if name == "fastflow_runs_ended_total"}


async def test_totals_when_folded_and_the_runs_are_removed_then_they_stay_and_grow(desk: Desk) -> None:
    desk.run("a")
    desk.run("a", reason="exit")
    before = await desk.scrape()
    assert _ended(before) == {("a", "", "SUCCESS"): 1, ("a", "exit", "FAILED"): 1}
    assert desk.store.fold(100) == 2
    with desk.database.write() as connection:
        connection.execute(delete(RUN))
    assert desk.store.fold(100) == 0
    kept = await desk.scrape()
    assert {key: value for key, value in kept.items() if key[0].startswith("fastflow_run")} == {
        key: value for key, value in before.items() if key[0].startswith("fastflow_run")
    }
    desk.run("a", seconds=100.0)
    desk.store.fold(100)
    after = await desk.scrape()
    assert _ended(after) == {("a", "", "SUCCESS"): 2, ("a", "exit", "FAILED"): 1}
    assert after["fastflow_run_seconds_bucket", ("60.0", "a")] == 1
    assert after["fastflow_run_seconds_bucket", ("+Inf", "a")] == 2
    assert after["fastflow_run_seconds_sum", ("a",)] == 102.0


async def test_labels_when_there_are_more_pipelines_than_allowed_then_the_late_ones_share_one(desk: Desk) -> None:
    for name in ("c", "b", "a"):
        desk.run(name)
        desk.store.fold(100)
    desk.run("b2")
    desk.submit("z")
    samples = await desk.scrape()
    assert {labels[0] for labels in _ended(samples)} == {"c", "b", "_other"}
    assert _ended(samples)["_other", "", "SUCCESS"] == 2
    assert samples["fastflow_runs_active", ("_other", "QUEUED")] == 1
    assert samples["fastflow_queued_runs", ()] == 1


async def test_names_when_the_caller_may_see_some_pipelines_then_no_other_is_told(desk: Desk) -> None:
    for name in ("a", "b", "c", "b2"):
        desk.run(name)
    desk.submit("a")
    samples = await desk.scrape(ONLY_B)
    assert _ended(samples) == {("b", "", "SUCCESS"): 1, ("_other", "", "SUCCESS"): 1}
    text = (await desk.get(ONLY_B)).text
    assert 'pipeline="a"' not in text and 'pipeline="c"' not in text


async def test_access_when_nobody_is_known_then_only_a_public_one_answers(desk: Desk) -> None:
    desk.run("a")
    assert (await desk.get(None)).status_code == 401
    assert _ended(await desk.scrape(None, is_public=True)) == {("a", "", "SUCCESS"): 1}


async def test_format_when_openmetrics_is_asked_for_then_it_is_given(desk: Desk) -> None:
    response = await desk.get(VIEWER, accept="application/openmetrics-text; version=odd")
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


async def test_ages_when_time_passes_then_queue_runner_and_schedule_say_so(desk: Desk) -> None:
    leases, now = SqlLeaseStore(desk.database), desk.clock.now()
    beat = command.Heartbeat(owner="me", host="host-1", hostname="one", pid=1, started_at=now, url=None)
    leases.apply([beat], now)
    desk.submit("a")
    with desk.database.write() as connection:
        row = dict.fromkeys(("id", "pipeline_name", "name", "origin", "trigger", "expression", "timezone"), "x")
        by = {"created_at": now, "created_by": "x", "updated_at": now, "updated_by": "x", "anchor_at": now}
        rules = {"jitter": 0.0, "params": {}, "overlap": "queue", "missed": "all", "priority": 0}
        connection.execute(SCHEDULE.insert(), {**row, **by, **rules, "next_due_at": now, "next_fire_at": now})
    desk.clock.advance(30)
    early = await desk.scrape()
    assert (early["fastflow_schedules_late", ()], early["fastflow_schedules", ()]) == (0, 1)
    desk.clock.advance(60)
    late = await desk.scrape()
    assert late["fastflow_queue_oldest_seconds", ()] == 90
    assert late["fastflow_runner_heartbeat_age_seconds", ("host-1", "one")] == 90
    assert (late["fastflow_schedules_late", ()], late["fastflow_schedule_lateness_seconds", ()]) == (1, 90)
    assert late["fastflow_disk_free_bytes", ("DATA_DIR",)] > 0
