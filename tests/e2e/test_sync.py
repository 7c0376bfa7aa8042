"""Code from Git in the whole product: synced, run, pushed, told by webhook, run again, rolled back."""

import hashlib
import hmac
import json
import shutil
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastflow.testing.git_upstream import Upstream
from fastflow.testing.served import PATIENCE_SECONDS, Served

SECRET = "a long random text"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    folder = Path(tempfile.mkdtemp(prefix="ff-git-"))
    yield Upstream(folder)
    shutil.rmtree(folder)


def push_webhook(served: Served, commit: str) -> dict[str, Any]:
    body = json.dumps({"ref": "refs/heads/main", "after": commit, "pusher": {"name": "ada"}}).encode()
    request = urllib.request.Request(
        f"{served.url}/sync/webhook/flows",
        data=body,
        headers={
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-Hub-Signature-256": f"sha256={hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}",
        },
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        assert answer.status == 202
        taken: dict[str, Any] = json.loads(answer.read())
        return taken


def run(served: Served) -> tuple[str, str]:
    """What the pipeline prints now, and the commit it ran from."""
    status, done = served.call("POST", "/pipelines/hello/run?wait=60", {})
    assert (status, done["status"]) == (200, "SUCCESS"), done
    log = served.cli("runs", "logs", done["id"])
    return log.stdout.strip(), done["commit"]


@pytest.mark.long
def test_code_when_synced_pushed_told_and_rolled_back_then_runs_are_of_the_active_commit(
    served: Served, upstream: Upstream
) -> None:
    first = upstream.push({"hello/main.py": "print('one')\n"}, "First")
    served.environment["GIT_PROTOCOLS"] = "https,file"
    served.start()
    served.token = served.cli("tokens", "create", "ci", "--role", "admin").stdout.strip()
    assert served.call("POST", "/secrets", {"key": "HOOK", "value": SECRET, "pipelines": []})[0] == 201
    added = served.cli("sync", "add", "flows", upstream.url, "--webhook-secret", "HOOK")
    assert added.returncode == 0, added.stderr

    planned = served.cli("sync", "plan")
    assert planned.returncode == 0 and "+ hello" in planned.stdout, planned.stdout + planned.stderr
    assert served.call("GET", "/pipelines/hello")[0] == 404
    synced = served.cli("sync", "run", "--reason", "first try")
    assert synced.returncode == 0 and "activated. Added hello." in synced.stdout, synced.stdout + synced.stderr
    assert "[flows]   hello: ready" in synced.stderr
    assert run(served) == ("one", first)

    second = upstream.push({"hello/main.py": "print('two')\n"}, "Second")
    taken = push_webhook(served, second)
    status, done = served.call("GET", f"/sync/history/{taken['sync_id']}?wait=60")
    assert (status, done["state"], done["trigger"], done["reason"]) == (200, "activated", "webhook", "pushed by ada")
    assert run(served) == ("two", second)

    broken = upstream.push({"hello/main.py": "print('three'\n"}, "Third")
    refused = served.cli("sync")
    assert refused.returncode == 1 and "blocker: hello/main.py:1:" in refused.stdout
    assert run(served) == ("two", second)

    back = served.cli("sync", "rollback", "--reason", "totals are wrong")
    assert back.returncode == 0, back.stderr
    assert run(served) == ("one", first)
    (told,) = served.call("GET", "/sync/status")[1]["items"]
    assert (told["active"]["commit"], told["held_commit"], told["remote_commit"]) == (first, second, broken)
    history = served.cli("sync", "history").stdout.splitlines()
    assert [line.split()[3:5] for line in history[1:]] == [
        ["rollback", "activated"],
        ["sync", "refused"],
        ["sync", "activated"],
        ["sync", "activated"],
        ["plan", "planned"],
    ]
