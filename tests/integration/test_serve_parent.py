"""The parent process with children that a test scripts: starts, restarts, stops, and gives up."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastflow import children

READY = "import sys, os, json; fd = int(sys.argv[2]); os.write(fd, b'{\"ready\": true}\\n'); os.close(fd); "
WAIT = "import signal; signal.pause()"
STEADY = READY + WAIT
TELLS_PROBLEM = "import sys, os, json; os.write(int(sys.argv[2]), json.dumps({'problem': 'Error: broken'}).encode() + b'\\n'); sys.exit(78)"
LISTS = """
import json, os, pathlib, sys
pipe = int(sys.argv[2])
held = [link for link in pathlib.Path("/proc/self/fd").iterdir() if int(link.name) not in {0, 1, 2, pipe}]
os.write(pipe, json.dumps({"say": f"holds {[str(link.readlink()) for link in held if link.is_symlink()]}"}).encode() + b"\\n")
"""
CRASHES = "raise SystemExit(5)"
DIES_WHEN_READY = READY + "os.kill(os.getpid(), 9)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + READY + "\nwhile True: signal.pause()"

DRIVER = """
import sys
from pathlib import Path
from fastflow import children, serve

class Scripted(children.Child):
    def _import(self):
        return self.play

    def play(self, arguments):
        sys.argv = ["-c", *arguments]
        exec(CODES[self.name], {{}})
        return 0

CODES = dict({children!r})
serve.STOP_SECONDS = {stop_seconds}
scripted = [Scripted(name, "") for name in CODES]
parent = serve.Parent(scripted, url="http://test", data_dir=Path("/nowhere"), say=serve._say, complain=serve._complain)
outcome = parent.run()
sys.exit(outcome if isinstance(outcome, int) else outcome())
"""


class Driven:
    """A parent process over scripted children."""

    def __init__(self, stop_seconds: float = 30.0, *, signalled: bool = False, **children: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER.format(children=list(children.items()), stop_seconds=stop_seconds)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            preexec_fn=_signal_early if signalled else None,  # noqa: PLW1509 - it only sends itself a signal
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def child(self, name: str) -> int:
        pids = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return next(int(pid) for pid in pids if Path(f"/proc/{pid}/comm").read_text() == f"fastflow-{name}\n")

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


def _signal_early() -> None:
    """As a signal that comes between the command's last line and the parent's first."""
    signal.pthread_sigmask(signal.SIG_BLOCK, children.SIGNALS)
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def driven() -> Iterator[list[Driven]]:
    made: list[Driven] = []
    yield made
    for each in made:
        if each.process.poll() is None:
            each.process.kill()
        each.process.communicate()


def test_parent_when_all_children_are_ready_then_it_says_so_once_and_ends_with_them(driven: list[Driven]) -> None:
    parent = Driven(web=STEADY, runner=STEADY)
    driven.append(parent)
    assert parent.line() == "Fast-Flow is ready at http://test (Ctrl-C stops it; runs go on)."
    parent.process.send_signal(signal.SIGTERM)
    assert parent.end() == (0, "Stopping. No run is going on.\n", "")


def test_parent_when_a_child_keeps_dying_then_it_waits_longer_each_time(driven: list[Driven]) -> None:
    parent = Driven(web=DIES_WHEN_READY)
    driven.append(parent)
    said = [parent.line() for _ in range(6)]
    restarts = [line for line in said if "started again" in line]
    assert [line.split(" in ")[1].split(" s.")[0] for line in restarts] == ["0.2", "0.4", "0.8"]
    assert all(line.startswith("The web process was ended by SIGKILL") for line in restarts)
    assert said.count("The web process is ready again.") == 2
    parent.process.send_signal(signal.SIGINT)
    assert parent.end()[0] == 0


def test_parent_when_a_child_dies_before_it_was_ready_then_all_ends_with_its_code(driven: list[Driven]) -> None:
    parent = Driven(web=WAIT, runner=CRASHES)
    driven.append(parent)
    code, out, err = parent.end()
    assert (code, out) == (5, ""), err
    assert err.startswith("The runner process ended with exit code 5 before it was ready")


def test_parent_when_both_children_have_the_same_problem_then_it_is_told_once(driven: list[Driven]) -> None:
    parent = Driven(web=TELLS_PROBLEM, runner=TELLS_PROBLEM)
    driven.append(parent)
    assert parent.end() == (78, "", "Error: broken\n")


def test_parent_when_a_child_ignores_the_signal_then_a_second_one_kills_it(driven: list[Driven]) -> None:
    parent = Driven(web=STUBBORN)
    driven.append(parent)
    assert "ready" in parent.line()
    parent.process.send_signal(signal.SIGTERM)
    assert parent.line() == "Stopping. No run is going on."
    parent.process.send_signal(signal.SIGTERM)
    assert parent.end()[0] == 0


def test_parent_when_a_child_ignores_the_signal_then_it_is_killed_after_a_while(driven: list[Driven]) -> None:
    parent = Driven(stop_seconds=0.2, web=STUBBORN)
    driven.append(parent)
    assert "ready" in parent.line()
    parent.process.send_signal(signal.SIGTERM)
    assert parent.end()[0] == 0


def test_parent_when_the_signal_came_before_it_listened_then_it_is_not_lost(driven: list[Driven]) -> None:
    parent = Driven(signalled=True, web=STEADY)
    driven.append(parent)
    assert parent.end()[0] == 0


def test_child_when_forked_then_it_holds_nothing_that_is_the_parents_or_the_other_childs(driven: list[Driven]) -> None:
    parent = Driven(runner=LISTS + STEADY, web=LISTS + STEADY)
    driven.append(parent)
    said = [parent.line() for _ in range(3)]
    assert said.count("holds []") == 2, said
    parent.process.send_signal(signal.SIGTERM)
    assert parent.end()[0] == 0


def test_parent_when_it_is_killed_then_its_children_end(driven: list[Driven]) -> None:
    parent = Driven(web=STEADY)
    driven.append(parent)
    assert "ready" in parent.line()
    descriptor = os.pidfd_open(parent.child("web"))
    parent.process.kill()
    ended, _, _ = select.select([descriptor], [], [], 30)
    os.close(descriptor)
    assert ended == [descriptor]
