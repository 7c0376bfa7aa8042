"""The first process of a container: asks for its order through a door, then supervises a run or carries out a command.

The door is a Unix socket that is mounted into the container and listened on by whoever made the container. The order
comes with open descriptors, so that neither the log nor the control folder is anywhere in the container's file system:
the script acts as the same user as its supervisor and could change what it can reach. While no order has come, the end
of the connection ends the container.
"""

import array
import json
import os
import selectors
import signal
import socket
import sys
import time

import supervisor

OLDEST_PYTHON = (3, 9)
STOPPED_FROM_OUTSIDE = "the container was stopped from outside (by the engine's shutdown or `docker stop`)"
MAX_DESCRIPTORS = 4
_INT = array.array("i").itemsize


def main(order):
    """Connect to `order["door"]` and do as told; ends the process."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))  # as first process we would not be ended else
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the script could send it; what has no handler does not reach us
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(order["door"])
    descriptors, told = _receive(connection)
    if told is None:
        os._exit(0)
    if sys.version_info < OLDEST_PYTHON:
        text = "the image's Python is {}, which is too old: 3.9 is the oldest that works".format(sys.version.split()[0])
        connection.sendall(json.dumps({"failed": text}).encode() + b"\n")
        os._exit(1)
    os._exit(
        _supervise(told, connection, descriptors) if told["do"] == "run" else _command(told, connection, descriptors)
    )


def _receive(connection):
    """The descriptors and the order, which follows them as a 4-byte length and JSON; None when nobody gives one."""
    _byte, ancillary, _flags, _address = connection.recvmsg(1, socket.CMSG_LEN(MAX_DESCRIPTORS * _INT))
    room = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            room.frombytes(data[: len(data) - len(data) % _INT])
    return list(room), supervisor._receive_spec(connection)


# -- a run -----------------------------------------------------------------------------------------------------------


def _supervise(spec, connection, descriptors):
    log, control = descriptors
    spec["control_dir"] = "/proc/self/fd/{}".format(control)
    spec["cgroup_paths"] = find_meter("/sys/fs/cgroup")
    return _Contained(spec, connection, log, [], False).run()


class _Contained(supervisor.Supervisor):
    """A supervisor that a signal from outside can end in good order."""

    def run(self):
        signal.signal(signal.SIGTERM, self._end)
        return supervisor.Supervisor.run(self)

    def _end(self, _number, _frame):
        if self.process is not None:
            self._begin_stop("lost", STOPPED_FROM_OUTSIDE, self.spec["grace"], time.monotonic())


def find_meter(root):
    """Where the container's own use of memory and CPU is told; an engine shows a container its own group only."""
    if os.path.exists(os.path.join(root, "memory", "memory.usage_in_bytes")):
        cpu = next((name for name in ("cpuacct", "cpu,cpuacct") if os.path.isdir(os.path.join(root, name))), None)
        return {
            "version": 1,
            "memory": os.path.join(root, "memory"),
            "cpu": os.path.join(root, cpu) if cpu else None,
        }
    if os.path.exists(os.path.join(root, "memory.current")):
        return {"version": 2, "memory": root, "cpu": root}
    return {}


# -- a command -------------------------------------------------------------------------------------------------------


def _command(order, connection, descriptors):
    """Run `order["argv"]` with the descriptors as its stdout and stderr; tell its exit code. The end of the connection
    ends it."""
    deaths = supervisor._watch_deaths()
    pid = os.fork()
    if pid == 0:
        _become(order, descriptors)  # never returns
    for descriptor in descriptors:
        os.close(descriptor)
    selector = selectors.DefaultSelector()
    selector.register(connection, selectors.EVENT_READ)
    selector.register(deaths, selectors.EVENT_READ)
    while True:
        ready = [key.fileobj for key, _mask in selector.select()]
        if connection in ready:
            return 1  # whoever wanted it is gone; with us everything in the container ends
        try:
            os.read(deaths, 4096)
        except BlockingIOError:
            pass  # woken without news
        code = _reap(pid)
        if code is not None:
            connection.sendall(json.dumps({"exit": code}).encode() + b"\n")
            return 0


def _reap(wanted):
    """Take in everybody who has ended; the exit code of `wanted` when it is among them, else None."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == wanted:
            code = os.waitstatus_to_exitcode(status)


def _become(order, descriptors):
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(descriptors[0], 1)
        os.dup2(descriptors[1], 2)
        os.chdir(order["cwd"])
        os.execvpe(order["argv"][0], order["argv"], order["env"])
    except OSError as error:
        os.write(2, "{} could not be started: {}\n".format(order["argv"][0], error.strerror).encode())
    finally:
        os._exit(127)


# -- what an image brings --------------------------------------------------------------------------------------------


def describe():
    """Print what the image brings, and this folder compiled for its Python, as one JSON object."""
    import platform  # the imports of this part are not for every run to wait for
    import shutil
    import sysconfig

    folder = os.path.dirname(os.path.abspath(__file__))
    version = "{}-{}{}".format(sys.implementation.name, platform.python_version(), getattr(sys, "abiflags", ""))
    found = {
        "python": os.path.realpath(sys.executable),
        "version": version,
        "platform": "{}-{}".format(sysconfig.get_platform(), platform.libc_ver()[0] or "musl"),
        "uv": shutil.which("uv"),
        "tag": sys.implementation.cache_tag,
        "bytecode": {
            name: _compiled(os.path.join(folder, name)) for name in os.listdir(folder) if name.endswith(".py")
        },
    }
    json.dump(found, sys.stdout)


def _compiled(path):
    import base64
    import py_compile
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        target = py_compile.compile(path, cfile=os.path.join(place, "module.pyc"), doraise=True)
        with open(target, "rb") as file:
            return base64.b64encode(file.read()).decode()
