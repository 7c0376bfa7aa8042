import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fastflow.apps.churn.errors import DatabaseBusy
from fastflow.apps.churn.infra.lock import DatabaseLock
from fastflow.testing.clock import FakeClock

HOLDER = """
import sys
from pathlib import Path
from fastflow.apps.churn.infra.lock import DatabaseLock
from fastflow.kit.clock import SystemClock
with DatabaseLock(Path(sys.argv[1]), host="here", clock=SystemClock()).held():
    print("held", flush=True)
    sys.stdin.read()
"""


def lock_at(path: Path, wait_seconds: float = 30.0) -> DatabaseLock:
    return DatabaseLock(path, host="here", clock=FakeClock(), wait_seconds=wait_seconds)


def test_lock_when_its_holder_is_killed_then_the_next_one_gets_it_at_once(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdin is not None
    with holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(DatabaseBusy) as caught, lock_at(path, 0.05).held():
            pass
        assert f"process {holder.pid} on this machine since" in caught.value.message
        holder.send_signal(signal.SIGKILL)
        holder.wait(60)
        assert str(holder.pid) in path.read_text()  # it had no time to tidy up
        with lock_at(path).held():
            assert str(os.getpid()) in path.read_text()


def test_lock_when_a_thread_waits_then_it_gets_it_when_it_is_given_back(tmp_path: Path) -> None:
    path, order, waiting = tmp_path / "lock", [], threading.Event()

    def second() -> None:
        waiting.set()
        with lock_at(path).held():
            order.append("second")

    thread = threading.Thread(target=second)
    with lock_at(path).held():
        thread.start()
        assert waiting.wait(60)
        order.append("first")
    thread.join(60)
    assert order == ["first", "second"]


def test_lock_when_waiting_was_in_vain_then_it_is_not_taken_later(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock_at(path).held(), pytest.raises(DatabaseBusy), lock_at(path, 0.01).held():
        pass
    for _ in range(20):
        with lock_at(path).held():
            pass
