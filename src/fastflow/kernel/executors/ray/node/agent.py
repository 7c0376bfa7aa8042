"""The agent of one attempt on a node: what the cluster's job starts; nothing of the run outlives it.

`python -I -S agent.py`, with FASTFLOW_AGENT in its environment: {"url", "run_id", "attempt", "submission", "token"}. It
exchanges the token for its order, makes the environment, asks the server for leave to begin, starts the supervisor, and
then carries what that writes to the server, and what the server wants to it. While the server is away the run goes on,
and what it writes waits on this node's disk.
"""

import json
import os
import select
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import agentorder
import birth
import environment
import logfile
import nodehome
import resources
import shipping
import syscalls
import uplink

START_PATIENCE = 60.0
"""Seconds for which a server that is away is asked for the order, or for leave to begin."""
DELIVERY_PATIENCE = 24 * 3600.0
"""Seconds after the run's end for which a server that is away is offered what is still here."""
LOOK_SECONDS = 0.05
SLOWEST_LOOK_SECONDS = 0.25
POLL_SECONDS = 20
"""How long the server may hold the question whether the run shall stop."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0


class Over(Exception):
    """The attempt ends before its script has begun."""


def main():
    """The attempt from its token to its delivered end; the exit code."""
    given = json.loads(os.environ.pop("FASTFLOW_AGENT"))
    parent = os.getppid()
    link = uplink.Uplink(given["url"], given["run_id"], given["attempt"], given["token"])
    try:
        told = _claim(link, given)
    except (uplink.Away, uplink.Refused) as error:
        sys.stdout.write("The order of this attempt could not be fetched: {}\n".format(error))
        return 1
    agent = Agent(link, told, parent)
    try:
        agent.run()
    except (Over, uplink.Away, uplink.Refused) as error:
        sys.stdout.write("The attempt is over: {}\n".format(error))
    finally:
        agent.leave()
    return 0


def _claim(link, given):
    """Exchange the token for the order; from then on the answer's own token is used."""
    mine = {"nonce": os.urandom(16).hex(), "submission": given["submission"], "node": os.uname().nodename}
    answer = _patiently(lambda: link.ask("claim", mine))
    link.token = answer["token"]
    return answer["order"]


def _patiently(ask, seconds=START_PATIENCE):
    """What `ask` gives, however often it has to be asked; raises Away when it takes too long."""
    deadline, pause = time.monotonic() + seconds, FIRST_PAUSE
    while True:
        try:
            return ask()
        except uplink.Away:
            if time.monotonic() + pause > deadline:
                raise
        time.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 2)


class Agent:
    """One attempt on this node.

    Args:
        link: to the server, with the attempt's token.
        told: the order.
        parent: process id of whoever Ray has put over this job.
    """

    def __init__(self, link, told, parent):
        self._link = link
        self._told = told
        self._parent = parent
        self._home = nodehome.Home(told["node_dir"])
        self._code = os.path.join(os.getcwd(), "code")
        self._folder = self._log = self._groups = None
        self._streams = ()
        self._control = self._between = None
        self._is_over = threading.Event()
        self._refused = None
        self._started = self._failure = None
        self._is_start_told = False
        self._noted = set()

    def run(self):
        """From the order to the delivered end.

        Raises Over, Away or Refused when it does not come to that; the server then knows why, or will find out.
        """
        syscalls.adopt_orphans()
        signal.signal(signal.SIGTERM, _called_off)
        try:
            self._settle()
            order, members = self._prepare()
        except (environment.SetupError, nodehome.HomeError, OSError) as error:
            self._fail("setup", str(error))
        _patiently(lambda: self._link.ask("begin"))
        self._start(order, members)
        threading.Thread(target=self._hear, daemon=True).start()
        self._carry()
        self._end_rest()
        self._deliver()

    # -- before the script -----------------------------------------------------------------------------------------

    def _settle(self):
        """Make the attempt's folder, with its log and parameters."""
        self._home.open()
        self._folder = self._home.make_attempt("{}.{}".format(self._told["run_id"], self._told["attempt"]))
        path = os.path.join(self._folder, "log")
        self._log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        chunk = self._told["chunk_bytes"]
        events = os.path.join(self._folder, "ctl", "events.jsonl")
        self._streams = (
            shipping.Stream(self._link, "log", path, chunk),
            shipping.Stream(self._link, "events", events, chunk),
        )
        params = os.open(os.path.join(self._folder, "params.json"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(params, "w") as file:
            json.dump(self._told["params"], file)
            if self._home.runner is not None:
                os.fchown(params, self._home.runner, self._home.runner)

    def _prepare(self):
        """The supervisor's order, and descriptors of the control groups to join."""
        told = self._told
        plan = self._home.probe()
        is_guarded = self._home.runner is not None or plan["mount"] or plan["landlock"]
        workshop = environment.Workshop(
            self._home,
            fetch_uv=lambda file: self._link.fetch("uv", file),
            say=self._note,
            tick=self._tick,
            link_mode="hardlink" if is_guarded else "copy",
        )
        try:
            found = workshop.interpreter(told["python"], told["recipe"], self._code)
        except uplink.Away as error:
            raise environment.SetupError("uv could not be fetched from the server: {}".format(error)) from error
        for name in os.listdir(self._code):
            if name != "__pycache__":
                os.symlink(os.path.join(self._code, name), os.path.join(self._folder, "work", name))
        self._groups = agentorder.Groups(os.path.basename(self._folder), told["limits"], self._home.path)
        order = agentorder.build_order(told, self._folder, self._code, found, self._home, plan, self._groups)
        return order, self._groups.open_members()

    def _note(self, line):
        """A line of ours in the run's log."""
        self._noted.add(line.strip())
        text = "[fastflow] {}".format(line).encode("utf-8", "replace")[: logfile.PART_BYTES]
        os.write(self._log, b"%s stderr F %s\n" % (logfile.timestamp(), text))

    def _tick(self):
        """While the environment is made: show what uv says, and look whether anybody still wants it."""
        try:
            self._streams[0].push()
            stop = self._link.ask("orders", query={"seen": 0, "wait": 0}).get("stop")
        except uplink.Away:
            return
        if stop:
            self._fail(stop["reason"], stop["reason_text"])

    def _fail(self, reason, text):
        """Tell that the script will not begin, in the log as well, and end."""
        if self._log is not None:
            for line in text.splitlines():
                if line.strip() not in self._noted:
                    self._note(line)
            _patiently(self._streams[0].push)
        _patiently(
            lambda: self._link.ask("failed", {"reason": reason, "text": text, "is_logged": self._log is not None})
        )
        raise Over(text)

    # -- the script --------------------------------------------------------------------------------------------------

    def _start(self, order, members):
        reach = [nodehome.SIDECAR, self._code, self._home.path, nodehome.prefix_of(order["python"])]
        self._control, self._between = birth.give_birth(order, self._log, members, self._home.runner, reach)
        for descriptor in members:
            os.close(descriptor)
        signal.signal(signal.SIGTERM, lambda _number, _frame: self._stop_from_outside())
        syscalls.die_with_parent(signal.SIGTERM)
        if os.getppid() != self._parent:
            self._stop_from_outside()

    def _stop_from_outside(self):
        text, grace = birth.STOPPED, min(self._told["grace"], birth.STOP_GRACE)
        if os.getppid() != self._parent:
            text, grace = "the node {} left the cluster while the script was running".format(os.uname().nodename), 0
        self._send_stop({"reason": "lost", "reason_text": text, "grace": grace})

    def _send_stop(self, stop):
        try:
            self._control.send(json.dumps({"stop": stop}).encode() + b"\n")
        except OSError:
            pass  # it has ended: just as well

    def _hear(self):
        """In a thread: ask whether the run shall stop, for as long as it runs."""
        link, seen, pause = self._link.twin(), 0, FIRST_PAUSE
        while not self._is_over.is_set():
            query = {"seen": seen, "wait": POLL_SECONDS}
            try:
                stop = link.ask("orders", query=query, timeout=POLL_SECONDS + uplink.TIMEOUT_SECONDS).get("stop")
                pause = FIRST_PAUSE
            except uplink.Away:
                self._is_over.wait(pause)
                pause = min(LONGEST_PAUSE, pause * 2)
                continue
            except uplink.Refused as refusal:
                self._give_up(refusal)
                return
            if stop:
                seen = stop["seq"]
                self._send_stop(stop)

    def _give_up(self, refusal):
        """The server wants nothing more of this attempt: so it must not go on."""
        self._refused = self._refused or refusal
        self._send_stop({"reason": "lost", "reason_text": "the server has given the run up", "grace": 0})

    def _carry(self):
        """Bring what the supervisor writes to the server, until it has ended."""
        self._control.setblocking(True)
        pause, away, rest = LOOK_SECONDS, 0.0, b""
        while True:
            ready, _, _ = select.select([self._control], [], [], max(pause, away))
            if ready:
                data = self._control.recv(1 << 16)
                if not data:
                    return
                lines = (rest + data).split(b"\n")
                rest = lines.pop()
                for line in lines:
                    self._take(json.loads(line))
            if self._refused is not None:
                away = LONGEST_PAUSE
                continue
            try:
                has_sent = self._ship()
                pause, away = LOOK_SECONDS if has_sent else min(SLOWEST_LOOK_SECONDS, pause * 1.2), 0.0
            except uplink.Away:
                away = min(LONGEST_PAUSE, max(FIRST_PAUSE, away * 2))
            except uplink.Refused as refusal:
                self._give_up(refusal)

    def _take(self, message):
        self._started = self._started or message.get("started")
        self._failure = self._failure or message.get("failed")

    def _ship(self):
        """Send what is new; whether there was anything."""
        if self._started is not None and not self._is_start_told:
            self._link.ask("started", self._started)
            self._is_start_told = True
        sent = [stream.push() for stream in self._streams]
        return any(sent)

    # -- the end -------------------------------------------------------------------------------------------------------

    def _end_rest(self):
        """The supervisor has ended, by itself or not: nothing of the run is left behind."""
        while True:
            for pid in resources.descendants(os.getpid()):
                if pid != self._between:
                    _kill(pid)
            try:
                os.wait()
            except ChildProcessError:
                self._between = None
                return

    def _deliver(self):
        """Bring everything that is left to the server, the exit last."""
        self._is_over.set()
        if self._refused is not None:
            raise self._refused
        folder = os.path.join(self._folder, "artifacts")
        told = self._told
        artifacts = shipping.Artifacts(self._link, folder, told["chunk_bytes"], told["artifacts_max_bytes"])
        _patiently(artifacts.push, DELIVERY_PATIENCE)
        for note in artifacts.notes:
            self._note(note)
        _patiently(self._hand_in, DELIVERY_PATIENCE)

    def _hand_in(self):
        while True:
            self._ship()
            log, events = self._streams
            try:
                self._link.ask("exit", {"record": self._record(), "log": log.offset, "events": events.offset})
                return
            except uplink.Refused as refusal:
                if refusal.code != "wrong_offset":
                    raise
                stream = events if refusal.told["stream"] == "events" else log
                stream.move_to(refusal.told["offset"])

    def _record(self):
        try:
            with open(os.path.join(self._folder, "ctl", "exit.json")) as file:
                return json.load(file)
        except (FileNotFoundError, ValueError):
            text = "the run's supervisor was killed, so nobody saw how the script ended"
            started = self._started or {}
            return {
                "reason": "lost" if started else "setup",
                "reason_text": self._failure or text,
                "exit_code": None,
                "started_at": started.get("at"),
                "finished_at": time.time(),
                "isolation": started.get("isolation", {}),
            }

    def leave(self):
        """Leave nothing of the attempt on this node, and tidy it once in a while."""
        self._is_over.set()
        if self._control is not None:
            self._control.close()  # a supervisor that still lives ends its run
        if self._between is not None:
            os.waitpid(self._between, 0)
        for stream in self._streams:
            stream.close()
        if self._groups is not None:
            self._groups.remove()
        if self._folder is not None:
            self._home.remove_attempt(self._folder)
            self._home.sweep(self._told["environment_days"])
        if self._groups is not None:
            self._groups.sweep(self._home.at("runs"))


def _called_off(_number, _frame):
    raise Over(birth.STOPPED)


def _kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has ended by itself


if __name__ == "__main__":
    sys.exit(main())
