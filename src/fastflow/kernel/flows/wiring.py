"""Assembles flows: the services for the web process and the command line, the keeper for the runner process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from fastflow.kernel.db.engine import Database
from fastflow.kernel.flows.infra.at_end import FlowsAtEnd
from fastflow.kernel.flows.infra.engine import FlowEngine
from fastflow.kernel.flows.infra.store import SqlFlowStore
from fastflow.kernel.flows.infra.telling import Handing
from fastflow.kernel.flows.ports import Pipelines, WakeUp
from fastflow.kernel.flows.service import BackfillService, FlowKeeper, FlowService, Planner
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.infra.at_end import AtEnd
from fastflow.kernel.runs.infra.submit_store import SqlSubmitStore
from fastflow.kernel.runs.ports import Follow
from fastflow.kernel.runs.service import RunService
from fastflow.kit.clock import Clock, SystemClock
from fastflow.kit.identity import Actor


@dataclass(frozen=True, kw_only=True)
class FlowsRoom:
    """The services of the room, and what makes its keeper.

    Attributes:
        find_followers: what comes after a pipeline's run, when it is part of no flow yet.
    """

    flows: FlowService
    backfills: BackfillService
    store: SqlFlowStore
    engine: FlowEngine
    handing: Handing
    find_followers: Follow
    runs: RunService
    wakeup: WakeUp
    clock: Clock

    def make_keeper(self) -> FlowKeeper:
        """The keeper of this data directory's runner."""
        return FlowKeeper(self.store, self.runs, self.wakeup, self.clock, has_work=self.engine.has_left_work)


def flows_at_end(engine: FlowEngine) -> AtEnd:
    """What flows do when a run ends; has to act after the retries."""
    return FlowsAtEnd(engine)


def build_flows(
    database: Database,
    *,
    engine: FlowEngine,
    at_end: Sequence[AtEnd],
    pipelines: Pipelines,
    runs: RunService,
    wakeup: WakeUp,
    artifacts_dir: Path,
    clock: Clock | None = None,
) -> FlowsRoom:
    """Flows on the product's database; runs that are submitted from now on begin those that are declared.

    Args:
        database: migrated.
        engine: the one that `flows_at_end` was given.
        at_end: every feature that acts when a run ends.
        pipelines: what can be run.
        runs: where runs are prepared.
        wakeup: wakes the runner.
        artifacts_dir: one folder for each run.
        clock: None: the machine's own.
    """
    clock = clock or SystemClock()
    submits = SqlSubmitStore(database, at_end=at_end)

    def admit(connection: Connection, run: Run, actor: Actor, detail: Mapping[str, Any]) -> Run:
        admission = runs.admission(run)
        inserted = submits.insert_in(
            connection, run, admission=admission, actor=actor, action="run.submit", detail=detail
        )
        return inserted.run

    store = SqlFlowStore(database, engine, admit)
    planner = Planner(store, pipelines, runs, clock)
    runs.follow(planner.following)
    return FlowsRoom(
        flows=FlowService(store, planner, runs, wakeup, clock),
        backfills=BackfillService(store, planner, runs, wakeup, clock),
        store=store,
        engine=engine,
        handing=Handing(database, artifacts_dir),
        find_followers=planner.following,
        runs=runs,
        wakeup=wakeup,
        clock=clock,
    )
