"""A backup of a server under load: every run in it is whole, and a server starts from it."""

import json
import shutil
import sqlite3
import tempfile
import threading
from contextlib import closing
from pathlib import Path

import pytest

from fastflow.testing.served import Served

SCRIPT = """
import os, pathlib
print("the first line")
pathlib.Path(os.environ["FASTFLOW_ARTIFACTS"], "out.txt").write_text(os.environ["FASTFLOW_RUN_ID"])
print("the last line")
"""


@pytest.mark.long
def test_backup_when_the_server_works_then_every_run_in_it_is_whole_and_can_be_served(served: Served) -> None:
    served.add("quick", SCRIPT)
    served.start()
    served.token = served.cli("tokens", "create", "ci", "--role", "admin").stdout.strip()
    stop, ended = threading.Event(), threading.Event()

    def work() -> None:
        while not stop.is_set():
            status, _ = served.call("POST", "/pipelines/quick/run?wait=20", {"params": {}})
            assert status in (200, 202), status
            ended.set()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    place = served.folder / "backups" / "now.tar.gz"
    try:
        assert ended.wait(60)
        made = served.cli("backup", "create", str(place), "--with-logs", "--with-artifacts", "--with-key")
        assert made.returncode == 0, made.stderr
        assert "encryption key" in made.stderr
        _, entries = served.call("GET", "/audit?action=backup.create")
        assert [one["subject"] for one in entries["items"]] == [str(place)]
        refused = served.cli("restore", str(place), "--force")
        assert refused.returncode != 0 and "Stop the server" in refused.stderr
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    assert served.cli("backup", "verify", str(place)).returncode == 0

    folder = Path(tempfile.mkdtemp(prefix="ff-"))
    folder.chmod(0o755)
    other = Served(folder)
    try:
        restored = other.cli("restore", str(place))
        assert restored.returncode == 0, restored.stderr
        with closing(sqlite3.connect(other.data / "fastflow.db")) as connection:
            runs = connection.execute("SELECT id, status, tree_hash FROM run").fetchall()
        assert runs and {status for _, status, _ in runs} <= {"SUCCESS", "RUNNING", "PENDING"}
        for run_id, status, tree in runs:
            assert (other.data / "code" / tree / "quick.py").exists()
            if status == "SUCCESS":
                log = (folder / "logs" / f"{run_id}.log").read_text()
                assert "the first line" in log and "the last line" in log
                assert (other.data / "artifacts" / run_id / "out.txt").read_text() == run_id
        other.add("quick", SCRIPT)
        other.start()
        other.token = served.token
        _, page = other.call("GET", "/runs?limit=500&status=SUCCESS")
        done = [run["id"] for run in page["items"]]
        assert {run_id for run_id, status, _ in runs if status == "SUCCESS"} <= set(done)
        again = other.cli("runs", "rerun", done[-1], "--json")
        assert json.loads(again.stdout)["rerun_of"] == done[-1], again.stderr
    finally:
        other.close()
        shutil.rmtree(folder, ignore_errors=True)
