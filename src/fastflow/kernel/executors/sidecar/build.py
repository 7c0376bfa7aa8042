"""One command of an environment's build, of which nothing outlives it.

A build runs code of strangers, and that may leave a process behind: one that goes on beside the server as the user that
builds, and meddles with what is built next. So the command gets a PID namespace of its own where that is allowed: when the
command ends, or this process is killed, the kernel ends everything in it. Where it is not allowed, this process adopts what
is left and ends it.
"""

import os
import signal

import resources
import sandbox
import syscalls


def main(order, more):
    """Run `order["argv"] + more`; the exit code, once nothing of it is left.

    `order`: {"uid", "gid" (None: nobody else), "reach": paths that must be reachable, "argv", "env" (None: as it is),
    "alone": False leaves namespaces alone}.
    """
    is_root = os.geteuid() == 0
    user = (order["uid"], order["gid"]) if is_root else (os.geteuid(), os.getegid())
    hide = sandbox.unreachable_ancestors(order["reach"], user[0]) if is_root else []
    syscalls.adopt_orphans()
    pid, flags = _fork(_wanted(is_root) if order.get("alone", True) else 0, syscalls.CLONE_NEWNS if hide else 0)
    if pid == 0:
        _settle(order, user, flags, hide, is_root)
        argv = order["argv"] + more
        os.execvpe(argv[0], argv, os.environ if order["env"] is None else order["env"])
    signal.signal(signal.SIGTERM, lambda _number, _frame: os.kill(pid, signal.SIGKILL))
    if is_root:
        sandbox.become(*user)
    code = _wait(pid)
    _end_what_is_left()
    return code


def _wanted(is_root):
    if not sandbox.is_root_a_mount():
        return 0  # in a plain chroot the kernel has no mount to set apart from the others
    flags = syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNS
    return flags if is_root else flags | syscalls.CLONE_NEWUSER


def _fork(wanted, needed):
    """Fork into the wanted namespaces, or else into those that cannot be done without."""
    if wanted:
        try:
            return syscalls.fork_into(wanted), wanted
        except OSError:
            pass  # not allowed here: what is left is ended by us
    return syscalls.fork_into(needed), needed


def _settle(order, user, flags, hide, is_root):
    """In the child: see what it shall see, become whom it shall be, and end with the parent."""
    if flags & syscalls.CLONE_NEWUSER:
        syscalls.map_only_self(*user)
    if flags & syscalls.CLONE_NEWNS:
        keep = [(path, True) for path in order["reach"]] if hide else []
        sandbox.View(hide=hide, keep=keep, proc=bool(flags & syscalls.CLONE_NEWPID)).apply()
    if is_root:
        sandbox.become(*user)
    else:
        syscalls.forbid_new_privileges()
        syscalls.drop_capabilities()
    syscalls.die_with_parent()  # last: the kernel forgets it when the user changes


def _wait(pid):
    """The command's exit code; what it orphaned is reaped as it ends."""
    while True:
        ended, status = os.wait()
        if ended == pid:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code


def _end_what_is_left():
    while True:
        for pid in resources.descendants(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue  # ended meanwhile
        try:
            os.wait()
        except ChildProcessError:
            return
