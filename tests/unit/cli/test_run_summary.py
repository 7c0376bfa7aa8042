from typing import Any

import pytest

from fastflow.cli.run_summary import print_run

RUN: dict[str, Any] = {
    "id": "019a6c1e-7d4b-7cc0-8000-3f2a1b0c9d8e",
    "pipeline_name": "rfm",
    "status": "FAILED",
    "reason": "exit",
    "reason_text": "exit code 3",
    "exit_code": 3,
    "params": {"CITY": "Ulm", "TOP": 3},
    "queued_at": "2026-11-21T04:35:18Z",
    "submitted_by": "cli:ada",
    "trigger": "cli",
    "priority": 0,
    "concurrency_key": "Ulm",
    "rerun_of": None,
    "attempt": 1,
    "retry_of": None,
    "retried_by": None,
    "not_before": None,
    "started_at": "2026-11-21T04:35:18Z",
    "finished_at": "2026-11-21T04:35:20Z",
    "setup_duration": 0.012,
    "peak_memory_bytes": 2048,
    "cpu_seconds": 1.5,
    "progress": {"progress": 0.5, "step": "fit"},
    "metrics": {"auc": 0.81},
    "outputs": None,
    "environment": "e" * 64,
    "interpreter": "cpython-3.11.7",
    "commit": "c" * 40,
    "log_deleted_at": None,
    "log_file": "/logs/x.log",
    "isolation": {
        "user": 64900,
        "namespaces": ["user", "mount", "pid"],
        "network": False,
        "cgroup": 1,
        "start": "cold",
        "files": "view",
    },
    "capsule": {
        "script": "main.py",
        "tree_hash": "t" * 64,
        "dirty": True,
        "secrets": {"TOKEN": 2},
        "limits": {"memory_bytes": 1024, "cpus": 0.5, "pids": 7, "file_size_bytes": 512},
        "timeouts": {"run": 60.0, "idle": None},
    },
}
ARTIFACTS = [{"path": "a.txt", "size_bytes": 6}]


def test_print_run_when_not_on_a_terminal_then_every_fact_is_a_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_run(RUN, ARTIFACTS)
    lines = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    told = {name.strip(): text.strip() for name, text in lines.items()}
    assert told["status"] == "FAILED"
    assert told["reason"] == "exit: exit code 3"
    assert told["parameters"] == "CITY=Ulm, TOP=3"
    assert (told["concurrency key"], "priority" in told) == ("Ulm", False)
    assert told["progress"] == "50% fit"
    assert told["metrics"] == "auc=0.81"
    assert told["artifacts"] == "a.txt (6 B)"
    assert told["code"] == "main.py, snapshot tttttttttttt, commit cccccccccccc with changes of its own"
    assert told["secrets"] == "TOKEN (version 2)"
    assert told["limits"] == "1.0 KB memory, 0.5 CPUs, 7 processes, files of 512 B, run timeout 1 min 0 s"
    assert told["isolation"] == (
        "user 64900; namespaces of its own: mount, pid; without network; limits by cgroup; cold start; files: view"
    )
    assert "outputs" not in told


def test_print_run_when_on_a_terminal_then_it_is_drawn_in_sections(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_run(RUN, [])
    out = capsys.readouterr().out
    assert "Made of" in out
    assert "Told and left" in out
    assert "FAILED" in out


def test_print_run_when_it_waits_then_only_what_is_known_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("reason", "reason_text", "exit_code", "started_at", "finished_at", "setup_duration", "peak_memory_bytes")
    empty = dict.fromkeys((*names, "cpu_seconds", "progress", "metrics", "environment", "isolation", "commit"))
    print_run({**RUN, **empty, "status": "PENDING", "params": {}, "log_file": None}, [])
    out = capsys.readouterr().out
    assert "PENDING" in out and "priority" in out
    assert "None" not in out and "{}" not in out
