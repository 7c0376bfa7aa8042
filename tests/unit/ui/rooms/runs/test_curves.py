"""Curves of a run are read on from where they were, and stay small."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from fastflow.kernel.runs.domain.run import Run, RunEvent
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.service import RunService
from fastflow.kit.identity import SYSTEM, Actor
from fastflow.ui.rooms.runs.curves import Curves
from fastflow.ui.texts import Catalogue

UI = Path(__file__).parents[5] / "src" / "fastflow" / "ui"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
RUN = Run(
    id="r", pipeline_name="p", status=RunStatus.RUNNING, trigger="api", submitted_by="a", params={}, executor="process",
    capsule={}, queued_at=BEGIN, started_at=BEGIN,
)  # fmt: skip


class Told:
    def __init__(self) -> None:
        self.events: list[RunEvent] = []
        self.asked: list[int] = []

    def tell(self, kind: str, **data: Any) -> None:
        number = len(self.events) + 1
        at = BEGIN + timedelta(seconds=5 * number)
        self.events.append(RunEvent(id=number, run_id="r", at=at, kind=kind, data=data))

    def latest_events(
        self, run_id: str, kinds: Collection[str], *, actor: Actor, after_id: int = 0
    ) -> Sequence[RunEvent]:
        self.asked.append(after_id)
        return [event for event in self.events if event.id > after_id and event.kind in kinds]


def test_curves_when_more_is_told_then_only_that_is_read_and_drawn() -> None:
    t = Catalogue([UI / "rooms" / "runs" / "texts.toml", UI / "shell" / "texts.toml"]).texts("en")
    told = Told()
    curves = Curves(cast("RunService", told), "r")
    told.tell("metric", loss=0.5, model="tree", good=True)
    told.tell("sample", memory_bytes=1024 * 1024, cpu_seconds=5.0)
    curves.look(SYSTEM, RUN)
    assert curves.metrics(t) is None  # one value is no curve
    told.tell("metric", loss=0.25)
    told.tell("sample", memory_bytes=3 * 1024 * 1024, cpu_seconds=20.0)
    curves.look(SYSTEM, RUN)
    assert told.asked == [0, 2]
    drawn, usage = curves.metrics(t), curves.usage(t)
    assert drawn is not None and "loss: 2 values from 0.25 to 0.5, at last 0.25" in drawn
    assert "model" not in drawn and "good" not in drawn
    assert usage is not None and "from 1.0 MB to 3.0 MB" in usage
    assert "Cores in use: 2 values from 0.50 to 1.50" in usage
    for number in range(5000):
        told.tell("metric", loss=number)
    curves.look(SYSTEM, RUN)
    assert len(curves._metrics["loss"]) <= 2000
