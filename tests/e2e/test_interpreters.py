"""Pipelines that ask for a Python: the server's own, another one on this machine, one that is nowhere, one too old."""

import os
import platform
from pathlib import Path
from typing import Any

import pytest
from tests.integration.environments.projects import write_local_project

from fastflow.testing.interpreters import find_others
from fastflow.testing.served import PATIENCE_SECONDS, Served

TELL = """
import json, platform, sqlite3, ssl, sys
import lib
print("::fastflow::" + json.dumps({"output": {"version": platform.python_version(), "origin": lib.ORIGIN}}))
print("out"); print("err", file=sys.stderr)
sys.exit(3)
"""


def add(house: Served, name: str, python: str) -> None:
    """A pipeline on that Python, with a dependency that is built for it."""
    folder = house.pipelines / name
    write_local_project(folder / "lib")
    (folder / "main.py").write_text(TELL)
    (folder / "requirements.txt").write_text("./lib\n")
    (folder / "pipeline.toml").write_text(f'python = "{python}"\n')


def run(house: Served, name: str) -> dict[str, Any]:
    status, ended = house.call("POST", f"/pipelines/{name}/run?wait={PATIENCE_SECONDS:g}", {})
    assert status == 200, ended
    return dict(ended)


@pytest.mark.long
def test_pipelines_when_they_ask_for_a_python_then_they_run_on_it_or_are_told_why_not(served: Served) -> None:
    others = find_others()
    own = platform.python_version()
    served.environment["UV_PYTHON_DOWNLOADS"] = "never"
    served.environment["PATH"] = os.pathsep.join(
        [*(str(program.parent) for program in others.values()), os.environ["PATH"]]
    )
    wanted = {minor.replace(".", "_"): minor for minor in others} | {"own": own.rpartition(".")[0]}
    for name, python in wanted.items():
        add(served, f"python{name}", python)
    add(served, "nowhere", "3.99")
    (served.pipelines / "header.py").write_text(
        f'# /// script\n# requires-python = "~={own.rpartition(".")[0]}.0"\n# dependencies = []\n# ///\nprint("fits")\n'
    )
    (served.pipelines / "unfit.py").write_text(
        '# /// script\n# requires-python = ">=3.98"\n# dependencies = []\n# ///\nprint("never")\n'
    )
    served.start()
    served.token = served.cli("tokens", "create", "ci", "--role", "admin").stdout.strip()

    for name, python in wanted.items():
        run(served, f"python{name}")
        ended = run(served, f"python{name}")  # the second one finds the environment, and a warm start, ready
        assert (ended["status"], ended["reason"], ended["exit_code"]) == ("FAILED", "exit", 3), ended["reason_text"]
        assert f"{ended['outputs']['version']}.".startswith(f"{python}.")
        assert ended["outputs"]["origin"] == "local"
        assert ended["interpreter"].startswith(f"cpython-{python}.")
        assert ended["isolation"]["namespaces"] or ended["isolation"]["files"] == "landlock"
        assert sorted(served.cli("runs", "logs", ended["id"]).stdout.splitlines()) == ["err", "out"]
    assert run(served, "header")["status"] == "SUCCESS"

    for name, python in (("nowhere", "3.99"), ("unfit", ">=3.98")):
        ended = run(served, name)
        assert (ended["status"], ended["reason"], ended["exit_code"]) == ("FAILED", "setup", None)
        assert f"Python {python} is not on this machine and could not be downloaded" in ended["reason_text"]
        state = served.call("GET", f"/pipelines/{name}")[1]["environment"]
        assert (state["state"], state["why"]) == ("failed", ended["reason_text"])
    states = {item["name"]: item["environment"]["state"] for item in served.call("GET", "/pipelines")[1]["items"]}
    assert {name for name, state in states.items() if state == "failed"} == {"nowhere", "unfit"}
    shipped = {"churn", "cox", "cf"}  # which are built when they are first used
    assert {state for name, state in states.items() if name not in shipped} == {"ready", "failed"}
    assert not list(Path(served.data / "build").iterdir())
