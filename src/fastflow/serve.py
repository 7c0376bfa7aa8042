"""The parent process of `fastflow serve`: keeps one web process and one runner process running, and nothing else.

`cli/serving.py` reads the settings, takes the lock of the data folder, binds the port, and then goes on here. The
listening socket stays open in this process: while the web process is started again, requests wait.

The children are forks of this process (`children.py`). They are told two things by argument: `--listen-fd N` (web: the
bound socket) and `--ready-fd N` (a pipe, on which `Reporter` tells in lines of JSON what people should know, what went
wrong, and that it serves). A child that ends with `EXIT_CONFIGURATION` has told why; it would tell the same again, so all
ends.
"""

import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import IO

from fastflow.children import SIGNALS, Child, name_process

EXIT_CONFIGURATION = 78
"""EX_CONFIG of sysexits.h: what is wrong will be wrong again at the next start."""
STOP_SECONDS = 15.0
"""How long children may take to end before they are killed; runs are not theirs and go on either way."""
STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})

RUNNER_LOCK = "run/runner.lock"
"""In DATA_DIR: held by the runner process for as long as it lives, so that anybody can see at once whether it does."""
KEY_MADE = "Made the encryption key {}: keep a copy of it, secrets cannot be read without it."
"""Told by whichever child makes the key file first."""


class Reporter:
    """What a child tells its parent. Without a parent (started by hand) it tells people itself.

    Args:
        descriptor: what the child was given as `--ready-fd`.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def say(self, text: str) -> None:
        """A sentence for people, told on stdout."""
        if self._descriptor is None:
            _say(text)
        else:
            self._send({"say": text})

    def ready(self) -> None:
        """The child serves; nothing is told after it. What the start has made stays: no look for garbage goes through it."""
        gc.freeze()
        gc.enable()
        if self._descriptor is not None:
            self._send({"ready": True})
            os.close(self._descriptor)
            self._descriptor = None

    def fail(self, message: str, hint: str, fields: Mapping[str, str]) -> None:
        """Why the child ends, told on stderr; of several children that fail for the same reason the first one's counts."""
        lines = [f"Error: {message}", *(f"  {name}: {problem}" for name, problem in fields.items())]
        text = "\n".join([*lines, f"Hint: {hint}"] if hint else lines)
        if self._descriptor is None:
            sys.stderr.write(f"{text}\n")
        else:
            self._send({"problem": text})

    def _send(self, message: Mapping[str, object]) -> None:
        assert self._descriptor is not None
        try:
            os.write(self._descriptor, json.dumps(message).encode() + b"\n")
        except BrokenPipeError:
            return  # the parent has gone, and takes this process with it


class Parent:
    """Starts the children, starts them again, and stops them.

    Args:
        children: what to keep running.
        url: where the server answers, for the ready line; None: nowhere, it is the runner alone.
        data_dir: the data folder, to count the runs that go on.
        say: writes one line for people.
        complain: the same for what went wrong.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        url: str | None,
        data_dir: Path,
        say: Callable[[str], None],
        complain: Callable[[str], None],
    ) -> None:
        self._children = children
        self._url = url
        self._data_dir = data_dir
        self._say = say
        self._complain = complain
        self._has_failed = False
        self._selector = selectors.DefaultSelector()
        self._wakes = socket.socketpair()
        self._announced = False
        self._stop_deadline: float | None = None
        self._exit_code = 0

    def run(self) -> int | Callable[[], int]:
        """Go on until told to stop; the exit code. In each child: what it has to do, the parent's things being closed."""
        for end in self._wakes:
            end.setblocking(False)
        for number in SIGNALS:
            signal.signal(number, _do_nothing)
        wake, signalled = self._wakes
        signal.set_wakeup_fd(signalled.fileno(), warn_on_full_buffer=False)
        self._selector.register(wake, selectors.EVENT_READ)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # those that came since the start are delivered now
        while not self._is_over():
            work = self._start_due()
            if work is not None:
                self._leave_to_parent()
                return work
            for key, _ in self._selector.select(self._seconds_to_next()):
                if key.fileobj is wake:
                    self._take_signals(wake.recv(4096))
                elif key.data.pipe == key.fd:  # else its child has ended, and what it told was taken then
                    self._take_reports(key.data)
            self._enforce_deadline()
        return self._exit_code

    def _leave_to_parent(self) -> None:
        """In a child: close what is the parent's alone."""
        self._selector.close()
        for end in self._wakes:
            end.close()
        for child in self._children:
            child.close_pipe()

    def _is_over(self) -> bool:
        return self._stop_deadline is not None and all(child.pid is None for child in self._children)

    def _start_due(self) -> Callable[[], int] | None:
        """Start what is due; in a child: what it has to do."""
        if self._stop_deadline is not None:
            return None
        now = time.monotonic()
        for child in self._children:
            if child.start_at is None or child.start_at > now:
                continue
            try:
                work = child.start()
            except OSError as error:
                wait = child.restart_later(now)
                self._complain(f"The {child.name} process cannot be started: {error.strerror}; again in {wait:g} s.")
                continue
            if work is not None:
                return work
            assert child.pipe is not None
            self._selector.register(child.pipe, selectors.EVENT_READ, child)
        return None

    def _seconds_to_next(self) -> float | None:
        if self._stop_deadline is not None:
            times = [self._stop_deadline]
        else:
            times = [child.start_at for child in self._children if child.start_at is not None]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _take_signals(self, numbers: bytes) -> None:
        for number in numbers:
            if number in STOP_SIGNALS:
                self._stop() if self._stop_deadline is None else self._kill()
        self._reap()

    def _reap(self) -> None:
        for child in self._children:
            code = None if child.pid is None else child.poll()
            if code is None:
                continue
            while child.pipe is not None:  # what it told at its very end
                self._take_reports(child)
            if self._stop_deadline is not None:
                child.pid = None
            else:
                self._take_end(child, code)

    def _take_end(self, child: Child, code: int) -> None:
        if code == EXIT_CONFIGURATION or not child.has_served:
            if not self._has_failed:
                self._complain(
                    f"The {child.name} process {describe_end(code)} before it was ready; what it said is above."
                )
            child.pid = None
            self._exit_code = code if code > 0 else 1
            self._stop(announce=False)
            return
        wait = child.restart_later(time.monotonic())
        self._say(f"The {child.name} process {describe_end(code)}; it is started again in {wait:g} s. Runs go on.")

    def _take_reports(self, child: Child) -> None:
        reports = child.take_reports()
        if reports is None:
            self._forget_pipe(child)
            return
        for report in reports:
            if "say" in report:
                self._say(report["say"])
            if "problem" in report and not self._has_failed:
                self._has_failed = True
                self._complain(report["problem"])
            if "ready" in report:
                self._note_ready(child)

    def _note_ready(self, child: Child) -> None:
        child.ready = child.has_served = True
        if self._announced:
            self._say(f"The {child.name} process is ready again.")
        elif all(each.ready for each in self._children):
            self._announced = True
            what = "Fast-Flow's runner is ready" if self._url is None else f"Fast-Flow is ready at {self._url}"
            self._say(f"{what} (Ctrl-C stops it; runs go on).")

    def _forget_pipe(self, child: Child) -> None:
        if child.pipe is not None:
            self._selector.unregister(child.pipe)
            child.close_pipe()

    def _stop(self, *, announce: bool = True) -> None:
        self._stop_deadline = time.monotonic() + STOP_SECONDS
        for child in self._children:
            child.start_at = None
            child.signal(signal.SIGTERM)
        if announce:
            going_on = count_going_on(self._data_dir)
            runs = {0: "No run is going on", 1: "1 run goes on"}.get(going_on, f"{going_on} runs go on")
            after = "; the next `fastflow serve` takes up again with it." if going_on else "."
            self._say(f"Stopping. {runs}{after}")

    def _enforce_deadline(self) -> None:
        if self._stop_deadline is not None and time.monotonic() >= self._stop_deadline:
            self._kill()
            self._stop_deadline = time.monotonic() + STOP_SECONDS

    def _kill(self) -> None:
        for child in self._children:
            child.signal(signal.SIGKILL)


def describe_end(code: int) -> str:
    """How a process ended, in words, from its return code."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def count_going_on(data_dir: Path) -> int:
    """Runs whose process was started and whose end is not recorded yet (the layout is the process executor's)."""
    try:
        attempts = list((data_dir / "supervised").iterdir())
    except OSError:
        return 0
    count = 0
    for attempt in attempts:
        control = attempt / "ctl"
        try:
            started = (control / "started").exists() and not (control / "sealed").exists()
            count += started and not (control / "exit.json").exists()
        except OSError:
            continue  # removed meanwhile, or not ours to look into
    return count


def _do_nothing(_number: int, _frame: object) -> None:
    """A handler, so that the signal reaches the wake-up descriptor."""


def _say(line: str) -> None:
    try:
        print(line, flush=True)  # noqa: T201 - part of the command line
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - the reader of our output has gone; the server goes on


def _complain(text: str) -> None:
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except OSError:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 - as above


def main(
    *, data_dir: Path, listen_fd: int | None, url: str | None, with_runner: bool, own: Collection[IO[str]] = ()
) -> int:
    """Run the children; the exit code, of this process or, in a child, of that.

    Args:
        data_dir: the data folder.
        listen_fd: the bound socket of the web process; None: there is none, the runner is served alone.
        url: where the server answers.
        with_runner: False: the web process is served alone.
        own: files that are this process's alone, such as the lock of the data folder.
    """
    name_process("fastflow")
    children = []
    if with_runner:
        # first: the web process needs what it needs, and more
        children.append(Child("runner", "fastflow.runner", without=[] if listen_fd is None else [listen_fd]))
    if listen_fd is not None:
        children.append(Child("web", "fastflow.web", ["--listen-fd", str(listen_fd)], also=["router"]))
    outcome = Parent(children, url=url, data_dir=data_dir, say=_say, complain=_complain).run()
    if isinstance(outcome, int):
        return outcome
    for file in own:
        file.close()
    return outcome()
