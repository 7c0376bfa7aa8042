"""`fastflow serve` as its users meet it: started, used, killed in parts, stopped, started again, refused."""

import os
import re
import select
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from fastflow.bootstrap import build_product
from fastflow.kit.identity import Actor, Role
from fastflow.settings import Settings
from fastflow.testing.served import PATIENCE_SECONDS, Served

QUICK = "import os, sys\nprint('hello', os.environ['PARAM_NAME'])\nprint('aside', file=sys.stderr)\nsys.exit(3)\n"
PATIENT = """
import os, time
print("begun", flush=True)
for number in range(3000):
    if os.path.exists("{signal}"):
        break
    time.sleep(0.02)
print("ended", flush=True)
"""


def gone(pid: int) -> bool:
    """Whether the process has ended (also when nobody has taken note yet)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def queued(served: Served, pipeline: str) -> str:
    """Submit a run while no server works; its id."""
    environment = dict(served.environment)
    settings = Settings(
        data_dir=served.data, pipelines_dir=environment["PIPELINES_DIR"], logs_dir=environment["LOGS_DIR"]
    )
    product = build_product(settings)
    try:
        return product.runs.submit(pipeline, {}, actor=Actor(name="user:ada", role=Role.OPERATOR)).id
    finally:
        product.close()


def await_gone(*pids: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError), closing_descriptor(os.pidfd_open(pid)) as descriptor:
            select.select([descriptor], [], [], PATIENCE_SECONDS)
        assert gone(pid)


@contextmanager
def closing_descriptor(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@pytest.mark.long
def test_serve_when_used_killed_in_parts_stopped_and_started_again_then_it_keeps_its_promises(served: Served) -> None:
    served.add("quick", QUICK)
    signal_file = served.folder / "go"
    served.add("patient", PATIENT.format(signal=signal_file))
    served.environment["RUN_READABLE_PATHS"] = str(served.folder)
    served.start()

    # the first start tells the one-time password and the key, once, and then one ready line
    text = "\n".join(served.said)
    (password,) = re.findall(r"one-time password (\S+)", text)
    assert text.count("encryption.key") == 1
    assert sum("is ready at" in line for line in served.said) == 1
    status, session = served.call("POST", "/auth/login", {"name": "admin", "password": password}, token="none")
    assert (status, session["must_change_password"]) == (200, True)

    # a token made beside the running server is accepted by it at once
    made = served.cli("tokens", "create", "ci", "--role", "admin")
    assert re.fullmatch(r"ff_\S+\n", made.stdout), made
    served.token = made.stdout.strip()
    status, run = served.call("POST", "/pipelines/quick/run?wait=60", {"params": {"NAME": "Ada"}})
    assert (status, run["status"], run["exit_code"]) == (200, "FAILED", 3)

    # the same through the command line, over the network and beside the server
    remote = {"FASTFLOW_URL": served.url, "FASTFLOW_TOKEN": served.token}
    for environment in (remote, {}):
        done = served.cli("run", "quick", "-p", "NAME=Ada", **environment)
        assert (done.returncode, done.stdout) == (3, "hello Ada\n")
        assert "aside\n" in done.stderr

    # a second server on the same data refuses and leaves the first alone
    second = served.cli("serve", "--port", "0")
    assert second.returncode != 0
    assert "Another server already works on" in second.stderr
    assert served.url in second.stderr

    # either child may be killed: it is started again, requests wait meanwhile, a run goes on
    run_id = served.call("POST", "/pipelines/patient/run", {})[1]["id"]
    os.kill(served.child("web"), signal.SIGKILL)
    assert served.call("GET", f"/runs/{run_id}")[0] == 200
    assert "SIGKILL" in served.await_line("is started again")
    assert "web" in served.await_line("is ready again")
    while served.call("GET", f"/runs/{run_id}/explain")[1]["code"] != "running":
        pass
    os.kill(served.child("runner"), signal.SIGKILL)
    assert "runner" in served.await_line("is started again")
    assert "runner" in served.await_line("is ready again")
    assert served.call("GET", f"/runs/{run_id}")[1]["status"] == "RUNNING"

    # stopping the server leaves the script alive; the next one takes up with it, and its log is whole
    children = served.child("web"), served.child("runner")
    assert served.stop() == 0
    assert "1 run goes on" in "\n".join(served.said)
    await_gone(*children)
    served.said.clear()
    served.start()
    assert not any("password" in line for line in served.said)
    assert served.call("GET", f"/runs/{run_id}")[1]["status"] == "RUNNING"
    signal_file.touch()
    followed = served.cli("runs", "logs", run_id, "-f", **remote | {"FASTFLOW_URL": served.url})
    assert (followed.returncode, followed.stdout) == (0, "begun\nended\n")
    assert served.call("GET", f"/runs/{run_id}")[1]["status"] == "SUCCESS"

    # a parent that is killed takes its children with it, and the next start finds nothing in its way
    children = served.child("web"), served.child("runner")
    assert served.stop(signal.SIGKILL) == -signal.SIGKILL
    await_gone(*children)
    served.start()
    assert served.stop(signal.SIGINT) == 0


def test_serve_when_it_cannot_start_then_it_says_why_once_and_what_to_do(served: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = served.cli("serve", "--port", port)
    assert refused.returncode != 0
    assert f"Error: Port {port} of 127.0.0.1 is taken" in refused.stderr
    assert "Hint: " in refused.stderr

    wrong = served.cli("serve", MAX_CONCURRENT_RUNS="many", STOP_GRACE="soon")
    assert wrong.returncode == 78
    assert "MAX_CONCURRENT_RUNS" in wrong.stderr
    assert "STOP_GRACE" in wrong.stderr
    assert "Traceback" not in wrong.stderr

    # found by the children: told once, although both of them find it
    assert served.cli("secrets", "set", "KEY", "--value", "some-value").returncode == 0
    served.add("needy", "# /// script\n# [tool.fastflow]\n# secrets = ['KEY']\n# ///\n")
    waiting = queued(served, "needy")
    other_key = served.cli("serve", "--port", "0", ENCRYPTION_KEY=Fernet.generate_key().decode())
    assert other_key.returncode == 78
    assert other_key.stderr.count("Error: ") == 1
    assert "KEY" in other_key.stderr
    assert "Hint: " in other_key.stderr
    assert "is ready" not in other_key.stdout
    unserved = served.cli("runs", "show", waiting)
    assert "PENDING" in unserved.stdout, "a run that cannot have its secrets must not be touched"
    assert f"no server works on {served.data}: what is PENDING does not begin" in unserved.stderr

    key_file = served.data / "encryption.key"
    key_file.rename(aside := served.folder / "aside.key")
    no_key = served.cli("serve", "--port", "0")
    assert (no_key.returncode, key_file.exists()) == (78, False), "a new key would hide that the old one is missing"
    assert "encryption.key, which is not there" in no_key.stderr
    aside.rename(key_file)

    with closing(sqlite3.connect(served.data / "fastflow.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    newer = served.cli("serve", "--port", "0")
    assert newer.returncode != 0
    assert newer.stderr.count("Error: ") == 1
    assert "9999" in newer.stderr
    assert "Traceback" not in newer.stderr
