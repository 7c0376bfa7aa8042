"""Groups of failures, what changed, and dead letters: on real databases, with a double of the catalogue."""

import subprocess
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.wakeups import Signals
from fastflow.kernel.failures.domain.errors import GroupNotFound, LetterNotFound, LetterSettled, RunDidNotFail
from fastflow.kernel.failures.domain.records import GroupFilter, LetterFilter, LetterState
from fastflow.kernel.failures.infra.keeping import DeadLetters
from fastflow.kernel.failures.router import build_router
from fastflow.kernel.failures.wiring import FailuresRoom, build_failures
from fastflow.kernel.http.app import build_app
from fastflow.kernel.pipelines.domain.retry import RetryPolicy
from fastflow.kernel.runs.domain import commands as command
from fastflow.kernel.runs.domain.run import Ending, Run, RunFilter
from fastflow.kernel.runs.domain.states import RunStatus
from fastflow.kernel.runs.infra.comparing import KeptParts
from fastflow.kernel.runs.infra.lease_store import SqlLeaseStore
from fastflow.kernel.runs.infra.read_store import SqlReadStore
from fastflow.kernel.runs.infra.retrying import Retries
from fastflow.kernel.runs.infra.submit_store import SqlSubmitStore
from fastflow.kernel.runs.service import RunPolicy, RunService
from fastflow.kit.errors import Forbidden, InvalidInput
from fastflow.kit.identity import Actor, Role
from fastflow.testing.clock import FakeClock
from fastflow.testing.run_doubles import MemoryCatalogue, MemoryEnvironments, MemorySecrets, RecordingWakeUp

OPERATOR = Actor(name="user:olga", role=Role.OPERATOR)
STRANGER = replace(OPERATOR, pipelines=("other",))
KEPT = RetryPolicy(dead_letters=True)
AT = "2026-11-21T04:35:18.123456789Z"


@dataclass
class Desk:
    """The services on a database, and a runner whose runs end as the test says."""

    database: Database
    folder: Path
    clock: FakeClock
    catalogue: MemoryCatalogue = field(default_factory=MemoryCatalogue)

    def __post_init__(self) -> None:
        self.handed: dict[str, int] = {}
        self.catalogue.add("demo", retry=KEPT)
        self.at_end = (Retries(), DeadLetters())
        self.store = SqlLeaseStore(self.database, at_end=self.at_end)
        environments = MemoryEnvironments()
        self.runs = RunService(
            submits=SqlSubmitStore(self.database, at_end=self.at_end),
            reads=SqlReadStore(self.database),
            catalogue=self.catalogue,
            environments=environments,
            secrets=MemorySecrets(),
            comparison=KeptParts(self.catalogue, environments),
            wakeup=RecordingWakeUp(),
            expect=Signals().expect,
            clock=self.clock,
            policy=RunPolicy(logs_dir=self.folder),
        )
        self.room: FailuresRoom = build_failures(
            self.database,
            handed=lambda runs: {run.id: self.handed[run.id] for run in runs if run.id in self.handed},
            runs=self.runs,
            pipelines_dir=self.folder,
            logs_dir=self.folder,
            host="host-1",
            clock=self.clock,
        )

    def run(
        self,
        name: str = "demo",
        *,
        error: str | None = None,
        seconds: float = 1.0,
        params: Mapping[str, Any] | None = None,
    ) -> Run:
        """A run that ended: well, or with a traceback of this exception."""
        run = self.runs.submit(name, params or {}, actor=OPERATOR)
        self.finish(run, error=error, seconds=seconds)
        return self.runs.get(run.id, actor=OPERATOR)

    def finish(self, run: Run, *, error: str | None = None, seconds: float = 1.0) -> None:
        now = self.clock.now()
        self.store.apply([command.Claim(owner="me", host="host-1", max_concurrent=99, limit=99)], now)
        if error is not None:
            told = ("Traceback (most recent call last):", '  File "/x/main.py", line 3, in load', error)
            (self.folder / f"{run.id}.log").write_text("".join(f"{AT} stderr F {line}\n" for line in told))
        ending = Ending(
            status=RunStatus.SUCCESS if error is None else RunStatus.FAILED,
            reason=None if error is None else "exit",
            reason_text=None if error is None else "the script ended with exit code 1",
            exit_code=0 if error is None else 1,
            started_at=now,
            finished_at=now + timedelta(seconds=seconds),
        )
        lease = command.Lease(run_id=run.id, token=1)
        (done,) = self.store.apply([command.Finish(lease=lease, ending=ending)], now)
        assert done.applied, done
        self.clock.advance(seconds)

    def letters(self, actor: Actor = OPERATOR, **values: Any) -> list[str]:
        return [each.run.id for each in self.room.letters.list(LetterFilter(**values), actor=actor).items]

    def actions(self) -> list[str]:
        with self.database.read() as connection:
            rows = connection.execute(text("SELECT action FROM audit WHERE action LIKE 'dead%' ORDER BY id"))
            return list(rows.scalars())


@pytest.fixture
def desk(database: Database, data_dir: Path, clock: FakeClock) -> Desk:
    return Desk(database, data_dir, clock)


# -- groups ------------------------------------------------------------------------------------------------------------


def test_failures_when_sorted_then_those_that_end_alike_are_one_group(desk: Desk) -> None:
    desk.catalogue.add("other")
    first, second = desk.run(error="KeyError: 'a'"), desk.run(error="KeyError: 'b'")
    elsewhere, last = desk.run("other", error="KeyError: 'c'"), desk.run(error="ValueError: no")
    desk.run()
    assert (desk.room.sorter.sort(), desk.room.sorter.sort()) == (4, 0)
    values, keys = desk.room.failures.list(GroupFilter(), actor=OPERATOR).items
    assert (values.failure.title, values.runs, values.last_run_id) == ("ValueError: no in main.py:load", 1, last.id)
    assert (keys.runs, keys.pipelines, keys.last_run_id) == (3, ["demo", "other"], elsewhere.id)
    assert (keys.first_seen_at, list(keys.trend)) == (first.finished_at, [0, 0, 0, 0, 0, 0, 3])
    found = desk.runs.list(RunFilter(failure_group=keys.failure.group), actor=OPERATOR).items
    assert [run.id for run in found] == [elsewhere.id, second.id, first.id]


def test_groups_when_the_asker_sees_one_pipeline_then_they_count_that_one_alone(desk: Desk) -> None:
    desk.catalogue.add("other")
    desk.run(error="KeyError: 'a'")
    desk.run("other", error="KeyError: 'b'")
    only_here = desk.run(error="ValueError: x")
    desk.room.sorter.sort()
    (group,) = desk.room.failures.list(GroupFilter(), actor=STRANGER).items
    assert (group.runs, group.pipelines, group.trend[-1]) == (1, ["other"], 1)
    fingerprint = desk.runs.get(only_here.id, actor=OPERATOR).failure_group
    assert fingerprint is not None
    with pytest.raises(GroupNotFound):
        desk.room.failures.get(fingerprint, actor=STRANGER)
    with pytest.raises(Forbidden):
        desk.room.failures.list(GroupFilter(pipeline_name="demo"), actor=STRANGER)


def test_groups_when_asked_for_new_ones_then_old_ones_are_left_out(desk: Desk) -> None:
    desk.run(error="KeyError: 'a'")
    desk.clock.advance(3600)
    since = desk.clock.now()
    desk.run(error="KeyError: 'a'")
    desk.run(error="ValueError: x")
    desk.room.sorter.sort()
    (new,) = desk.room.failures.list(GroupFilter(new_since=since), actor=OPERATOR).items
    assert new.failure.exception == "ValueError"
    page = desk.room.failures.list(GroupFilter(since=since), actor=OPERATOR, limit=1)
    rest = desk.room.failures.list(GroupFilter(since=since), actor=OPERATOR, limit=1, cursor=page.next_cursor)
    assert [page.items[0].failure.exception, rest.items[0].failure.exception] == ["ValueError", "KeyError"]
    assert rest.next_cursor is None


def test_sorting_when_cancelled_or_on_another_server_then_the_run_is_left_alone(desk: Desk) -> None:
    waiting = desk.runs.submit("demo", actor=OPERATOR)
    desk.runs.cancel(waiting.id, actor=OPERATOR)
    desk.run(error="KeyError: 'a'")
    with desk.database.write() as connection:
        connection.execute(text("UPDATE run SET host = 'host-2' WHERE host = 'host-1'"))
    assert desk.room.sorter.sort() == 0


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_sorting_when_nothing_is_left_then_it_looks_along_its_index(database: Database) -> None:
    from fastflow.kernel.failures.infra.group_store import _UNSORTED

    compiled = str(_UNSORTED.compile(database.engine))
    with database.read() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", ("",) * compiled.count("?")).all()
    assert "ix_run_failure_unsorted" in " ".join(row[3] for row in rows)


# -- what changed --------------------------------------------------------------------------------------------------------


def test_why_when_something_changed_since_the_last_good_run_then_it_is_named(desk: Desk) -> None:
    good = [desk.run(params={"CITY": "Ulm"}) for _ in range(6)][-1]
    desk.run(error="KeyError: 'x'", params={"CITY": "Ulm"})
    bad = desk.run(error="KeyError: 'y'", params={"CITY": "Bonn"}, seconds=60)
    desk.room.sorter.sort()
    why = desk.room.failures.why(bad.id, actor=OPERATOR)
    assert why.last_good is not None and why.last_good.id == good.id
    assert [(change.kind, change.before, change.after) for change in why.changes] == [("parameter", "Ulm", "Bonn")]
    assert (why.failed_since, why.group_runs) == (2, 2)
    assert why.failure is not None and why.failure.exception == "KeyError"
    duration = next(each for each in why.measures if each.name == "duration")
    assert (duration.value, duration.median, duration.verdict) == (60.0, 1.0, "high")
    with pytest.raises(RunDidNotFail):
        desk.room.failures.why(good.id, actor=OPERATOR)
    with pytest.raises(Forbidden):
        desk.room.failures.why(bad.id, actor=STRANGER)


def test_why_when_an_input_is_much_smaller_than_usual_then_its_size_is_named(desk: Desk) -> None:
    for number in range(6):
        desk.handed[desk.run(params={"ROWS": "x" * 5000}).id] = 1_000_000 + number
    bad = desk.run(error="ValueError", params={"ROWS": "x"})
    desk.handed[bad.id] = 0
    why = desk.room.failures.why(bad.id, actor=OPERATOR)
    verdicts = {each.name: each.verdict for each in why.measures}
    assert (verdicts["handed_bytes"], verdicts["params_bytes"]) == ("low", "low")
    assert "the size of what its upstreams handed on is low (0 B, usually 976.6 KB)" in why.text


def test_why_when_the_code_is_in_git_then_the_commits_between_are_told(desk: Desk) -> None:
    def git(*arguments: str) -> str:
        told = ["git", "-C", str(desk.folder), "-c", "user.name=Ann", "-c", "user.email=ann@example.org", *arguments]
        return subprocess.run(told, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    commits = []
    for number, file in enumerate(["demo.py", "demo.py", "unrelated.py"]):
        (desk.folder / file).write_text(f"print({number})\n")
        git("add", file)
        git("commit", "-qm", f"step {number}")
        commits.append(git("rev-parse", "HEAD"))
    good, bad = desk.run(), desk.run(error="KeyError: 'x'")
    with desk.database.write() as connection:
        for run, commit in ((good, commits[0]), (bad, commits[2])):
            connection.execute(
                text('UPDATE run SET "commit" = :commit WHERE id = :id'), {"commit": commit, "id": run.id}
            )
    why = desk.room.failures.why(bad.id, actor=OPERATOR)
    assert [(each.id, each.author, each.subject) for each in why.commits or ()] == [(commits[1], "Ann", "step 1")]


# -- dead letters ----------------------------------------------------------------------------------------------------------


def test_letter_when_a_run_fails_for_good_then_it_is_kept_once(desk: Desk) -> None:
    desk.catalogue.add("twice", retry=RetryPolicy(max_retries=1, policy="list", delays=(0,)))
    desk.catalogue.add("never")
    desk.run("never", error="KeyError: 'x'")
    desk.run()
    first = desk.run("twice", error="KeyError: 'x'")
    assert desk.letters() == []
    second = desk.runs.get(str(first.retried_by), actor=OPERATOR)
    desk.finish(second, error="KeyError: 'x'")
    asked_for = desk.run(error="KeyError: 'x'")
    assert desk.letters() == [asked_for.id, second.id]
    assert desk.letters(actor=STRANGER) == []
    assert desk.letters(pipeline_name="twice") == [second.id]
    waiting = desk.runs.submit("demo", actor=OPERATOR)
    desk.runs.cancel(waiting.id, actor=OPERATOR)
    assert len(desk.letters()) == 2


def test_letter_when_replayed_twice_then_there_is_one_new_run(desk: Desk) -> None:
    dead = desk.run(error="KeyError: 'x'", params={"CITY": "Ulm", "YEAR": 1})
    new = desk.room.letters.replay(dead.id, actor=OPERATOR, params={"CITY": "Bonn"})
    again = desk.room.letters.replay(dead.id, actor=OPERATOR, params={"CITY": "Bonn"})
    assert new.id == again.id
    assert (new.rerun_of, new.trigger, new.params) == (dead.id, "replay", {"CITY": "Bonn", "YEAR": 1})
    letter = desk.room.letters.get(dead.id, actor=OPERATOR)
    assert (letter.state, letter.replayed_by, letter.settled_by) == (LetterState.REPLAYED, new.id, OPERATOR.name)
    assert (desk.letters(), desk.letters(state=LetterState.REPLAYED)) == ([], [dead.id])
    assert desk.actions() == ["dead_letter.replay"]
    with pytest.raises(LetterSettled):
        desk.room.letters.dismiss(dead.id, actor=OPERATOR)
    with pytest.raises(LetterSettled, match=f"as run {new.id} before, with other parameters") as refused:
        desk.room.letters.replay(dead.id, actor=OPERATOR, params={"CITY": "Berlin", "YEAR": 1})
    assert (refused.value.fields, refused.value.extra) == ({"params.CITY": "is 'Bonn' there"}, {"run_id": new.id})


def test_letter_when_the_server_died_between_submitting_and_settling_then_the_run_is_found_again(desk: Desk) -> None:
    dead = desk.run(error="KeyError: 'x'")
    first = desk.runs.rerun(dead.id, actor=OPERATOR, trigger="replay", idempotency_key=f"dead-letter:{dead.id}")
    assert desk.room.letters.replay(dead.id, actor=OPERATOR).id == first.id


def test_letter_when_its_run_is_repeated_then_it_is_settled_once_and_the_newest_failure_stays_open(desk: Desk) -> None:
    desk.catalogue.add("demo", retry=replace(KEPT, policy="list", delays=(0,), max_retries=1))
    first = desk.run(error="ValueError: no")
    dead = desk.runs.get(first.id, actor=OPERATOR).retried_by
    assert dead is not None and desk.letters() == []
    desk.finish(desk.runs.get(dead, actor=OPERATOR), error="ValueError: no")
    assert desk.letters() == [dead]

    desk.catalogue.add("demo", retry=KEPT)
    failed_again = desk.runs.rerun(first.id, actor=OPERATOR)  # of its first attempt: the same work all the same
    assert desk.letters() == [dead]
    desk.finish(failed_again, error="ValueError: no")
    assert (desk.letters(), desk.letters(state=LetterState.REPLAYED)) == ([failed_again.id], [dead])

    good = desk.runs.rerun(failed_again.id, actor=OPERATOR)
    desk.finish(good)
    assert desk.letters() == []
    letter = desk.room.letters.get(failed_again.id, actor=OPERATOR)
    assert (letter.replayed_by, letter.settled_by) == (good.id, "user:olga")
    assert desk.actions().count("dead_letter.replay") == 2


def test_letters_when_replayed_together_then_they_follow_one_another_at_the_pace_asked_for(desk: Desk) -> None:
    dead = [desk.run(error="KeyError: 'x'") for _ in range(4)]
    letters = desk.room.letters
    tried = letters.replay_many(LetterFilter(), actor=OPERATOR, dry_run=True)
    assert [each.letter.run.id for each in tried] == [run.id for run in dead] and len(desk.letters()) == 4
    done = letters.replay_many(LetterFilter(pipeline_name="demo"), actor=OPERATOR, limit=3, every=10)
    now = desk.clock.now()
    assert [each.letter.run.id for each in done] == [run.id for run in dead[1:]]
    due = [each.run.not_before for each in done if each.run]
    assert due == [None, now + timedelta(seconds=10), now + timedelta(seconds=20)]
    assert desk.letters() == [dead[0].id]
    desk.catalogue.remove("demo")
    (refused,) = letters.replay_many(LetterFilter(), actor=OPERATOR)
    assert refused.problem is not None and refused.run is None and desk.letters() == [dead[0].id]


def test_letter_when_dismissed_then_it_is_settled_with_its_note(desk: Desk) -> None:
    dead = desk.run(error="KeyError: 'x'")
    first, letter = (desk.room.letters.dismiss(dead.id, actor=OPERATOR, note="came too late") for _ in range(2))
    assert first == letter
    assert (letter.state, letter.note, desk.actions()) == (
        LetterState.DISMISSED,
        "came too late",
        ["dead_letter.dismiss"],
    )
    with pytest.raises(LetterSettled, match="was dismissed by user:olga"):
        desk.room.letters.replay(dead.id, actor=OPERATOR)


def test_letter_when_the_asker_may_not_then_it_is_refused(desk: Desk) -> None:
    dead, good = desk.run(error="KeyError: 'x'"), desk.run()
    with pytest.raises(Forbidden):
        desk.room.letters.replay(dead.id, actor=STRANGER)
    with pytest.raises(Forbidden):
        desk.room.letters.replay(dead.id, actor=Actor(name="user:vera", role=Role.VIEWER))
    with pytest.raises(LetterNotFound):
        desk.room.letters.get(good.id, actor=OPERATOR)
    with pytest.raises(InvalidInput, match="takes the run's own parameters"):
        desk.room.letters.replay(dead.id, actor=OPERATOR, params={"A": 1}, exact=True)


# -- over HTTP ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def client(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    app = build_app(
        [build_router(desk.room.failures, desk.room.letters)],
        authenticate=lambda _request: OPERATOR,
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_failures_when_asked_for_over_http_then_they_are_shown(desk: Desk, client: httpx.AsyncClient) -> None:
    good, dead = desk.run(), desk.run(error="KeyError: 'x'")
    desk.room.sorter.sort()
    (group,) = (await client.get("/failures")).json()["items"]
    assert (group["exception"], group["runs"], group["trend"][-1]) == ("KeyError", 1, 1)
    assert (await client.get(f"/failures/{group['id']}")).json() == group
    assert (await client.get("/failures/nothing")).status_code == 404
    why = (await client.get(f"/runs/{dead.id}/why")).json()
    assert (why["last_good_id"], why["failure"], why["changes"]) == (good.id, group["id"], [])
    letters = (await client.get("/dead-letters", params={"failure_group": group["id"]})).json()["items"]
    assert [letter["run"]["id"] for letter in letters] == [dead.id]
    body = {"dry_run": True, "failure_group": group["id"]}
    told = (await client.post("/dead-letters/replay", json=body)).json()
    assert [item["run_id"] for item in told["items"]] == [dead.id]
    answer = await client.post(f"/dead-letters/{dead.id}/replay", json={"params": {"A": 1}})
    assert answer.status_code == 202 and answer.json()["params"] == {"A": 1}
    shown = (await client.get(f"/dead-letters/{dead.id}")).json()
    assert (shown["state"], shown["replayed_by"]) == ("replayed", answer.json()["id"])
    refused = await client.post(f"/dead-letters/{dead.id}/dismiss", json={"note": "x"})
    assert refused.json()["code"] == "dead_letter_settled"
