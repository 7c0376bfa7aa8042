"""What `/health` says of the runner is true at once, not only after it has been silent for a while."""

import os
import select
import signal

from fastflow.testing.served import PATIENCE_SECONDS, Served


def test_health_when_the_runner_is_killed_then_it_says_so_at_once_and_until_it_is_back(served: Served) -> None:
    served.start()
    served.token = served.cli("tokens", "create", "ci", "--role", "viewer").stdout.strip()
    assert served.call("GET", "/health")[1]["parts"]["runner"]["ok"] is True
    assert served.process is not None
    runner = served.child("runner")
    ended = os.pidfd_open(runner)
    os.kill(served.process.pid, signal.SIGSTOP)  # so that it does not start the runner again
    try:
        os.kill(runner, signal.SIGKILL)
        select.select([ended], [], [], PATIENCE_SECONDS)
        health = served.call("GET", "/health")[1]
        ready = served.call("GET", "/ready", token="none")
    finally:
        os.kill(served.process.pid, signal.SIGCONT)
        os.close(ended)
    assert (health["status"], health["parts"]["runner"]["ok"]) == ("degraded", False)
    assert "stay in the queue" in health["parts"]["runner"]["hint"]
    assert ready == (503, {"ready": False, "missing": ["runner"]})
    assert served.call("GET", "/ready?for=requests", token="none")[0] == 200  # requests are answered all the same
    served.await_line("is ready again")
    while served.call("GET", "/health")[1]["status"] != "ok":
        pass
