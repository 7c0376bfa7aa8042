"""Starting a cluster of our own: what it is told, and how it is found again."""

import json
import os
import subprocess
import sys
from pathlib import Path

from fastflow.kernel.executors.ray.local import IP, LocalCluster, environment, free_ports, start_command
from fastflow.kernel.executors.ray.sessions import born_at, end_session, members_of


def test_environment_when_handed_on_then_no_secret_of_the_server_is_in_it_and_a_token_is_asked_for() -> None:
    given = {
        "PATH": "/bin",
        "ENCRYPTION_KEY": "s3cret",
        "DATABASE_URL": "postgresql://me:s3cret@db",
        "RAY_ADDRESS": "http://elsewhere",
        "RAY_worker_register_timeout_seconds": "9",
        "UV_INDEX_URL": "http://index",
    }
    told = environment(given, "token")
    assert "s3cret" not in str(told) and "RAY_ADDRESS" not in told
    assert (told["RAY_AUTH_MODE"], told["RAY_AUTH_TOKEN"], told["UV_INDEX_URL"]) == ("token", "token", "http://index")
    assert told["RAY_USAGE_STATS_ENABLED"] == told["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] == "0"


def test_command_when_built_then_every_port_is_its_own_and_the_node_is_on_an_address_of_this_machine_alone() -> None:
    ports = free_ports(IP, 7)
    head = start_command(IP, "/tmp/x", ports, head=True)
    node = start_command("127.0.0.3", "/tmp/x", ports[:4], head=False, more=["--address=head:1"])
    assert len(set(ports)) == 7 and f"--node-ip-address={IP}" in head and IP.startswith("127.")
    assert "--head" in head and "--head" not in node and node[-1] == "--address=head:1"
    assert any(word.startswith("--dashboard-agent-listen-port=") for word in node)
    assert "--temp-dir=/tmp/x" in head and "--temp-dir=/tmp/x" in node


def test_cluster_when_its_process_is_gone_or_another_then_it_is_not_found(tmp_path: Path) -> None:
    local = LocalCluster(tmp_path, {})
    assert local.find() is None
    me = {"pid": os.getpid(), "born": born_at(os.getpid()), "address": "http://x", "token": "t", "folder": "/tmp/x"}
    (tmp_path / "cluster.json").write_text(json.dumps(me))
    found = local.find()
    assert found is not None and found.pid == os.getpid()
    (tmp_path / "cluster.json").write_text(json.dumps({**me, "born": 1}))
    assert local.find() is None
    (tmp_path / "cluster.json").write_text("{")
    assert local.find() is None
    local.end()


def test_session_when_ended_then_all_of_it_and_nobody_else() -> None:
    script = (
        "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nos.fork()\n"
        "os.write(1, b'up\\n')\ntime.sleep(60)"
    )
    ours, other = (
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True)
        for _ in range(2)
    )
    for process in (ours, other):
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == [b"up\n", b"up\n"]
    assert len(members_of(ours.pid)) == 2
    end_session(ours.pid, 0.2)
    ours.wait(10)
    assert members_of(ours.pid) == set() and len(members_of(other.pid)) == 2
    end_session(other.pid, 0)
    other.wait(10)
    for process in (ours, other):
        assert process.stdout is not None
        process.stdout.close()
