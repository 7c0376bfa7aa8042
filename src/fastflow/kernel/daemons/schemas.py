"""Daemons on the wire."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from fastflow.kernel.daemons.domain.records import DaemonEvent, Instance, State, Wish
from fastflow.kernel.daemons.service import DaemonView
from fastflow.kernel.http.schemas import PageOut
from fastflow.kernel.runs.domain.states import RunStatus


class InstanceOut(BaseModel):
    """A run that is an instance of a daemon."""

    number: int = Field(description="Which start of the daemon it was.")
    run_id: str | None = Field(description="Null: it is just being submitted.")
    status: RunStatus | None
    health: str = Field(description="starting, healthy or unhealthy.")
    health_at: datetime | None = Field(description="When it was last found healthy by a probe.")
    port: int | None = Field(description="What it is to listen on.")
    stopping: str | None = Field(description="Why it is being stopped; null: it is not.")
    started_at: datetime | None
    code: str | None = Field(description="Identity of its code.")

    @classmethod
    def of(cls, instance: Instance) -> "InstanceOut":
        """The instance as the API shows it."""
        run = instance.run
        return cls(
            number=instance.number,
            run_id=run.id if run else None,
            status=run.status if run else None,
            health=instance.health,
            health_at=instance.health_at,
            port=instance.port,
            stopping=instance.stopping,
            started_at=run.started_at if run else None,
            code=instance.tree_hash,
        )


class DaemonOut(BaseModel):
    """A pipeline that is a service."""

    pipeline_name: str
    state: State = Field(
        description="running, starting, replacing, backing-off, crash-loop, stopping, stopped or paused."
    )
    wish: Wish = Field(description="What people want of it: running, stopped or paused.")
    wanted: int = Field(description="How many instances its settings ask for.")
    replace: str = Field(description="rolling or stop-first.")
    crashes: int = Field(description="Unexpected ends in a row.")
    next_start_at: datetime | None = Field(description="Before it nothing is started.")
    crash_loop_since: datetime | None = Field(
        description="When the crashes became a loop; null: none, or it was stable since."
    )
    restarts: int = Field(description="Unexpected ends in the last hour; 0 when the last instance was stable.")
    trouble: str | None = Field(
        description="Why an instance could last not be started; else, while it crashes, how the last one ended."
    )
    changed_at: datetime
    changed_by: str
    instances: list[InstanceOut]

    @classmethod
    def of(cls, view: DaemonView) -> "DaemonOut":
        """The daemon as the API shows it."""
        daemon, spec = view.daemon, view.spec
        return cls(
            pipeline_name=daemon.pipeline_name,
            state=view.state,
            wish=daemon.wish,
            wanted=spec.instances if spec else 0,
            replace=spec.replace if spec else "rolling",
            crashes=daemon.crashes,
            next_start_at=daemon.next_start_at,
            crash_loop_since=daemon.crash_loop_since,
            restarts=view.last.restarts if view.last else 0,
            trouble=view.trouble,
            changed_at=daemon.changed_at,
            changed_by=daemon.changed_by,
            instances=[InstanceOut.of(each) for each in view.instances],
        )


class DaemonPage(PageOut[DaemonOut]):
    """One page of daemons, by name."""


class DaemonEventOut(BaseModel):
    """Something that happened to a daemon."""

    id: int
    at: datetime
    kind: str = Field(description="start, stop, pause, restart, healthy, unhealthy, crashed, crash-loop, recovered …")
    text: str
    run_id: str | None

    @classmethod
    def of(cls, event: DaemonEvent) -> "DaemonEventOut":
        """The event as the API shows it."""
        values: dict[str, Any] = vars(event)
        return cls(**values)


class DaemonEventPage(PageOut[DaemonEventOut]):
    """One page of events, latest first."""
