"""The supervisor of one run: starts the user's process, writes its log, ends it, records how it ended.

A fork of a zygote, in a session of its own; it needs neither the runner nor the zygote to go on. Its control folder:
    control.sock   where the runner (any runner, after any restart) connects: JSON lines both ways
    started        made with O_EXCL before the user's process: whoever makes it first (supervisor, or a runner that
                   seals the attempt) decides whether the attempt takes place
    events.jsonl   what the run told, one JSON object a line
    exit.json      how it ended, renamed into place once
"""

import contextlib
import errno
import fcntl
import json
import os
import selectors
import signal
import socket
import struct
import sys
import time

import launch
import logfile
import resources
import syscalls

READ_BYTES = 1 << 18
PARTIAL_AFTER = 0.2
"""Seconds of silence after which text without a newline is written out."""
SAMPLE_EVERY = 5.0
"""Seconds between two samples of memory and CPU."""
DRAIN_SECONDS = 5.0
"""How long after the end output of left-over processes is still waited for."""
PROGRESS_EVERY = 0.2
"""Seconds between two recorded progress events; the newest wins."""
MAX_EVENTS = 10_000
MAX_UNWRITTEN = 1 << 23
"""Bytes of events that are kept while the disk is full; what comes then is lost."""
NO_ROOM = "the disk has no room for the record of its end"
_SIZE = struct.Struct("!I")


def child_main(zygote_channel, descriptors, warm, user):
    """The forked child's life; ends in `os._exit`. `user`: (uid, gid) to be in the fresh user namespace, or None."""
    code = 70
    try:
        zygote_channel.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if user is not None:
            syscalls.map_only_self(*user)
        os.setsid()
        control = socket.socket(fileno=descriptors[0])
        spec = _receive_spec(control)
        if spec is not None:
            code = Supervisor(spec, control, descriptors[1], descriptors[2:], warm).run()
    except BaseException as error:  # the last line of defence: say why on the zygote's stderr
        with contextlib.suppress(OSError):  # it is a file, whose disk may be full
            sys.stderr.write("supervisor: {}: {}\n".format(type(error).__name__, error))
            sys.stderr.flush()
    finally:
        os._exit(code)


def _receive_spec(control):
    """The spec, sent as a 4-byte length and JSON; None when the runner died while sending."""
    head = _receive_exactly(control, _SIZE.size)
    if head is None:
        return None
    body = _receive_exactly(control, _SIZE.unpack(head)[0])
    return None if body is None else json.loads(body)


def _receive_exactly(control, size):
    data = bytearray()
    while len(data) < size:
        piece = control.recv(min(size - len(data), 1 << 16))
        if not piece:
            return None
        data += piece
    return bytes(data)


class Supervisor:
    """One attempt to execute a run."""

    def __init__(self, spec, control, log_descriptor, cgroup_descriptors, warm):
        self.spec = spec
        self.warm = warm
        self.cgroup_descriptors = cgroup_descriptors
        self.folder = os.open(spec["control_dir"], os.O_RDONLY | os.O_DIRECTORY)
        self.log = logfile.LogFile(log_descriptor, spec["log_max_bytes"])
        self.events = _EventFile(self.folder, self._poke)
        secrets = spec.pop("secrets")
        self.streams = {
            name: logfile.StreamWriter(name, self.log, secrets, self.events.add) for name in ("stdout", "stderr")
        }
        self.selector = selectors.DefaultSelector()
        self.connections = {}
        self.first_connection = control
        self.process = None
        self.stdout = None
        self.stop = None
        self.is_held = False
        self.kill_at = None
        self.status = None
        self.meter = resources.Meter(spec.get("cgroup_paths") or {}, spec["limits"])
        self.started_at = None

    def run(self):
        """From start to recorded end; returns the supervisor's own exit code."""
        self._listen()
        reserve = _reserve_exit(self.folder)
        if reserve is None or not _claim_start(self.folder):
            self._send(self.first_connection, {"failed": NO_ROOM if reserve is None else "the attempt was sealed"})
            return 0
        self.deaths = _watch_deaths()
        try:
            self.process = launch.start(self.spec, self.cgroup_descriptors, self.warm)
        except launch.StartError as error:
            self._record({"reason": "setup", "reason_text": str(error), "exit_code": None}, reserve)
            return 0
        self.started_at = time.time()
        self._accept_connection(self.first_connection)
        self._tell({"started": {"at": self.started_at, "isolation": self.process.isolation}})
        self._watch_process()
        self._loop()
        self._finish_streams()
        self.events.flush()
        verdict = self._verdict()
        if verdict["reason"] in ("timeout", "oom"):
            self.log.close_with("the run was ended: {}".format(verdict["reason_text"]))
        self._record(verdict, reserve)
        return 0

    # -- connections ---------------------------------------------------------------------------------------------

    def _listen(self):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind("/proc/self/fd/{}/control.sock".format(self.folder))
        listener.listen(8)
        listener.setblocking(False)
        self.selector.register(listener, selectors.EVENT_READ, self._accept)
        self.listener = listener

    def _accept(self, _now):
        try:
            connection, _address = self.listener.accept()
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ECONNABORTED, errno.EMFILE):
                return
            raise
        self._accept_connection(connection)
        if self.started_at is not None:
            self._send(connection, {"started": {"at": self.started_at, "isolation": self.process.isolation}})

    def _accept_connection(self, connection):
        connection.setblocking(False)
        self.connections[connection] = b""
        self.selector.register(connection, selectors.EVENT_READ, lambda now: self._hear(connection, now))

    def _hear(self, connection, now):
        try:
            data = connection.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._forget(connection)
            return
        lines = (self.connections[connection] + data).split(b"\n")
        self.connections[connection] = lines.pop()
        for line in lines:
            order = json.loads(line).get("stop")
            if order and self.is_held:
                self.stop = self.stop or (order["reason"], order["reason_text"])
            elif order:
                self._begin_stop(order["reason"], order["reason_text"], order["grace"], now)

    def _forget(self, connection):
        if self.connections.pop(connection, None) is not None:
            self.selector.unregister(connection)
            connection.close()

    def _tell(self, message):
        for connection in list(self.connections):
            self._send(connection, message)

    def _send(self, connection, message):
        """A message is a hint: the files are the truth. A runner too slow to take it is left to the files."""
        try:
            connection.send(json.dumps(message).encode() + b"\n")
        except OSError:
            self._forget(connection)

    def _poke(self):
        self._tell({"event": True})

    # -- the run ---------------------------------------------------------------------------------------------------

    def _watch_process(self):
        for name, descriptor in self.process.outputs.items():
            os.set_blocking(descriptor, False)
            if name == "stdout":
                self.stdout = descriptor
            try:
                fcntl.fcntl(descriptor, 1031, READ_BYTES)  # F_SETPIPE_SZ: fewer wake-ups for a script that floods
            except OSError:
                pass  # over the user's pipe budget: the default size works too
            self.selector.register(
                descriptor, selectors.EVENT_READ, lambda now, n=name, d=descriptor: self._read(n, d, now)
            )
        self.selector.register(self.deaths, selectors.EVENT_READ, self._take_status)
        self.last_output = time.monotonic()
        self.open_outputs = len(self.process.outputs)

    def _read(self, name, descriptor, now):
        try:
            data = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            return
        if data:
            self.last_output = now
            self.streams[name].feed(data)
        else:
            self.selector.unregister(descriptor)
            os.close(descriptor)
            self.open_outputs -= 1

    def _take_status(self, _now):
        try:
            os.read(self.deaths, 4096)
        except BlockingIOError:
            pass  # woken without news
        status = self.process.reap()
        if status is not None:
            self.status = status
            self.selector.unregister(self.deaths)
            self.process.end_rest()

    def _loop(self):
        begin = time.monotonic()
        deadline = begin + self.spec["run_timeout"] if self.spec["run_timeout"] else None
        idle, next_sample, drain_until = self.spec["idle_timeout"], begin + SAMPLE_EVERY, None
        while self.status is None or self.open_outputs:
            now = time.monotonic()
            timers = [next_sample, deadline if not self.stop else None, self.kill_at, drain_until]
            timers.append(self.last_output + idle if idle and not self.stop else None)
            timers.append(now + PARTIAL_AFTER if any(s.has_partial for s in self.streams.values()) else None)
            timers.append(self.events.due)
            timers.append(self.meter.next_check(now))
            wait = max(0.0, min(t for t in timers if t is not None) - now)
            ready = self.selector.select(wait)
            now = time.monotonic()
            self._answer(ready, now)
            if now - self.last_output >= PARTIAL_AFTER:
                for stream in self.streams.values():
                    stream.flush_partial()
            if self.status is not None:
                drain_until = drain_until or now + DRAIN_SECONDS
                if now >= drain_until:
                    return
                continue
            if deadline and now >= deadline:
                text = "ran longer than its timeout of {:g} s".format(self.spec["run_timeout"])
                self._begin_stop("timeout", text, self.spec["grace"], now)
            elif idle and now - self.last_output >= idle:
                self._begin_stop(
                    "timeout", "printed nothing for {:g} s (idle_timeout)".format(idle), self.spec["grace"], now
                )
            if self.meter.over_limit(self.process.pids, now):
                self._begin_stop("oom", self.meter.over_limit_text(), 0, now)
            if self.kill_at is not None and now >= self.kill_at:
                self.process.kill()
                self.kill_at = now + 1.0  # again, should something have been born meanwhile
            if now >= next_sample:
                next_sample = now + SAMPLE_EVERY
                self.events.add("sample", self.meter.sample(self.process.pids))
            self.events.flush_due(now)

    def _answer(self, ready, now):
        """Take what has come. Stdout first: what waits there was nearly always printed before the traceback on stderr."""
        if len(ready) > 1:
            ready.sort(key=lambda each: each[0].fd != self.stdout)
        for key, _mask in ready:
            key.data(now)

    def _begin_stop(self, reason, text, grace, now):
        """SIGTERM now, SIGKILL after `grace` seconds; the first reason stays."""
        if self.status is not None:
            return
        if self.stop is None:
            self.stop = (reason, text)
            self.kill_at = now + grace
            if grace > 0:
                self.process.terminate()
        elif now + grace < self.kill_at:
            self.kill_at = now + grace

    def _finish_streams(self):
        for stream in self.streams.values():
            stream.finish()
        self.log.finish()

    def _verdict(self):
        code = self.status["code"]
        usage = self.meter.totals(self.status)
        kills = self.meter.oom_kills()
        verdict = dict(usage, exit_code=code)
        if self.stop:
            return dict(verdict, reason=self.stop[0], reason_text=self.stop[1])
        if code == 0:
            if kills:
                self.log.note("the kernel ended {} of the run's processes for want of memory".format(kills))
            return dict(verdict, reason=None, reason_text=None)
        if kills or self._says_out_of_memory(code):
            return dict(verdict, reason="oom", reason_text=self.meter.over_limit_text())
        return dict(verdict, reason="exit", reason_text=_exit_text(code, self.streams["stderr"].last_line))

    def _says_out_of_memory(self, code):
        last = self.streams["stderr"].last_line
        limited = self.spec["limits"].get("memory_bytes") is not None
        return limited and code == 1 and (last.startswith(b"MemoryError") or b"_ArrayMemoryError" in last)

    def _record(self, verdict, reserve):
        record = dict(
            verdict,
            started_at=self.started_at,
            finished_at=time.time(),
            isolation=self.process.isolation if self.process else {},
        )
        why = record["reason_text"]
        while True:
            has_told_all = self._has_told_all()
            record["reason_text"] = _and_missing(why, self.log.untold())
            if has_told_all and _write_exit(self.folder, reserve, record):
                break
            self.log.release_if_removed()
            self._hold(1.0)  # the disk is full: hold the result until there is room, which nobody tells
            if self.stop is not None:
                record["reason"], why = self.stop
        self._tell({"exit": record})

    def _hold(self, seconds):
        """Wait, and hear meanwhile whoever wants the run stopped: then what it told is not waited for any more."""
        if not self.is_held:
            self.is_held = True
            for key in list(self.selector.get_map().values()):
                if key.fileobj is not self.listener and key.fileobj not in self.connections:
                    self.selector.unregister(key.fileobj)
        self._answer(self.selector.select(seconds), time.monotonic())

    def _has_told_all(self):
        """Whether what the run told is in its file; of a run that was stopped it is not waited for."""
        self.log.tell_lost()
        return self.events.push() or self.stop is not None


def _and_missing(why, missing):
    """The words about an end, with what its log lacks without saying so: there was no room for that line either."""
    if missing is None:
        return why
    return "{}; {}".format(why, missing) if why else missing


class _EventFile:
    """`events.jsonl`: progress thinned out, everything bounded, the runner poked after each write.

    While the disk is full, metrics and outputs are kept and written when there is room; samples are let go.
    """

    def __init__(self, folder, poke):
        self._descriptor = os.open("events.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600, dir_fd=folder)
        self._poke = poke
        self._pending = None
        self._unwritten = b""
        self._last = 0.0
        self._count = 0
        self.due = None

    def add(self, kind, data):
        """Record an event (a progress event: soon, unless a newer one comes)."""
        if kind == "progress":
            self._pending = (time.time(), data)
            self.due = self.due or max(time.monotonic(), self._last + PROGRESS_EVERY)
            self.flush_due(time.monotonic())
        else:
            self._write(time.time(), kind, data)

    def flush_due(self, now):
        """Write the waiting progress event when its time has come."""
        if self.due is not None and now >= self.due:
            self.flush()

    def flush(self):
        """Write the waiting progress event."""
        if self._pending:
            at, data = self._pending
            self._pending = self.due = None
            self._last = time.monotonic()
            self._write(at, "progress", data)

    def _write(self, at, kind, data):
        self._count += kind in ("metric", "output")
        if self._count > MAX_EVENTS:
            if self._count > MAX_EVENTS + 1:
                return
            kind, data = (
                "note",
                {"text": "more than {} metrics and outputs: the later ones were left out".format(MAX_EVENTS)},
            )
        if not self.push() and (kind == "sample" or len(self._unwritten) > MAX_UNWRITTEN):
            return
        self._unwritten += json.dumps({"at": at, "kind": kind, "data": data}).encode() + b"\n"
        self.push()

    def push(self):
        """Write what was told and is not in the file yet; whether all of it is. A line that was begun is ended first."""
        is_new = bool(self._unwritten)
        while self._unwritten:
            try:
                written = os.write(self._descriptor, self._unwritten)
            except OSError:
                return False
            self._unwritten = self._unwritten[written:]
        if is_new:
            self._poke()
        return True


def _watch_deaths():
    """A descriptor that becomes readable whenever a child has ended."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return read


def _claim_start(folder):
    try:
        handle = os.open("started", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600, dir_fd=folder)
    except FileExistsError:
        return False
    os.write(handle, os.readlink("/proc/self").encode())
    os.close(handle)
    return True


def _reserve_exit(folder):
    """The file that becomes exit.json, with room set aside for it; None when the disk has none, so that nothing starts
    whose end could not be told."""
    handle = os.open("exit.json.new", os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o600, dir_fd=folder)
    try:
        os.posix_fallocate(handle, 0, 16384)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            os.close(handle)
            return None
        # a file system without fallocate: the write at the end is tried until it works
    return handle


def _write_exit(folder, handle, record):
    data = json.dumps(record).encode()
    try:
        os.pwrite(handle, data, 0)
        os.ftruncate(handle, len(data))
        os.rename("exit.json.new", "exit.json", src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        return False
    return True


def _exit_text(code, last_line):
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = "signal {}".format(-code)
        return "the script was ended by {}".format(name)
    said = last_line.decode("utf-8", "replace").strip()[:300]
    return "the script ended with exit code {}{}".format(code, ": " + said if said else "")
