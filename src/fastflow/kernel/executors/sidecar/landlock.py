"""Landlock: what a process may touch, without any rights and without namespaces (Linux 5.13 or newer).

Used where no mount namespace is allowed. An allow-list: the system's folders to read and execute, the run's own to
write; nothing else of the file system, no signal to and no look into processes outside.
"""

import ctypes
import os
import struct

import syscalls

_SYS_CREATE, _SYS_ADD, _SYS_RESTRICT = 444, 445, 446  # the same on every architecture
_CREATE_VERSION = 1
_RULE_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_FILE_ONLY = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_ALL_BY_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_SCOPES = 0b11  # abstract sockets and signals, from version 6 on

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/opt", "/nix", "/proc", "/sys")
DEVICES = "/dev"


def version():
    """The kernel's Landlock version; 0 where there is none."""
    found = syscalls.raw(_SYS_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(_CREATE_VERSION))
    return max(0, found)


def confine(readable, writable):
    """Restrict this process and all its children to the system's folders, `readable` and `writable`, for good."""
    known = version()
    every = _ALL_BY_VERSION[min(known, 5)]
    attributes = struct.pack("=QQQ", every, 0, _SCOPES if known >= 6 else 0)
    size = 24 if known >= 6 else (16 if known >= 4 else 8)
    ruleset = syscalls.checked_raw("landlock", _SYS_CREATE, attributes, ctypes.c_size_t(size), ctypes.c_uint(0))
    for path in SYSTEM + tuple(readable):
        _allow(ruleset, path, _READ & every)
    for path in (DEVICES, *writable):
        _allow(ruleset, path, every)
    syscalls.forbid_new_privileges()
    syscalls.checked_raw("landlock", _SYS_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint(0))
    os.close(ruleset)


def _allow(ruleset, path, access):
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # this machine has no such folder, or we may not reach it anyway
    if not os.path.isdir(path):
        access &= _FILE_ONLY
    rule = struct.pack("=Qi", access, handle)
    syscalls.checked_raw(
        "landlock " + path, _SYS_ADD, ctypes.c_int(ruleset), ctypes.c_int(_RULE_PATH_BENEATH), rule, ctypes.c_uint(0)
    )
    os.close(handle)
