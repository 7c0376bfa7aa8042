"""A server whose disk is nearly full starts nothing new, says why, and goes on by itself when there is room."""

import time

from fastflow.testing.served import PATIENCE_SECONDS, Served
from fastflow.testing.small_disk import small_disk


def test_serve_when_the_disk_is_nearly_full_then_runs_wait_with_a_reason_until_there_is_room(served: Served) -> None:
    served.environment |= {"MIN_FREE_DISK_MB": "4", "UV_PRE_HEAT": "false"}
    served.add("quick", "print('hello')\n")
    with small_disk(served.folder / "logs", 8) as disk:
        disk.keep(5)
        served.start()
        served.token = served.cli("tokens", "create", "ci", "--role", "admin").stdout.strip()
        status, run = served.call("POST", "/pipelines/quick/run", {"params": {}})
        assert status == 202
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (why := served.call("GET", f"/runs/{run['id']}/explain")[1])["code"] != "disk_low":
            assert time.monotonic() < deadline, why
        assert "LOGS_DIR has 3 MB free, less than the 4 MB of MIN_FREE_DISK_MB" in why["text"]
        assert "LOGS_DIR" in served.await_line("queue.held_back")

        disk.give_back()
        while (now := served.call("GET", f"/runs/{run['id']}")[1]["status"]) != "SUCCESS":
            assert now in ("PENDING", "RUNNING") and time.monotonic() < deadline, now
        served.close()
