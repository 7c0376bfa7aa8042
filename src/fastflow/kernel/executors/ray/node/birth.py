"""Starts the supervisor on a node: a fork of the agent that becomes whom scripts act as and enters their namespaces.

The agent must have one thread. A process between the two makes what is private to root, and reaps.
"""

import json
import os
import signal
import socket
import time

import launch
import nodehome
import sandbox
import supervisor
import syscalls

CUT_OFF = "the run's agent on the node was killed, and the run was ended with it"
STOPPED = "the run's job was stopped from outside (by `ray job stop`, or by the end of its node)"
STOP_GRACE = 2.0
"""Ray kills what is left 3 seconds after it asked a job to stop."""


class Tethered(supervisor.Supervisor):
    """A supervisor that ends its run when its agent is gone: somebody else may take the run for lost already."""

    def run(self):
        """From start to recorded end."""
        signal.signal(signal.SIGTERM, self._asked_to_stop)
        return supervisor.Supervisor.run(self)

    def _asked_to_stop(self, _number, _frame):
        if self.process is not None:
            self._begin_stop("lost", STOPPED, min(self.spec["grace"], STOP_GRACE), time.monotonic())

    def _forget(self, connection):
        supervisor.Supervisor._forget(self, connection)
        if connection is self.first_connection and self.process is not None:
            self._begin_stop("lost", CUT_OFF, 0, time.monotonic())

    def _poke(self):
        """The agent looks at the files by itself."""


def give_birth(spec, log_descriptor, cgroup_descriptors, user, reach):
    """Start the supervisor of the order `spec`: our end of its control connection, and the id of the process between.

    Args:
        user: id of whom it acts as; None: as we do.
        reach: paths it must be able to reach whatever folders lie on the way.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            ours.close()
            code = _stand_between(spec, theirs, [log_descriptor] + list(cgroup_descriptors), user, reach)
        except BaseException as error:
            theirs.send(json.dumps({"failed": "{}: {}".format(type(error).__name__, error)}).encode() + b"\n")
        finally:
            os._exit(code)
    theirs.close()
    return ours, pid


def _stand_between(spec, control, descriptors, user, reach):
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the supervisor decides when it is over
    if user is not None:
        syscalls.unshare(syscalls.CLONE_NEWNS)
        nodehome.reachable(reach, user)
        sandbox.become(user, user)
        syscalls.set_dumpable(True)  # else /proc/self stays root's, and the child could not map its user
    plan = spec["plan"]
    ids = (os.geteuid(), os.getegid()) if plan["user"] else None
    pid = syscalls.fork_into(launch.namespace_flags(plan, spec["network"]))
    if pid == 0:
        _supervise(spec, control, descriptors, ids)  # never returns
    syscalls.set_dumpable(False)
    control.close()
    for descriptor in descriptors:
        os.close(descriptor)
    os.waitpid(pid, 0)
    return 0


def _supervise(spec, control, descriptors, ids):
    code = 70
    try:
        if ids is not None:
            syscalls.map_only_self(*ids)
        os.setsid()
        code = Tethered(spec, control, descriptors[0], descriptors[1:], False).run()
    except BaseException as error:
        control.setblocking(True)
        control.send(json.dumps({"failed": "{}: {}".format(type(error).__name__, error)}).encode() + b"\n")
    finally:
        os._exit(code)
