"""The few Linux calls that Python does not offer, through ctypes."""

import ctypes
import os
import signal

CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_SYS_MOUNT_SETATTR = 442  # the same on every architecture
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY = 0x1
_LINUX_CAPABILITY_VERSION_3 = 0x20080522

_SYS_CLONE = {"x86_64": 56, "aarch64": 220, "riscv64": 220, "ppc64le": 120}

_libc = ctypes.CDLL(None, use_errno=True)
_python = ctypes.PyDLL(None, use_errno=True)  # keeps the interpreter lock over the call
for _name in ("PyOS_BeforeFork", "PyOS_AfterFork_Child", "PyOS_AfterFork_Parent"):
    getattr(_python, _name).restype = None
_python.syscall.restype = ctypes.c_long


class _MountAttr(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


class _CapHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


def _check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, "{}: {}".format(what, os.strerror(number)))


def raw(number, *arguments):
    """A system call by its number; negative when it failed."""
    return _libc.syscall(ctypes.c_long(number), *arguments)


def checked_raw(what, number, *arguments):
    """A system call by its number; raises OSError when it failed."""
    result = raw(number, *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, "{}: {}".format(what, os.strerror(code)))
    return result


def unshare(flags):
    """Leave the given namespaces for fresh ones (the PID namespace takes effect for children)."""
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def fork_into(flags):
    """fork(), the child being born into fresh namespaces (and the first process of the PID namespace).

    A clone system call of our own, because unshare and fork would need two forks of a process that may be large.
    glibc's fork handlers are not run: the caller must be the only thread of its process.
    """
    if not flags:
        return os.fork()
    _python.PyOS_BeforeFork()
    pid = _python.syscall(
        ctypes.c_long(_SYS_CLONE[platform_machine()]),
        ctypes.c_ulong(flags | signal.SIGCHLD),
        None,
        None,
        None,
        None,
    )
    number = ctypes.get_errno() if pid < 0 else 0
    if pid == 0:
        _python.PyOS_AfterFork_Child()
        return 0
    _python.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(number, "clone: {}".format(os.strerror(number)))
    return pid


def platform_machine():
    """The processor architecture as the kernel names it."""
    return os.uname().machine


def mount(source, target, kind, flags=0, data=""):
    """mount(2); `kind` and `data` may be empty."""
    _check(
        _libc.mount(
            os.fsencode(source),
            os.fsencode(target),
            kind.encode() or None,
            ctypes.c_ulong(flags),
            data.encode() or None,
        ),
        "mount {}".format(target),
    )


def set_read_only(target, read_only, recursive=False):
    """Make a mount read-only or writable, leaving its other flags alone (Linux 5.12 or newer)."""
    attr = _MountAttr(attr_set=_MOUNT_ATTR_RDONLY if read_only else 0, attr_clr=0 if read_only else _MOUNT_ATTR_RDONLY)
    flags = _AT_RECURSIVE if recursive else 0
    result = _libc.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_int(_AT_FDCWD),
        os.fsencode(target),
        ctypes.c_uint(flags),
        ctypes.byref(attr),
        ctypes.c_size_t(ctypes.sizeof(attr)),
    )
    _check(result, "mount_setattr {}".format(target))


def die_with_parent(number=signal.SIGKILL):
    """Get this signal when the parent dies."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(number), 0, 0, 0), "prctl pdeathsig")


def adopt_orphans():
    """Become the parent of every orphaned descendant."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1), 0, 0, 0), "prctl subreaper")


def set_dumpable(dumpable):
    """Decide whether other processes of the same user may look into this one."""
    _check(_libc.prctl(_PR_SET_DUMPABLE, ctypes.c_ulong(1 if dumpable else 0), 0, 0, 0), "prctl dumpable")


def forbid_new_privileges():
    """No exec from here on gains rights (setuid files count for nothing)."""
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), 0, 0, 0), "prctl no_new_privs")


def drop_capabilities():
    """Give up every capability, also those a fresh user namespace granted."""
    header = _CapHeader(version=_LINUX_CAPABILITY_VERSION_3, pid=0)
    data = (ctypes.c_uint32 * 6)()
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(data)), "capset")


def map_only_self(uid, gid):
    """In a fresh user namespace: map our own user and group to themselves and nothing else."""
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", "{0} {0} 1".format(uid)),
        ("gid_map", "{0} {0} 1".format(gid)),
    ):
        with open("/proc/self/" + name, "w") as file:
            file.write(content)
