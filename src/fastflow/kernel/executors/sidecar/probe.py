"""Tries out, in a child process and as the user that runs will have, which namespaces this machine allows."""

import json
import os
import sys

import landlock
import sandbox
import syscalls


def main(order):
    """Print what works as one JSON object: {"user", "pid", "ipc", "mount", "network", "landlock": bool, "why": {name: text}}."""
    result = {"user": False, "pid": False, "ipc": False, "mount": False, "network": False, "landlock": False, "why": {}}
    needs_user = os.geteuid() != 0
    if needs_user:
        result["user"] = _try(result, "user", lambda: _unshare(0))
        if not result["user"]:
            for name in ("pid", "ipc", "mount", "network"):
                result["why"][name] = "needs a user namespace"
    if result["user"] or not needs_user:
        result["pid"] = _try(result, "pid", lambda: _unshare(syscalls.CLONE_NEWPID))
        result["ipc"] = _try(result, "ipc", lambda: _unshare(syscalls.CLONE_NEWIPC))
        result["network"] = _try(result, "network", lambda: _unshare(syscalls.CLONE_NEWNET))
        result["mount"] = _try(result, "mount", lambda: _mounts(order["tmp"]))
    result["landlock"] = landlock.version() > 0 and _try(result, "landlock", lambda: landlock.confine([], []))
    json.dump(result, sys.stdout)


def _unshare(flags):
    uid, gid = os.geteuid(), os.getegid()
    syscalls.unshare(flags | (syscalls.CLONE_NEWUSER if uid else 0))
    if uid:
        syscalls.map_only_self(uid, gid)


def _mounts(tmp):
    _unshare(syscalls.CLONE_NEWNS)
    sandbox.View(hide=[tmp], keep=[(tmp, True)], read_only=True).apply()


def _try(result, name, attempt):
    """Run `attempt` in a child; True when it worked, else the reason goes into result["why"]."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        text = ""
        try:
            attempt()
        except BaseException as error:
            text = "{}".format(error)
        os.write(write, text.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as file:
        text = file.read()
    os.waitpid(pid, 0)
    if text:
        result["why"][name] = text
    return not text
