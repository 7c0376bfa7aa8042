"""Schedules in the whole product: started in their second, through a killed runner, whatever the policy for missed ones."""

import json
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from fastflow.testing.served import PATIENCE_SECONDS, Served

TELL = """
import json, os
print(json.dumps({name: value for name, value in os.environ.items() if name.startswith(("FASTFLOW_", "PARAM_"))}))
"""
DECLARED = """
[[schedules]]
name = "often"
every = "1s"
"""


def ledger(served: Served, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Every row, earliest first."""
    status, page = served.call("GET", f"/scheduler/jobs/{job['id']}/occurrences?limit=500")
    assert status == 200
    assert page["next_cursor"] is None
    return list(reversed(page["items"]))


def until(look: Callable[[], Any]) -> Any:
    """What `look` finds, as soon as it finds something."""
    deadline = datetime.now(UTC) + timedelta(seconds=PATIENCE_SECONDS)
    while datetime.now(UTC) < deadline:
        if found := look():
            return found
    raise AssertionError("it did not come")


def ended(served: Served, run_id: str) -> dict[str, Any] | None:
    run: dict[str, Any] = served.call("GET", f"/runs/{run_id}")[1]
    return run if run["finished_at"] else None


def has_come(served: Served, job: dict[str, Any], moment: datetime) -> bool:
    return instant(ledger(served, job)[-1]["due_at"]) > moment


def settled(served: Served, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Every row, as soon as no run of them is still to be submitted."""

    def look() -> list[dict[str, Any]]:
        rows = ledger(served, job)
        return [] if any(row["outcome"] == "starting" for row in rows) else rows

    found: list[dict[str, Any]] = until(look)
    return found


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.long
def test_schedules_when_the_runner_is_killed_then_every_second_has_one_row_and_the_policy_is_kept(
    served: Served,
) -> None:
    served.add("tell", TELL)
    served.environment["SCHEDULE_GRACE"] = "1s"
    served.start()
    served.token = served.cli("tokens", "create", "ci", "--role", "admin").stdout.strip()

    # made by a user, started in the very second it is due, and the script knows for when
    made = served.cli(
        "schedules", "add", "tell", "--every", "1s", "--missed", "all", "--name", "all", "-p", "CITY=Ulm", "--json"
    )
    assert made.returncode == 0, made.stderr
    every = json.loads(made.stdout)
    jobs = {"all": every}
    for missed in ("last", "none"):
        body = {"pipeline_name": "tell", "trigger": "interval", "expression": "1s", "missed": missed, "name": missed}
        status, jobs[missed] = served.call("POST", "/scheduler/jobs", body)
        assert status == 201
    until(lambda: len([row for row in ledger(served, every) if row["outcome"] == "started"]) >= 2)
    first = ledger(served, every)[0]
    assert first["due_at"] == every["next_due_at"]
    late = [instant(row["recorded_at"]) - instant(row["due_at"]) for row in ledger(served, every)]
    assert timedelta(0) <= min(late) < timedelta(seconds=1)
    run = until(lambda: ended(served, first["run_id"]))
    assert (run["status"], run["trigger"], run["schedule_id"]) == ("SUCCESS", "schedule", every["id"])
    told = json.loads(served.cli("runs", "logs", run["id"]).stdout)
    assert told["FASTFLOW_DUE_AT"] == first["due_at"] == run["capsule"]["schedule"]["due_at"]
    assert (told["FASTFLOW_SCHEDULE_ID"], told["PARAM_CITY"]) == (every["id"], "Ulm")
    assert instant(told["FASTFLOW_SCHEDULED_AT"]) == instant(first["due_at"])

    # the runner stands still for some seconds, and is killed; the next one decides what came meanwhile
    runner = served.child("runner")
    os.kill(runner, signal.SIGSTOP)
    stopped_at = datetime.now(UTC)
    until(lambda: datetime.now(UTC) > stopped_at + timedelta(seconds=4))
    os.kill(runner, signal.SIGKILL)
    killed_at = datetime.now(UTC)
    assert "runner" in served.await_line("is ready again")
    for job in jobs.values():
        until(partial(has_come, served, job, killed_at + timedelta(seconds=1)))
        served.call("POST", f"/scheduler/jobs/{job['id']}/pause", {"reason": "seen enough"})
    rows = {name: settled(served, job) for name, job in jobs.items()}
    for name, found in rows.items():
        due = [instant(row["due_at"]) for row in found]
        assert due == [due[0] + timedelta(seconds=number) for number in range(len(due))], name
        runs = [row["run_id"] for row in found if row["outcome"] == "started"]
        assert len(set(runs)) == len(runs), name
    away = {
        name: [
            row["outcome"]
            for row in found
            if stopped_at + timedelta(seconds=1) < instant(row["due_at"]) < killed_at - timedelta(seconds=1)
        ]
        for name, found in rows.items()
    }
    assert set(away["all"]) == {"started"}
    assert set(away["last"]) == {"coalesced"}
    assert set(away["none"]) == {"missed"}
    assert all(row["run_id"] for row in rows["all"] if row["outcome"] == "started")

    # declared in code: there as soon as the runner has looked; gone with its line
    folder = served.pipelines / "report"
    folder.mkdir()
    (folder / "main.py").write_text("print('hi')\n")
    (folder / "pipeline.toml").write_text(DECLARED)

    def declared() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = served.call("GET", "/scheduler/jobs?pipeline_name=report")[1]["items"]
        return items

    (often,) = until(declared)
    assert (often["name"], often["origin"]) == ("often", "code")
    until(lambda: any(row["outcome"] == "started" for row in ledger(served, often)))
    assert served.call("PATCH", f"/scheduler/jobs/{often['id']}", {"priority": 3})[1]["code"] == "schedule_declared"
    (folder / "pipeline.toml").write_text("")
    until(lambda: declared() == [])


def test_schedule_when_some_of_it_is_set_then_all_else_stays_and_what_is_wrong_changes_nothing(served: Served) -> None:
    served.add("tell", TELL)

    def ask(*words: str) -> dict[str, Any]:
        done = served.cli("schedules", *words, "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    zone = ("--timezone", "Europe/Berlin")
    made = ask(
        "add",
        "tell",
        "--cron",
        "30 2 * * *",
        *zone,
        "--name",
        "mine",
        "-p",
        "CITY=Ulm",
        "-p",
        "DAY=1",
        "--jitter",
        "1m",
    )
    after = ask("set", "mine", "--cron", "0 3 * * *", "-p", "CITY=Bonn", "--end", "2030-01-01", "--overlap", "skip")
    changed = {name for name in made if made[name] != after[name]}
    assert (
        changed == {"expression", "params", "end_at", "overlap", "next_due_at", "next_fire_at", "updated_at"} & changed
    )
    assert {"expression", "params", "end_at", "overlap", "next_due_at"} <= changed
    assert (after["params"], after["end_at"]) == ({"CITY": "Bonn", "DAY": "1"}, "2029-12-31T23:00:00Z")
    after = ask("set", "tell/mine", "--every", "5m", "--end", "none", "--catch-up-window", "unlimited")
    assert (after["trigger"], after["expression"], after["end_at"], after["catch_up_window"]) == (
        "interval", "5m", None, None,
    )  # fmt: skip

    for words, told in (
        ((), "It is not said what to change."),
        (("--cron", "30 25 * * *"), "--cron: "),
        (("--cron", "* * * * *", "--every", "5m"), "one of --cron, --every and --at"),
        (("--start", "someday"), "--start 'someday' is no instant."),
        (("--start", "2031-01-01", "--end", "2030-01-01"), "--end: "),
        (("--timezone", "Mars/Olympus"), "--timezone: 'Mars/Olympus' is no time zone."),
        (("--overlap", "often"), "--overlap"),
    ):
        done = served.cli("schedules", "set", "mine", *words)
        assert done.returncode != 0 and told in done.stderr, done.stderr
    assert ask("show", "mine") == after
