"""`fastflow run` without a server: isolated, kept in the history, with the script's own bytes and exit code."""

import json
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import cast

from fastflow.testing.served import PATIENCE_SECONDS, Served

RAW = """
import os, sys
os.write(1, b"caf\\xe9 \\x1b[31mred\\x1b[0m\\n" + b"x" * 100_000 + b"\\n")
os.write(2, b"aside\\n")
print(os.environ["PARAM_NAME"], os.environ["PARAM_COUNT"], type(__import__("json").load(open(os.environ["FASTFLOW_PARAMS"]))["COUNT"]).__name__)
os.write(1, b"no newline at the end")
sys.exit(7)
"""
SCHEMA = '[params.properties.COUNT]\ntype = "integer"\n[params.properties.NAME]\ntype = "string"\n'
POLITE = """
import os, signal, sys, time
def leave(*_):
    os.write(1, b"leaving\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print("begun", flush=True)
time.sleep(600)
"""
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"no\\n"))
print("begun", flush=True)
while True:
    time.sleep(600)
"""
PATIENT = """
import os, time
print("begun", flush=True)
while not os.path.exists("{signal}"):
    time.sleep(0.02)
print("ended", flush=True)
raise SystemExit(5)
"""


def begin(served: Served, *arguments: str) -> "subprocess.Popen[bytes]":
    """`fastflow run …`, read until the script says that it has begun."""
    process = subprocess.Popen(
        served.command("run", *arguments),
        env=served.environment,
        cwd=served.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == b"begun\n", (line, process.communicate()[1])
    return process


def finish(process: "subprocess.Popen[bytes]") -> tuple[int, bytes, bytes]:
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, out, err


def test_run_when_given_a_path_then_bytes_and_exit_code_are_the_scripts_and_the_run_is_kept(served: Served) -> None:
    elsewhere = served.folder / "elsewhere" / "raw"
    elsewhere.mkdir(parents=True)
    (elsewhere / "main.py").write_text(RAW)
    (elsewhere / "pipeline.toml").write_text(SCHEMA)
    done = subprocess.run(
        served.command("run", str(elsewhere), "-p", "NAME=3", "-p", "COUNT=3"),
        env=served.environment,
        cwd=served.folder,
        capture_output=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 7, done.stderr
    assert done.stdout == (
        b"caf\xe9 \x1b[31mred\x1b[0m\n" + b"x" * 100_000 + b"\n" + b"3 3 int\n" + b"no newline at the end"
    )
    assert b"aside\n" in done.stderr
    assert b"the run failed: exit" in done.stderr
    (kept,) = json.loads(served.cli("runs", "list", "--json").stdout)["items"]
    assert (kept["pipeline_name"], kept["trigger"], kept["exit_code"]) == ("raw", "cli", 7)
    assert kept["isolation"]["start"] == "cold"
    assert list((served.data / "supervised").iterdir()) == []


def test_run_when_the_disk_is_nearly_full_then_nothing_begins_and_the_rule_is_named(served: Served) -> None:
    served.add("hello", "print()\n")
    refused = served.cli("run", "hello", MIN_FREE_DISK_MB=str(10**9))
    assert refused.returncode != 0 and "MIN_FREE_DISK_MB" in refused.stderr, refused.stderr
    assert json.loads(served.cli("runs", "list", "--json").stdout)["items"] == []


def test_run_when_stopped_in_any_way_then_the_exit_code_says_which(served: Served) -> None:
    served.add("polite", POLITE)
    served.add("stubborn", STUBBORN)
    served.add("sleeper", 'import time\nprint("begun", flush=True)\ntime.sleep(600)\n')
    polite, stubborn = begin(served, "polite"), begin(served, "stubborn")
    late = begin(served, "sleeper", "--timeout", "300ms")

    polite.send_signal(signal.SIGINT)
    code, out, err = finish(polite)
    assert (code, out) == (130, b"leaving\n"), err
    assert b"cancelled" in err

    stubborn.send_signal(signal.SIGINT)
    assert stubborn.stdout is not None
    assert stubborn.stdout.readline() == b"no\n"
    stubborn.send_signal(signal.SIGINT)
    assert finish(stubborn)[0] == 130

    code, _, err = finish(late)
    assert (code, b"timeout" in err) == (124, True), err


def test_run_when_a_server_starts_meanwhile_then_the_server_sees_it_through_and_nothing_is_lost(served: Served) -> None:
    signal_file = served.folder / "go"
    served.environment["RUN_READABLE_PATHS"] = str(served.folder)
    served.add("patient", PATIENT.format(signal=signal_file))
    process = begin(served, "patient")
    served.start()
    run_id = str(_only_run(served)["id"])
    assert _only_run(served)["status"] == "RUNNING"
    signal_file.touch()
    code, out, err = finish(process)
    assert (code, out) == (5, b"ended\n"), err
    ended = _only_run(served)
    assert (ended["status"], ended["reason"], ended["exit_code"]) == ("FAILED", "exit", 5)
    log = Path(str(ended["log_file"])).read_text()
    assert [line.split(" ", 3)[3] for line in log.splitlines()] == ["begun", "ended"]
    assert "was taken over" not in err.decode()
    assert served.cli("runs", "logs", run_id).stdout == "begun\nended\n"


def _only_run(served: Served) -> sqlite3.Row:
    with closing(sqlite3.connect(served.data / "fastflow.db", timeout=30)) as database:
        database.row_factory = sqlite3.Row
        (row,) = database.execute("SELECT * FROM run").fetchall()
    return cast("sqlite3.Row", row)
