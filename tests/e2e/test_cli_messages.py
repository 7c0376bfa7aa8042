"""What a newcomer reads: each message says what is wrong, where was asked, and what to do, once."""

import json
import subprocess

import pytest

from fastflow.testing.served import PATIENCE_SECONDS, Served

UNSOLVABLE = "# /// script\n# dependencies = ['no-such-package==1']\n# ///\n"
LEAVES = """
import os
with open(os.path.join(os.environ["FASTFLOW_ARTIFACTS"], "table.csv"), "w") as file:
    file.write("a,b\\n")
print("left")
"""


@pytest.mark.long
def test_messages_when_a_server_is_asked_then_place_and_commands_are_told(served: Served) -> None:
    served.add("quick", "print('hello')\n")
    served.start()
    token = served.cli("tokens", "create", "ci", "--role", "admin").stdout.strip()
    served.token = token
    remote = {"FASTFLOW_URL": served.url, "FASTFLOW_TOKEN": token}

    # a pipeline that only this machine has
    here = served.folder / "here"
    here.mkdir()
    (here / "mine.py").write_text("print('mine')\n")
    missing = served.cli("run", "mine", **remote, PIPELINES_DIR=str(here))
    assert missing.returncode == 1
    assert missing.stderr == (
        f"Error: There is no pipeline 'mine'.\n  asked: the server {served.url}\n"
        f"Hint: `fastflow pipelines list` lists what exists. {here} on this machine has 'mine': `unset FASTFLOW_URL` "
        "(or leave --url away) to work there.\n"
    )

    # unknown and wrong query parameters
    status, problem = served.call("GET", "/runs?limt=3")
    assert (status, problem["code"], list(problem["fields"])) == (422, "unknown_query_parameter", ["limt"])
    status, problem = served.call("POST", "/pipelines/quick/run?wait=abc", {})
    assert (status, problem["fields"]) == (422, {"wait": "'abc' is not a number from 0 to 300"})

    # a secret that is not there yet: how the API makes it, how the command line does
    status, problem = served.call("PUT", "/secrets/NEW", {"value": "a-value"})
    assert (status, problem["code"]) == (404, "unknown_secret")
    assert "`POST /secrets` makes a new one" in problem["hint"]
    assert "`fastflow secrets set KEY` makes a new one" in served.cli("secrets", "rm", "NEW", **remote).stderr

    # the doctor says the same of the server as of the machine, and a broken pipeline makes it fail
    well = served.cli("doctor", **remote)
    assert (well.returncode, "✓ pipelines: " in well.stdout) == (0, True), well.stdout
    served.add("broken", "print('a'\n")
    sick = [served.cli("doctor", **environment) for environment in (remote, {})]
    assert [done.returncode for done in sick] == [1, 1]
    for done in sick:
        assert "1 fault in broken\n    `fastflow pipelines check` names each with its place." in done.stdout
        assert " isolation: runs act as user " in done.stdout
        assert "{" not in done.stdout

    # short names of runs, over the network as well
    run_id = served.cli("run", "quick", "--detach", **remote).stdout.strip()
    assert served.cli("runs", "logs", run_id[-8:], "-f", **remote).stdout == "hello\n"
    again = served.cli("runs", "rerun", "last", "--follow", **remote)
    assert (again.returncode, again.stdout) == (0, "hello\n")
    same = served.cli("runs", "diff", run_id, "last", **remote)
    assert same.stdout.startswith("Nothing differs. Compared: "), same.stdout


@pytest.mark.long
def test_messages_when_there_is_no_server_then_runs_are_made_named_compared_and_fetched(served: Served) -> None:
    # uv's words are told once
    served.add("unsolvable", UNSOLVABLE)
    failed = subprocess.run(
        served.command("run", "unsolvable"),
        env={**served.environment, "UV_OFFLINE": "1", "UV_NO_INDEX": "1"},
        cwd=served.folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert failed.returncode == 125
    assert failed.stderr.count("No solution found") == 1, failed.stderr
    assert failed.stderr.endswith("[fastflow] the run failed: setup (the lines above say why)\n")

    # artifacts, a repeat that is followed, and what a change of the code makes of it
    served.add("leaves", LEAVES)
    assert served.cli("run", "leaves").returncode == 0
    fetched = served.cli("runs", "artifacts", "last", "--download", str(served.folder / "got"))
    assert fetched.stdout.strip() == str(served.folder / "got" / "table.csv")
    assert (served.folder / "got" / "table.csv").read_text() == "a,b\n"
    first = json.loads(served.cli("runs", "show", "last", "--json").stdout)["id"]
    again = served.cli("runs", "rerun", first[-8:], "-f", "--exact")
    assert (again.returncode, again.stdout) == (0, "left\n")
    served.add("leaves", LEAVES + "print('more')\n")
    changed = served.cli("runs", "rerun", "last", "-f")
    assert changed.stdout == "left\nmore\n"
    told = served.cli("runs", "diff", first, "last").stdout
    assert told.startswith("code: 1 file differs\n  leaves.py: +1 -0 lines\n--- leaves.py\n@@ ")
    assert told.endswith("\n+print('more')\n")


def test_messages_when_settings_or_options_are_wrong_then_the_value_and_the_remedy_are_told(served: Served) -> None:
    wrong = served.cli("runs", "list", PORT="abc")
    assert (wrong.returncode, wrong.stderr) == (
        1,
        (
            "Error: A setting has a wrong value: PORT.\n  PORT: 'abc' is not a whole number from 0 to 65535\n"
            "Hint: Correct the named environment variable (or its line in .env), or remove it to take the default.\n"
        ),
    )
    option = served.cli("runs", "list", "--limit", "x")
    assert option.returncode == 2
    assert "'--limit': 'x' is not a whole number from 1 to 500." in option.stderr
    (served.pipelines / "toml").mkdir()
    (served.pipelines / "toml" / "main.py").write_text("")
    (served.pipelines / "toml" / "pipeline.toml").write_text("timeout = 10m\n")
    checked = served.cli("pipelines", "check")
    assert checked.returncode == 1
    assert checked.stdout == (
        "toml/pipeline.toml:1:13: error: This is not valid TOML: text needs quotes: `timeout = 10m`. "
        '(Write timeout = "10m".)\n'
    )
