"""The web process as it is started: what it refuses before any credentials, and how it begins and ends."""

import json
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from fastflow.kernel.http.protocol import MAX_HEAD_BYTES


class _Web(Protocol):
    url: str
    token: str
    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    start: Callable[[Mapping[str, str], Path], tuple[subprocess.Popen[bytes], str]]


def _connect(web: _Web) -> socket.socket:
    where = urlsplit(web.url)
    assert where.hostname is not None
    assert where.port is not None
    return socket.create_connection((where.hostname, where.port), timeout=20)


def _memory(web: _Web) -> int:
    status = Path(f"/proc/{web.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))


def test_server_when_asked_without_credentials_tells_its_state_and_nothing_else(web_process: _Web) -> None:
    with httpx.Client(base_url=web_process.url) as client:
        health, ready = client.get("/health"), client.get("/ready?for=requests")
        assert (health.status_code, health.json()) == (200, {"status": "degraded"}), "no runner has been started"
        assert (ready.status_code, ready.json()) == (200, {"ready": True, "missing": []})
        whole = client.get("/ready")
        assert (whole.status_code, whole.json()) == (503, {"ready": False, "missing": ["runner"]})
        refused = client.get("/runs")
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    assert "server" not in refused.headers


def test_server_when_asked_with_credentials_tells_what_is_wrong(web_process: _Web) -> None:
    answer = httpx.get(f"{web_process.url}/health", headers={"Authorization": f"Bearer {web_process.token}"})
    parts = answer.json()["parts"]
    assert parts["database"]["ok"]
    assert parts["disk"]["free_bytes"]["DATA_DIR"] > 0
    assert not parts["runner"]["ok"]
    assert "fastflow serve" in parts["runner"]["hint"]


def test_huge_body_when_announced_is_refused_before_it_is_sent(web_process: _Web) -> None:
    with _connect(web_process) as connection:
        connection.sendall(
            b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n"
        )
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in answer.lower()


def test_endless_head_when_sent_is_cut_and_costs_no_memory(web_process: _Web) -> None:
    before = _memory(web_process)
    sent = 0
    with _connect(web_process) as connection:
        try:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nX: ")
            while sent < 64 * 2**20:
                connection.sendall(b"x" * 65536)
                sent += 65536
        except OSError:
            assert sent < 32 * 2**20
    assert sent < 64 * 2**20, "the server took it all"
    assert _memory(web_process) - before < 20 * 1024
    assert httpx.get(f"{web_process.url}/health").status_code == 200


def test_long_head_when_within_the_limit_is_served(web_process: _Web) -> None:
    answer = httpx.get(f"{web_process.url}/health", headers={"X": "x" * (MAX_HEAD_BYTES // 2)})
    assert answer.status_code == 200


def test_body_when_large_but_allowed_does_not_count_as_head(web_process: _Web) -> None:
    body = json.dumps({"name": "ann", "password": "x" * (MAX_HEAD_BYTES * 4)})
    with httpx.Client(base_url=web_process.url) as client:
        for _ in range(2):  # the second on the same connection
            answer = client.post("/auth/login", content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code == 422


def test_garbage_when_sent_is_refused(web_process: _Web) -> None:
    with _connect(web_process) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 400")


def test_key_file_when_made_at_the_start_is_private(web_process: _Web) -> None:
    mode = (Path(web_process.environment["DATA_DIR"]) / "encryption.key").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def _start(environment: dict[str, str], **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fastflow.web"],
        env={**environment, **changes},
        capture_output=True,
        text=True,
        timeout=60,
        cwd=environment["DATA_DIR"],
    )


def test_start_when_a_setting_is_wrong_names_it_and_does_not_ask_to_be_repeated(web_process: _Web) -> None:
    ended = _start(web_process.environment, PORT="eighty")
    assert ended.returncode == 78
    assert "PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_start_when_the_key_does_not_fit_the_database_says_so(web_process: _Web) -> None:
    body = {"key": "TOKEN", "value": "hunter2-hunter2"}
    headers = {"Authorization": f"Bearer {web_process.token}"}
    assert httpx.post(f"{web_process.url}/secrets", json=body, headers=headers).status_code == 201
    ended = _start(web_process.environment, ENCRYPTION_KEY="A" * 43 + "=")
    assert ended.returncode == 78
    assert "1 of 1 secrets cannot be decrypted with ENCRYPTION_KEY: TOKEN" in ended.stderr
    assert "hunter2" not in ended.stderr


def test_server_when_told_to_stop_ends_an_open_stream_within_seconds(web_process: _Web, tmp_path: Path) -> None:
    second, url = web_process.start(web_process.environment, tmp_path)
    headers = {"Authorization": f"Bearer {web_process.token}"}
    try:
        with httpx.stream("GET", f"{url}/logs/stream", headers=headers, timeout=30) as stream:
            assert stream.status_code == 200
            second.send_signal(signal.SIGTERM)
            assert second.wait(15) in (0, -signal.SIGTERM)
    finally:
        second.kill()
        second.wait(15)
