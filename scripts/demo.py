"""`make demo`: the example pipelines on real data, through the real server, as a user would run them.

Starts `fastflow serve` on a free port with a data folder of its own (.demo/), makes a token, submits every example over
HTTP, follows the logs live, prints what came out, stops the server. Exits 0 only when every outcome is the expected one,
which for one example is to fail.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parent.parent
DEMO = ROOT / ".demo"
DATA = DEMO / "data"
READY_SECONDS = 60
STREAM_SECONDS = 900  # the first start downloads pandas, SciPy and Matplotlib
SHOWN_LINES = 60


@dataclass(frozen=True)
class Expected:
    """An example to run and what has to come of it."""

    pipeline: str
    params: Mapping[str, Any] = field(default_factory=dict)
    status: str = "SUCCESS"
    reason: str | None = None
    exit_code: int = 0
    outputs: Mapping[str, Any] = field(default_factory=dict)
    artifacts: tuple[str, ...] = ()


EXAMPLES = (
    Expected("greet_city", {"CITY": "Reykjavík", "TIMES": 2}, outputs={"greeting": "Good day, Reykjavík!"}),
    Expected("stdlib_report", outputs={"all_correct": True}),
    Expected("always_fails", status="FAILED", reason="exit", exit_code=1),
    Expected("hundred_thousand_lines", outputs={"lines": 100_000, "crc32": "0d130977"}),
    Expected("pep723_quotes", {"SUM": 2500}, outputs={"best_quote": "bond"}),
    Expected("cdnow_rfm", {"TOP": 5}, outputs={"champions": 8250}, artifacts=("rfm.csv",)),
    Expected(
        "rossi_survival",
        outputs={"log_likelihood": -658.7477, "concordance": 0.6403},
        artifacts=("coefficients.csv", "survival.csv"),
    ),
)


@dataclass
class Outcome:
    """What came of one example."""

    expected: Expected
    run: dict[str, Any]
    lines: int
    artifacts: dict[str, int]
    deviations: list[str]


class Deviation(Exception):
    """Something did not go as it should."""


def main() -> int:
    """Run the demo; the exit code."""
    _prepare()
    try:
        with _server() as url, httpx.Client(base_url=url, timeout=30) as client:
            client.headers["Authorization"] = f"Bearer {_token()}"
            outcomes = _run_examples(client)
    except (Deviation, httpx.HTTPError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        print(f"The server's own log: {DEMO / 'server.log'}", file=sys.stderr)
        return 1
    return _report(outcomes)


# --- the server ------------------------------------------------------------------------------------------------------


def _prepare() -> None:
    """A new data folder; uv's cache is kept, so that a second demo downloads nothing."""
    DEMO.mkdir(exist_ok=True)
    if DATA.exists():
        subprocess.run(["chmod", "-R", "u+rwX", str(DATA)], check=True)  # built environments are read-only
        shutil.rmtree(DATA)


def _environment() -> dict[str, str]:
    """The developer's shell without what would lead the demo elsewhere."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FASTFLOW_")}
    inherited.pop("DATABASE_URL", None)
    inherited.pop("ENCRYPTION_KEY", None)
    return {
        **inherited,
        "DATA_DIR": str(DATA),
        "LOGS_DIR": str(DATA / "logs"),
        "PIPELINES_DIR": str(ROOT / "examples" / "pipelines"),
        "UV_CACHE_DIR": str(DEMO / "uv_cache"),
        "LOG_STREAM_RATE_LIMIT": "0",  # every line, so that a checksum over the stream can be compared
    }


@contextmanager
def _server() -> Iterator[str]:
    """A running server's URL; on leaving, the server has stopped cleanly."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "fastflow", "serve", "--port", str(port)]
    with (DEMO / "server.log").open("wb") as log:
        # Its working folder is .demo, so that no .env of the developer is read.
        process = subprocess.Popen(
            command, env=_environment(), cwd=DEMO, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait_until_ready(process, url)
            print(f"fastflow serve is ready on {url}", flush=True)
            yield url
        finally:
            code = _stop(process)
        if code != 0:
            raise Deviation(f"the server stopped with exit code {code}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    for _ in range(READY_SECONDS * 10):
        try:
            if httpx.get(f"{url}/ready", timeout=5).is_success:
                return
        except httpx.TransportError:
            pass  # not listening yet: the wait below tells whether it ever will
        try:
            raise Deviation(f"the server ended with exit code {process.wait(0.1)} before it was ready")
        except subprocess.TimeoutExpired:
            continue
    raise Deviation(f"the server was not ready within {READY_SECONDS} s")


def _stop(process: subprocess.Popen[bytes]) -> int:
    process.terminate()
    try:
        return process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return -9


def _token() -> str:
    """A token, made as a user would: the command prints it alone."""
    command = [sys.executable, "-m", "fastflow", "tokens", "create", "demo", "--role", "operator"]
    done = subprocess.run(
        command, env=_environment(), cwd=DEMO, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode or not done.stdout.strip():
        raise Deviation(f"`fastflow tokens create` failed:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


# --- the runs --------------------------------------------------------------------------------------------------------


def _run_examples(client: httpx.Client) -> list[Outcome]:
    """Submit all, then follow each; while one is shown, the others go on."""
    submitted = []
    for example in EXAMPLES:
        run = _json(client.post(f"/pipelines/{example.pipeline}/run", json={"params": dict(example.params)}), 202)
        submitted.append((example, run))
    print(f"submitted {len(submitted)} runs; following their logs", flush=True)
    return [_follow(client, example, run) for example, run in submitted]


def _follow(client: httpx.Client, example: Expected, run: dict[str, Any]) -> Outcome:
    given = "".join(f" -p {name}={value}" for name, value in example.params.items())
    print(
        f"\n\033[1m--- {example.pipeline}{given}\033[0m" if sys.stdout.isatty() else f"\n--- {example.pipeline}{given}"
    )
    shown = _Shown()
    end: dict[str, Any] | None = None
    for event, data in _events(client, f"/runs/{run['id']}/logs/stream"):
        if event == "log":
            shown.add(data)
        elif event == "end":
            end = data
            break
    shown.close()
    final = _json(client.get(f"/runs/{run['id']}"), 200)
    artifacts = _json(client.get(f"/runs/{run['id']}/artifacts"), 200)
    names = {item["path"]: item["size_bytes"] for item in artifacts["items"]}
    deviations = _compare(example, final, names)
    if end is None:
        deviations.append("the log stream broke off without its `end` event")
    elif (end["status"], end["exit_code"]) != (final["status"], final["exit_code"]):
        deviations.append(f"the stream ended with {end}, the run says {final['status']}, {final['exit_code']}")
    if "crc32" in example.outputs and shown.checksum() != example.outputs["crc32"]:
        deviations.append(f"the streamed lines have the checksum {shown.checksum()}")
    return Outcome(example, final, shown.count, names, deviations)


class _Shown:
    """Prints a log; of a very long one the beginning and the end."""

    def __init__(self) -> None:
        self.count = 0
        self._lines: list[str] = []
        self._parts: dict[str, str] = {}

    def add(self, data: Mapping[str, Any]) -> None:
        stream = data["stream"]
        line = self._parts.pop(stream, "") + data["line"]
        if data.get("partial"):  # of an over-long line; the stream's next event continues it
            self._parts[stream] = line
            return
        self.count += 1
        if not line.startswith("[fastflow] "):
            self._lines.append(line)
        if self.count <= SHOWN_LINES:
            print(f"  {'!' if stream == 'stderr' else '|'} {line}", flush=True)

    def close(self) -> None:
        if self.count > SHOWN_LINES:
            print(f"  : {self.count - SHOWN_LINES - 1:,} lines more")
            print(f"  | {self._lines[-1]}", flush=True)

    def checksum(self) -> str:
        """CRC-32 of the lines in their own order: they are numbered, and two streams may interleave otherwise."""
        text = "".join(f"{line}\n" for line in sorted(self._lines))
        return f"{zlib.crc32(text.encode()):08x}"


def _events(client: httpx.Client, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The server-sent events of a stream, as (event, data)."""
    headers = {"Accept": "text/event-stream"}
    with client.stream("GET", path, headers=headers, timeout=httpx.Timeout(30, read=STREAM_SECONDS)) as answer:
        if answer.status_code != 200:
            answer.read()
            raise Deviation(f"GET {path}: {answer.status_code} {answer.text}")
        name, data = "message", ""
        for line in answer.iter_lines():
            if not line:
                if data:
                    yield name, json.loads(data)
                name, data = "message", ""
            elif line.startswith("event:"):
                name = line[6:].strip()
            elif line.startswith("data:"):
                data += line[5:].strip()


def _json(answer: httpx.Response, status: int) -> dict[str, Any]:
    if answer.status_code != status:
        raise Deviation(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}")
    body: dict[str, Any] = answer.json()
    return body


# --- the result ------------------------------------------------------------------------------------------------------


def _compare(example: Expected, run: Mapping[str, Any], artifacts: Mapping[str, int]) -> list[str]:
    wanted: dict[str, Any] = {"status": example.status, "reason": example.reason, "exit_code": example.exit_code}
    found = [f"{key} is {run[key]!r}, not {value!r}" for key, value in wanted.items() if run[key] != value]
    outputs = run["outputs"] or {}
    found += [
        f"output {key} is {outputs.get(key)!r}, not {value!r}"
        for key, value in example.outputs.items()
        if outputs.get(key) != value
    ]
    found += [f"artifact {name} is missing or empty" for name in example.artifacts if not artifacts.get(name)]
    if found and run.get("reason_text"):
        found.append(str(run["reason_text"]))
    return found


def _report(outcomes: list[Outcome]) -> int:
    head = ("pipeline", "status", "reason", "exit", "duration", "setup", "environment", "lines", "artifacts", "")
    rows = [
        (
            outcome.expected.pipeline,
            outcome.run["status"],
            outcome.run["reason"] or "",
            str(outcome.run["exit_code"]),
            _seconds(_duration(outcome.run)),
            _seconds(outcome.run["setup_duration"]),
            str(outcome.run["environment"] or "")[:10],
            f"{outcome.lines:,}",
            ", ".join(outcome.artifacts),
            "DEVIATES" if outcome.deviations else "as expected",
        )
        for outcome in outcomes
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    print("\nResults")
    for row in (head, tuple("-" * width for width in widths), *rows):
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for outcome in outcomes:
        for deviation in outcome.deviations:
            print(f"{outcome.expected.pipeline}: {deviation}", file=sys.stderr)
    failed = sum(bool(outcome.deviations) for outcome in outcomes)
    print(f"\n{len(outcomes) - failed} of {len(outcomes)} runs ended as expected.", flush=True)
    return 1 if failed else 0


def _duration(run: Mapping[str, Any]) -> float | None:
    if not run["started_at"] or not run["finished_at"]:
        return None
    return (datetime.fromisoformat(run["finished_at"]) - datetime.fromisoformat(run["started_at"])).total_seconds()


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3f} s"


if __name__ == "__main__":
    sys.exit(main())
