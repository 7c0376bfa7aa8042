"""Flows on a real database, with doubles of the pipelines below; runs are ended by the test, as a runner ends them."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.wakeups import Signals
from fastflow.kernel.flows.domain.errors import FlowNotFound
from fastflow.kernel.flows.domain.flow import Element, StepState
from fastflow.kernel.flows.infra.engine import FlowEngine
from fastflow.kernel.flows.infra.rows import ELEMENT, ELEMENT_COLUMNS, element_of
from fastflow.kernel.flows.ports import FlowView
from fastflow.kernel.flows.service import FlowKeeper
from fastflow.kernel.flows.wiring import FlowsRoom, build_flows, flows_at_end
from fastflow.kernel.notifications.infra.approval_alerts import ApprovalAlerts
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.runs.domain import commands as command
from fastflow.kernel.runs.domain.run import Ending, Run
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.at_end import AtEnd
from fastflow.kernel.runs.infra.comparing import KeptParts
from fastflow.kernel.runs.infra.lease_store import SqlLeaseStore
from fastflow.kernel.runs.infra.read_store import SqlReadStore
from fastflow.kernel.runs.infra.retrying import Retries
from fastflow.kernel.runs.infra.rows import RUN, RUN_COLUMNS, run_of
from fastflow.kernel.runs.infra.submit_store import SqlSubmitStore
from fastflow.kernel.runs.service import RunPolicy, RunService
from fastflow.kit.identity import Actor, Role
from fastflow.testing.clock import FakeClock
from fastflow.testing.run_doubles import MemoryCatalogue, MemoryEnvironments, MemorySecrets, RecordingWakeUp

OPERATOR = Actor(name="user:olga", role=Role.OPERATOR)


class ListedCatalogue(MemoryCatalogue):
    """Pipelines that can be listed as well."""

    def get(self, name: str) -> Pipeline:
        return self.freeze(name).pipeline

    def list(self) -> Sequence[Pipeline]:
        return list(self._pipelines.values())


@dataclass
class FlowDesk:
    """The services of one server, and what they stand on."""

    database: Database
    folder: Path
    clock: FakeClock
    catalogue: ListedCatalogue = field(default_factory=ListedCatalogue)
    wakeup: RecordingWakeUp = field(default_factory=RecordingWakeUp)

    def __post_init__(self) -> None:
        self.engine = FlowEngine(ApprovalAlerts())
        self.at_end: tuple[AtEnd, ...] = (Retries(), flows_at_end(self.engine))
        environments = MemoryEnvironments(Path(sys.executable))
        self.runs = RunService(
            submits=SqlSubmitStore(self.database, at_end=self.at_end),
            reads=SqlReadStore(self.database),
            catalogue=self.catalogue,
            environments=environments,
            secrets=MemorySecrets(),
            comparison=KeptParts(self.catalogue, environments),
            wakeup=self.wakeup,
            expect=Signals().expect,
            clock=self.clock,
            policy=RunPolicy(logs_dir=self.folder / "logs"),
        )
        self.room: FlowsRoom = build_flows(
            self.database,
            engine=self.engine,
            at_end=self.at_end,
            pipelines=self.catalogue,
            runs=self.runs,
            wakeup=self.wakeup,
            artifacts_dir=self.folder / "artifacts",
            clock=self.clock,
        )
        self.leases = SqlLeaseStore(self.database, at_end=self.at_end)
        self.blind_leases = SqlLeaseStore(self.database)

    @property
    def keeper(self) -> FlowKeeper:
        return self.room.make_keeper()

    def add(self, name: str, after: Any = None, **values: Any) -> None:
        self.catalogue.add(name, after=after, **values)

    def start(self, *roots: str, **values: Any) -> FlowView:
        params: Mapping[str, Any] = values.pop("params", {})
        return self.room.flows.start(roots, params, actor=OPERATOR, **values)

    def view(self, flow: FlowView | str) -> FlowView:
        flow_id = flow if isinstance(flow, str) else flow.flow.id
        found = self.room.store.find(flow_id)
        if found is None:
            raise FlowNotFound(flow_id)
        return found

    def states(self, flow: FlowView) -> dict[str, str]:
        return {step.name: step.state.value for step in self.view(flow).steps}

    def why(self, flow: FlowView, step: str) -> str:
        return next(each.why for each in self.view(flow).steps if each.name == step)

    def state(self, flow: FlowView, step: str) -> StepState:
        return StepState(self.states(flow)[step])

    def active(self, pipeline: str | None = None) -> list[Run]:
        """The runs that have not ended, oldest first."""
        query = select(*RUN_COLUMNS).where(RUN.c.status.in_(["PENDING", "RUNNING"])).order_by(RUN.c.id)
        with self.database.read() as connection:
            found = [run_of(row) for row in connection.execute(query)]
        return [run for run in found if pipeline in (None, run.pipeline_name)]

    def elements(self, flow: FlowView, step: str) -> list[Element]:
        query = (
            select(*ELEMENT_COLUMNS)
            .where(ELEMENT.c.flow_id == flow.flow.id, ELEMENT.c.step == step)
            .order_by(ELEMENT.c.element, ELEMENT.c.attempt)
        )
        with self.database.read() as connection:
            return [element_of(row) for row in connection.execute(query)]

    def claim(self) -> None:
        wanted = command.Claim(owner="runner", host="host-1", max_concurrent=10_000, limit=10_000)
        self.leases.apply([wanted], self.clock.now())

    def end(
        self, run: Run, *, exit_code: int = 0, outputs: Mapping[str, Any] | None = None, blind: bool = False
    ) -> None:
        """Let a waiting or running run end as a runner would write it; blind: without the features that act at its end."""
        self.claim()
        if outputs is not None:
            with self.database.write() as connection:
                connection.execute(update(RUN).where(RUN.c.id == run.id).values(outputs=dict(outputs)))
        found = SqlReadStore(self.database).find(run.id)
        assert found is not None
        ending = Ending(
            status=RunStatus.FAILED if exit_code else RunStatus.SUCCESS,
            reason="exit" if exit_code else None,
            reason_text=f"exit code {exit_code}" if exit_code else None,
            finished_at=self.clock.now(),
            exit_code=exit_code,
        )
        lease = command.Lease(run_id=run.id, token=found.lease_token)
        store = self.blind_leases if blind else self.leases
        (done,) = store.apply([command.Finish(lease=lease, ending=ending)], self.clock.now())
        if isinstance(done, BaseException):
            raise done

    def end_all(self, pipeline: str | None = None, **values: Any) -> int:
        """End what is active now; how many that were."""
        runs = self.active(pipeline)
        for run in runs:
            self.end(run, **values)
        return len(runs)

    def ask(self, **rule: Any) -> FlowView:
        """A flow whose step `deploy` waits for a person."""
        self.add("build")
        self.add("deploy", {"pipelines": ["build"], "approval": {"timeout": "1h", **rule}})
        flow = self.start("build")
        self.end_all()
        assert self.states(flow)["deploy"] == "APPROVAL"
        return flow

    def beside(self, database: Database) -> "FlowDesk":
        """Another server on the same data."""
        return replace(self, database=database)


@pytest.fixture
def desk(database: Database, data_dir: Path, clock: FakeClock) -> FlowDesk:
    return FlowDesk(database, data_dir, clock)
