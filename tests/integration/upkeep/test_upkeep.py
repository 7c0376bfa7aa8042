"""What an installation gathers stays within its bounds, and nothing goes that is still needed."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, insert, select

from fastflow.kernel.db.engine import Database
from fastflow.kernel.environments.domain.environment import Collected
from fastflow.kernel.failures.infra.rows import GROUP, LETTER, SIGHT
from fastflow.kernel.flows.infra.rows import ELEMENT, FLOW
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.files import RunFolder
from fastflow.kernel.runs.infra.rows import ARTIFACT, EVENT, RUN, values_of
from fastflow.kernel.sync.infra.rows import SYNC
from fastflow.kernel.upkeep.domain.bounds import Bounds
from fastflow.kernel.upkeep.infra.history_store import SqlHistoryStore
from fastflow.kernel.upkeep.service import Upkeep
from fastflow.kit.identity import Actor
from fastflow.testing.clock import START, FakeClock
from fastflow.testing.run_doubles import make_run

HERE = "host-1"
NOW = START + timedelta(days=400)


@dataclass
class Shelf:
    """Environments, of which the named ones are unused."""

    unused: list[str] = field(default_factory=list)
    asked: list[bool] = field(default_factory=list)

    def collect_garbage(self, unused_days: float, dry_run: bool, keep: Collection[str], actor: Actor) -> Collected:
        assert (unused_days, actor.name) == (30, "system")
        self.asked.append(dry_run)
        gone = [one for one in self.unused if one not in keep]
        if not dry_run:
            self.unused = [one for one in self.unused if one in keep]
        return Collected(hashes=gone, freed_bytes=len(gone), dry_run=dry_run)


@dataclass
class Attic:
    """A history that tests fill, and its upkeep."""

    database: Database
    folder: Path
    shelf: Shelf = field(default_factory=Shelf)

    def add(self, table: Table, **values: Any) -> None:
        with self.database.write() as connection:
            connection.execute(insert(table), values)

    def run(
        self, days_ago: float, name: str = "demo", *, ok: bool = False, host: str | None = HERE, **values: Any
    ) -> str:
        """An ended run with a log, an artifact and an event."""
        at = NOW - timedelta(days=days_ago)
        run = make_run(name, queued_at=at, id=_id(at), status=RunStatus.SUCCESS if ok else RunStatus.FAILED)
        ended = {"finished_at": at, "reason": None if ok else "exit", "host": host, **values}
        self.add(RUN, **{**values_of(run), **ended})
        self.add(EVENT, run_id=run.id, at=at, kind="state", data={})
        self.add(ARTIFACT, run_id=run.id, path="a", size_bytes=1, sha256="0" * 64, created_at=at)
        (self.folder / "logs").mkdir(exist_ok=True)
        (self.folder / "logs" / f"{run.id}.log").write_text("said\n")
        (self.folder / "artifacts" / run.id).mkdir(parents=True)
        return run.id

    def flow(self, days_ago: float, *run_ids: str, ended: bool = True) -> str:
        at = NOW - timedelta(days=days_ago)
        flow_id = _id(at)
        state = "SUCCESS" if ended else "RUNNING"
        self.add(
            FLOW, id=flow_id, kind="flow", name="demo", status=state, trigger="api", submitted_by="x", params={}, priority=0,
            attempt=1, created_at=at, finished_at=at if ended else None, detail={},
        )  # fmt: skip
        for number, run_id in enumerate(run_ids):
            self.add(
                ELEMENT, flow_id=flow_id, step="demo", element=number, attempt=1, key="", run_id=run_id, state="SUCCESS",
                why="", is_current=True,
            )  # fmt: skip
        return flow_id

    def sweep(self, *, days: float | None = None, count: int | None = None) -> None:
        clock = FakeClock(NOW)
        Upkeep(
            Bounds(run_days=days, run_count=count, environment_days=30),
            history=SqlHistoryStore(self.database, HERE),
            files=RunFolder(self.folder / "logs", self.folder / "artifacts", clock),
            environments=self.shelf,
            in_use=lambda: {"used"},
            clock=clock,
        ).sweep()

    def ids(self, table: Table, column: str = "id") -> set[Any]:
        with self.database.read() as connection:
            return set(connection.execute(select(table.c[column])).scalars())

    def files(self) -> tuple[set[str], set[str]]:
        return (
            {path.stem for path in (self.folder / "logs").iterdir()},
            {path.name for path in (self.folder / "artifacts").iterdir()},
        )


_made = 0


def _id(at: datetime) -> str:
    global _made
    _made += 1
    text = f"{int(at.timestamp() * 1000):012x}"
    return f"{text[:8]}-{text[8:]}-7000-8000-{_made:012x}"


@pytest.fixture
def attic(database: Database, data_dir: Path) -> Attic:
    return Attic(database, data_dir)


def test_runs_when_old_then_they_go_with_all_that_is_theirs_and_what_is_needed_stays(attic: Attic) -> None:
    gone = {attic.run(40), attic.run(60, ok=True), attic.run(31, host=None), attic.run(90, log_deleted_at=NOW)}
    stay = {
        "young": attic.run(29),
        "the last good one": attic.run(50, ok=True),
        "the last good one of another": attic.run(300, "other", ok=True),
        "on another server": attic.run(40, host="host-2"),
        "unfinished": attic.run(40, status="RUNNING", finished_at=None, reason=None),
        "open letter": attic.run(40),
        "of a young flow": attic.run(40),
    }
    settled = attic.run(40)
    for run_id, state in ((stay["open letter"], "open"), (settled, "dismissed")):
        attic.add(LETTER, run_id=run_id, pipeline_name="demo", state=state, created_at=NOW)
    young = attic.flow(29, stay["of a young flow"])
    old, going_on = attic.flow(40, settled), attic.flow(40, ended=False)

    attic.sweep(days=30)

    assert attic.ids(RUN) == set(stay.values())
    assert not attic.ids(RUN) & gone
    assert attic.ids(EVENT, "run_id") == attic.ids(ARTIFACT, "run_id") == set(stay.values())
    assert attic.ids(LETTER, "run_id") == {stay["open letter"]}
    assert attic.files() == (set(stay.values()), set(stay.values()))
    assert attic.ids(FLOW) == {young, going_on}
    assert old not in attic.ids(ELEMENT, "flow_id")

    attic.sweep(days=30)  # and a second time nothing more goes
    assert attic.ids(RUN) == set(stay.values())


def test_runs_when_more_than_their_count_then_the_newest_of_each_pipeline_stay(
    attic: Attic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastflow.kernel.upkeep.service._BATCH", 3)
    stay = {attic.run(number) for number in (1, 2)} | {attic.run(5, "other"), attic.run(9, ok=True)}
    for number in range(7):  # more than two transactions'
        attic.run(10 + number)
    in_flow = attic.run(7)
    flows = [attic.flow(number) for number in (1, 2)]
    attic.flow(8, in_flow)

    attic.sweep(count=2)

    assert attic.ids(RUN) == stay
    assert attic.ids(FLOW) == set(flows)


def test_runs_when_nothing_is_set_then_all_stay(attic: Attic) -> None:
    stay = {attic.run(399), attic.run(300)}
    attic.flow(399)
    attic.sweep()
    assert attic.ids(RUN) == stay
    assert len(attic.ids(FLOW)) == 1


def test_run_when_its_files_cannot_be_removed_then_its_row_stays_and_the_others_go(attic: Attic) -> None:
    stuck, gone = attic.run(40), attic.run(41)
    (attic.folder / "logs" / f"{stuck}.log").unlink()
    (attic.folder / "logs" / f"{stuck}.log").mkdir()  # a folder is not unlinked
    attic.sweep(days=30)
    assert attic.ids(RUN) == {stuck}
    assert gone not in attic.files()[0]


def test_groups_when_none_of_their_runs_is_left_then_they_go(attic: Attic) -> None:
    for name, days, has_run in (("gone", 40, False), ("seen", 3, False), ("kept", 40, True)):
        attic.add(GROUP, id=name, reason="exit", title=name, frames=[])
        at = NOW - timedelta(days=days)
        attic.add(
            SIGHT, group_id=name, pipeline_name="demo", runs=1, first_seen_at=at, last_seen_at=at, last_run_id="x"
        )
        if has_run:
            attic.run(2, failure_group=name)
    attic.sweep(days=30)
    assert attic.ids(GROUP) == attic.ids(SIGHT, "group_id") == {"seen", "kept"}


def test_syncs_when_old_then_the_newest_of_each_repository_stay(attic: Attic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastflow.kernel.upkeep.service.SYNCS_KEPT", 2)
    made = []
    for number in range(5):
        at = NOW - timedelta(days=300 - number)
        made.append(_id(at))
        attic.add(
            SYNC, id=made[-1], repository="default", action="sync", trigger="api", requested_by="x", requested_at=at,
            force=False, state="refused", prefix="", subfolder="", why="", finished_at=at,
        )  # fmt: skip
    attic.sweep(days=30)
    assert attic.ids(SYNC) == set(made[3:])


def test_environments_when_unused_then_they_go_and_only_then_is_it_noted(attic: Attic) -> None:
    attic.shelf.unused = ["used"]
    attic.sweep()
    assert attic.shelf.asked == [True]
    attic.shelf.unused = ["used", "old"]
    attic.sweep()
    assert (attic.shelf.asked, attic.shelf.unused) == ([True, True, False], ["used"])
