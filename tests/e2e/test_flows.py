"""Flows and backfills in the whole product, by the command line alone: what follows, decisions by people, the past."""

import json
import subprocess
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fastflow.testing.served import PATIENCE_SECONDS, Served


def until(look: Callable[[], Any]) -> Any:
    """What `look` finds, as soon as it finds something."""
    deadline = datetime.now(UTC) + timedelta(seconds=PATIENCE_SECONDS)
    while datetime.now(UTC) < deadline:
        if found := look():
            return found
        threading.Event().wait(0.1)  # leaves the cores to what is waited for
    raise AssertionError("it did not come")


@pytest.mark.long
def test_flow_when_steered_by_the_command_line_then_it_waits_for_people_and_goes_on(served: Served) -> None:
    served.add("extract", 'print(\'::fastflow::{"output": {"rows": 3}}\')\n')
    deploy = served.pipelines / "deploy"
    deploy.mkdir()
    (deploy / "main.py").write_text("print('deployed')\n")
    (deploy / "pipeline.toml").write_text(
        '[after]\npipelines = ["extract"]\nwhen = "extract.rows > 2"\napproval = { note = "Checked?" }\n'
    )
    served.start()
    served.token = served.cli("tokens", "create", "ci", "--role", "admin").stdout.strip()

    def cli(*words: str) -> subprocess.CompletedProcess[str]:
        return served.cli(*words, FASTFLOW_URL=served.url, FASTFLOW_TOKEN=served.token)

    def tell(*words: str) -> str:
        done = cli(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def flow(status: str, step: str) -> dict[str, Any] | None:
        """The newest flow, once it and its last step are there."""
        items = served.call("GET", "/flows")[1]["items"]
        found: dict[str, Any] = (
            served.call("GET", f"/flows/{items[0]['id']}")[1] if items else {"status": "", "steps": []}
        )
        states = {each["name"]: each["state"] for each in found["steps"]}
        return found if (found["status"], states.get("deploy")) == (status, step) else None

    assert "when extract.rows > 2  asks for approval" in tell("flows", "plan", "extract")
    tell("run", "extract", "--alone")
    assert json.loads(tell("flows", "list", "--json"))["items"] == []

    told = cli("run", "extract").stderr
    asked = until(lambda: flow("RUNNING", "APPROVAL"))
    assert f"[fastflow] its flow {asked['id']} goes on with 1 step: fastflow flows show {asked['id']}" in told
    assert "Checked?" in tell("flows", "show", "last")
    assert "Checked?" in tell("flows", "approvals", "--mine")
    (question,) = json.loads(tell("flows", "approvals", "--json"))["items"]
    assert (question["flow_id"], question["step"], question["may_decide"]) == (asked["id"], "deploy", True)
    tell("flows", "deny", "last", "deploy", "--note", "wrong figures")
    assert json.loads(tell("flows", "approvals", "--json"))["items"] == []
    assert "wrong figures" in tell("flows", "explain", "last")
    assert until(lambda: flow("FAILED", "FAILED"))["id"] == asked["id"]
    assert cli("flows", "approve", "last", "deploy").returncode != 0
    tell("flows", "rerun", "last", "--from-failed")
    until(lambda: flow("RUNNING", "APPROVAL"))
    tell("flows", "approve", "last", "deploy", "--note", "checked")
    done = until(lambda: flow("SUCCESS", "SUCCESS"))
    assert (done["id"], done["attempt"]) == (asked["id"], 2)
    (element,) = json.loads(tell("flows", "elements", "last", "extract", "--json"))["items"]
    assert element["attempt"] == 1  # what succeeded was kept

    days = ("extract", "--from", "2026-01-01", "--to", "2026-01-03", "-p", "DAY={date}")
    assert "2026-01-03" in tell("backfill", *days, "--dry-run")
    assert json.loads(tell("backfill", "list", "--json"))["items"] == []
    backfill = tell("backfill", *days).strip()
    until(lambda: served.call("GET", f"/backfills/{backfill}")[1]["status"] == "SUCCESS")
    runs = json.loads(tell("flows", "elements", backfill, "extract", "--json"))["items"]
    assert [each["key"] for each in runs] == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert "3/3" in tell("backfill", "show", "last")
    assert f"0 to run, 3 done already (by backfill {backfill})" in tell("backfill", *days, "--dry-run")
    assert "2026-01-02" in tell("backfill", "elements", "last")
    assert "2026-01-02" in tell("flows", "elements", backfill[-8:], "extract")
