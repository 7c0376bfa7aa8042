"""A process that has its imports behind it and forks one supervisor per run.

Its only channel is a SEQPACKET socket. A message is `network` or `no network` and comes
with two descriptors or more: the supervisor's control connection, the log file, then control group
files for the user's process to join. When the channel closes (the runner ended),
the zygote ends; supervisors go on.
"""

import array
import gc
import importlib
import json
import os
import signal
import socket
import stat
import sys
import threading

import launch
import supervisor
import syscalls

MAX_DESCRIPTORS = 16


def serve(order):
    """Preload `order["modules"]`, report, then fork on request until the channel closes."""
    channel = socket.socket(fileno=order["channel"])
    channel.set_inheritable(False)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps our supervisors
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _step_aside()
    failed = _preload(order.get("modules", ()))
    unfit = _unfit(channel)
    _become_single_threaded()
    launch.inherited_descriptors = frozenset(_open_descriptors() - {0, 1, 2, channel.fileno()})
    gc.collect()
    gc.freeze()
    channel.send(
        json.dumps({"ready": True, "unfit": unfit, "failed": failed, "python": sys.version.split()[0]}).encode()
    )
    warm, plan, user = order["warm"], order["plan"], (os.geteuid(), os.getegid())
    while True:
        message, descriptors = _receive(channel)
        if not message:
            return
        try:
            pid = syscalls.fork_into(launch.namespace_flags(plan, message == b"network"))
        except OSError as error:
            os.write(descriptors[0], json.dumps({"failed": str(error)}).encode() + b"\n")
            pid = -1
        if pid == 0:
            supervisor.child_main(channel, descriptors, warm, user if plan["user"] else None)  # never returns
        for descriptor in descriptors:
            os.close(descriptor)


def _receive(channel):
    room = array.array("i")
    message, ancillary, _flags, _address = channel.recvmsg(64, socket.CMSG_LEN(MAX_DESCRIPTORS * room.itemsize))
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            room.frombytes(data[: len(data) - len(data) % room.itemsize])
    return message, list(room)


def _become_single_threaded():
    """Go on in a forked child: pools of native threads that libraries keep (OpenBLAS) end in the parent, properly told
    by their fork handlers. What follows forks a process of one thread. The parent waits and passes the end on."""
    if len(os.listdir("/proc/self/task")) == 1:
        return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        os._exit(0)
    syscalls.die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def _step_aside():
    """Leave the names of our own modules to the user's libraries: `import resources` shall find theirs."""
    folder = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != folder]
    for name, module in list(sys.modules.items()):
        if name != "__main__" and os.path.dirname(getattr(module, "__file__", None) or "") == folder:
            del sys.modules[name]
    importlib.invalidate_caches()


def _open_descriptors():
    """The descriptors this process holds."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            os.fstat(int(name))
        except OSError:
            continue  # the descriptor of the listing itself
        found.add(int(name))
    return found


def _preload(modules):
    """Import what can be imported; a module that cannot be is the script's own affair. Returns what failed."""
    failed = {}
    for name in modules:
        try:
            importlib.import_module(name)
        except BaseException as error:  # a library may raise anything at import, SystemExit included
            failed[name] = "{}: {}".format(type(error).__name__, error)[:200]
    return failed


def _unfit(channel):
    """Why forking this process would not be safe, or None: a Python thread, an open socket, a GPU context."""
    others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others:
        return "an import left the thread {!r} running".format(others[0])
    for descriptor in _open_descriptors():
        target = os.readlink("/proc/self/fd/{}".format(descriptor))
        is_socket = stat.S_ISSOCK(os.fstat(descriptor).st_mode)
        if is_socket and descriptor != channel.fileno():
            return "an import left a socket open"
        if target.startswith(("/dev/nvidia", "/dev/kfd")):
            return "an import opened the GPU"
    return None
