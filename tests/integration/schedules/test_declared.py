"""Schedules that pipelines declare in their settings: the due-table follows the code."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from textwrap import dedent

import pytest
from tests.integration.schedules.conftest import OPERATOR, Desk

from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kernel.pipelines.wiring import build_pipelines, check_folder
from fastflow.kernel.schedules.domain.declared import judge_schedules
from fastflow.kernel.schedules.domain.schedule import Schedule
from fastflow.kernel.schedules.infra.schedule_store import SqlScheduleStore
from fastflow.kernel.schedules.service import DeclaredSchedules, SchedulerRules

HOUR = timedelta(hours=1)
SETTINGS = """
description = "a report"

[params]
CITY = "string"

[[schedules]]
name = "nightly"
cron = "30 2 * * *"
timezone = "Europe/Berlin"
params = { CITY = "Ulm" }

[[schedules]]
name = "often"
every = "1h"
params.CITY = "Bonn"
"""


@dataclass
class Code:
    """A folder of pipelines, and what follows it."""

    folder: Path
    desk: Desk
    catalog: PipelineCatalog

    @property
    def declared(self) -> DeclaredSchedules:
        return DeclaredSchedules(SqlScheduleStore(self.desk.database), self.catalog, SchedulerRules(), self.desk.clock)

    def write(self, settings: str, name: str = "report") -> None:
        (self.folder / name).mkdir(exist_ok=True)
        (self.folder / name / "main.py").write_text("print('hi')\n")
        (self.folder / name / "pipeline.toml").write_text(dedent(settings))

    def follow(self) -> list[tuple[str, str]]:
        """Bring the due-table in step; kind and name of each change."""
        done = self.declared.keep_in_step()
        return [(change.kind, str((change.after or change.before).name)) for change in done]  # type: ignore[union-attr]

    def schedules(self) -> dict[str, Schedule]:
        return {view.schedule.name: view.schedule for view in self.desk.room.schedules.list(actor=OPERATOR).items}


@pytest.fixture
def code(desk: Desk, pipelines_dir: Path) -> Code:
    catalog = build_pipelines(
        desk.database, pipelines_dir=pipelines_dir, data_dir=desk.folder, judges=(judge_schedules,), clock=desk.clock
    )
    desk.room.schedules._pipelines = catalog
    return Code(pipelines_dir, desk, catalog)


def test_entries_when_new_then_schedules_are_made_and_a_second_look_changes_nothing(code: Code) -> None:
    code.write(SETTINGS)
    assert [change.kind for change in code.declared.plan()] == ["added", "added"]
    assert code.follow() == [("added", "nightly"), ("added", "often")]
    assert code.follow() == []
    nightly = code.schedules()["nightly"]
    assert (nightly.origin, nightly.created_by, nightly.params) == ("code", "system", {"CITY": "Ulm"})
    assert nightly.next_due_at is not None and nightly.next_due_at > code.desk.clock.now()


def test_entry_when_changed_then_the_same_schedule_takes_its_new_form(code: Code) -> None:
    code.write(SETTINGS)
    code.follow()
    before = code.schedules()
    code.desk.clock.advance(2 * HOUR)
    code.write(SETTINGS.replace('every = "1h"', 'every = "3h"').replace('"Ulm"', '"Köln"'))
    assert sorted(code.follow()) == [("changed", "nightly"), ("changed", "often")]
    after = code.schedules()
    assert {name: one.id for name, one in after.items()} == {name: one.id for name, one in before.items()}
    assert (after["nightly"].params, after["nightly"].next_due_at) == ({"CITY": "Köln"}, before["nightly"].next_due_at)
    assert after["often"].next_due_at == code.desk.clock.now() + 3 * HOUR
    assert code.desk.outcomes(after["often"]) == ["coalesced", "starting"], "what came before, by the old form"


def test_entry_when_taken_out_then_its_schedule_goes_and_those_of_users_stay(code: Code) -> None:
    code.write(SETTINGS)
    code.follow()
    mine = code.desk.add("1h", pipeline_name="report", name="often", params={"CITY": "Ulm"})
    code.write(SETTINGS[: SETTINGS.index('[[schedules]]\nname = "often"')])
    assert code.follow() == [("removed", "often")]
    assert code.schedules() == {"nightly": code.schedules()["nightly"], "often": mine}


@pytest.mark.parametrize("harm", ["broken", "gone", "unreadable"])
def test_pipeline_when_broken_or_gone_then_its_schedules_stay_and_tell(code: Code, harm: str) -> None:
    code.write(SETTINGS)
    code.follow()
    if harm == "broken":
        (code.folder / "report" / "main.py").write_text("def (:\n")
    elif harm == "unreadable":
        (code.folder / "report" / "pipeline.toml").write_text("[[schedules]\n")
    else:
        shutil.rmtree(code.folder / "report")
    assert code.follow() == []
    views = code.desk.room.schedules.list(actor=OPERATOR).items
    assert [view.schedule.name for view in views] == ["nightly", "often"]
    assert all(view.problem for view in views)
    code.write(SETTINGS)
    assert code.follow() == []
    assert not any(view.problem for view in code.desk.room.schedules.list(actor=OPERATOR).items)


def test_schedule_when_paused_by_hand_then_stays_paused_as_the_code_goes_on(code: Code) -> None:
    code.write(SETTINGS)
    code.follow()
    often = code.schedules()["often"]
    code.desk.room.pauses.pause_schedule(often.id, actor=OPERATOR)
    code.write(SETTINGS.replace('every = "1h"', 'every = "2h"'))
    assert code.follow() == [("changed", "often")]
    assert code.desk.room.pauses.in_force()[0].subject == often.id


def test_check_when_an_entry_is_wrong_then_the_fault_has_its_line_and_the_pipeline_cannot_run(code: Code) -> None:
    code.write(
        SETTINGS.replace('"30 2 * * *"', '"30 25 * * *"').replace('params.CITY = "Bonn"', 'params.CITI = "Bonn"')
    )
    faults = check_folder(code.folder, judges=(judge_schedules,))
    assert {fault.file for fault in faults} == {"report/pipeline.toml"}
    assert [(fault.line, fault.message.split(": ")[1]) for fault in faults] == [
        (9, "cron"), (13, "params.CITY"), (16, "params.CITI"),
    ]  # fmt: skip
    assert not code.catalog.get("report").is_healthy
    assert code.follow() == []


def test_entry_when_in_the_header_of_a_script_then_it_counts_as_well(code: Code) -> None:
    (code.folder / "single.py").write_text(
        '# /// script\n# dependencies = []\n#\n# [[tool.fastflow.schedules]]\n# cron = "@daily"\n# ///\nprint()\n'
    )
    assert code.follow() == [("added", "default")]
    assert code.schedules()["default"].pipeline_name == "single"
    (code.folder / "single.py").write_text(
        '# /// script\n# dependencies = []\n#\n# [[tool.fastflow.schedules]]\n# cron = "@dayly"\n# ///\nprint()\n'
    )
    (fault,) = check_folder(code.folder, judges=(judge_schedules,))
    assert (fault.line, "'@dayly' is no known shorthand" in fault.message) == (5, True)


def test_servers_when_both_follow_the_code_then_each_schedule_is_made_once(
    code: Code, desk_of: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    code.write(SETTINGS)
    slow, quick = code.declared, code.declared
    plan = slow.plan()
    quick.keep_in_step()
    monkeypatch.setattr(slow, "plan", lambda: plan)  # it had looked before the other one wrote
    assert slow.keep_in_step() == []
    assert sorted(code.schedules()) == ["nightly", "often"]
