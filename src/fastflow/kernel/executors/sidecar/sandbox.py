"""The run's view of the machine: which folders it sees, which it may write, as whom it acts.

Two callers: `enter` (as root, before a zygote starts: make the interpreter reachable for the unprivileged user and become
that user) and the supervisor (per run, in a user namespace of its own: hide the server's folders, everything read-only
but the run's own).
"""

import os

import syscalls


class View:
    """What to hide and what to keep visible.

    Args:
        hide: folders and files that shall not be seen (an empty folder or file stands in their place).
        keep: paths that stay visible even below a hidden one, each with True when it may be written.
        read_only: make everything else read-only.
        tmp: folder that stands in for /tmp and /var/tmp; None leaves them alone.
        proc: mount a /proc of the new PID namespace.
    """

    def __init__(self, hide=(), keep=(), read_only=False, tmp=None, proc=False):
        self.hide = list(hide)
        self.keep = [(path, bool(writable)) for path, writable in keep]
        self.read_only = read_only
        self.tmp = tmp
        self.proc = proc

    def apply(self):
        """Rearrange the mounts of the (already private) mount namespace. Returns notes on what could not be done."""
        syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_PRIVATE)
        kept = [(path, writable, os.open(path, os.O_PATH)) for path, writable in self._existing_keeps()]
        tmp_handle = os.open(self.tmp, os.O_PATH) if self.tmp else None
        if self.read_only:
            syscalls.set_read_only("/", True, recursive=True)
        covered = [] if tmp_handle is None else _own_tmp(tmp_handle)
        fresh = []
        for path in sorted(self.hide, key=len):
            if _cover(path, covered):
                covered.append(path)
                fresh += [path] if os.path.isdir(path) else []
        self._bring_back(kept, covered)
        for path in fresh:
            syscalls.set_read_only(path, True)
        return _fresh_proc() if self.proc else []

    def _bring_back(self, kept, covered):
        """Make the kept paths visible again, and writable where they may be."""
        for path, writable, handle in kept:
            is_hidden = any(_inside(path, place) for place in covered)
            if is_hidden:
                _make_place(path, handle)
            if is_hidden or (writable and self.read_only):
                _bind(handle, path, writable)
            os.close(handle)

    def _existing_keeps(self):
        return [
            (path, writable) for path, writable in sorted(self.keep, key=lambda k: len(k[0])) if os.path.exists(path)
        ]


def is_root_a_mount(mountinfo="/proc/self/mountinfo"):
    """False in a plain chroot, whose root is a folder of somebody's file system: mounts cannot be made private there."""
    with open(mountinfo) as lines:
        return any(line.split(" ", 5)[4] == "/" for line in lines)


def _own_tmp(handle):
    """Put the run's own folder in the place of the shared temporary ones; returns those places."""
    places = [place for place in ("/tmp", "/var/tmp") if os.path.isdir(place) and not os.path.islink(place)]
    for place in places:
        _bind(handle, place, writable=True)
    os.close(handle)
    if os.path.isdir("/dev/shm"):
        syscalls.mount("tmpfs", "/dev/shm", "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=1777")
    return places


def _cover(path, covered):
    """Hide `path`; False when there is nothing to hide (absent, or already out of sight)."""
    if not os.path.lexists(path) or any(_inside(path, place) for place in covered):
        return False
    if os.path.isdir(path):
        syscalls.mount("tmpfs", path, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=0755,size=1m")
    else:
        syscalls.mount("/dev/null", path, "", syscalls.MS_BIND)
    return True


def _make_place(path, handle):
    """Make the mount point `path`, of the kind that `handle` is, in a hidden folder."""
    if os.path.lexists(path):
        return
    if os.path.isdir("/proc/self/fd/{}".format(handle)):
        os.makedirs(path, 0o755, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))


def _bind(handle, place, writable):
    syscalls.mount("/proc/self/fd/{}".format(handle), place, "", syscalls.MS_BIND | syscalls.MS_REC)
    syscalls.set_read_only(place, not writable)


def _fresh_proc():
    try:
        syscalls.mount("proc", "/proc", "proc", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC)
    except OSError as error:
        return ["/proc shows the whole machine ({})".format(error)]
    return []


def _inside(path, folder):
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def unreachable_ancestors(paths, uid):
    """The topmost folders on the way to `paths` that user `uid` may not pass through."""
    found = []
    for path in paths:
        parts = [part for part in os.path.abspath(path).split("/") if part]
        for depth in range(1, len(parts)):
            folder = "/" + "/".join(parts[:depth])
            try:
                status = os.stat(folder)
            except OSError:
                break
            may_pass = status.st_mode & 0o001 or (status.st_uid == uid and status.st_mode & 0o100)
            if not may_pass:
                if folder not in found:
                    found.append(folder)
                break
    return found


def become(uid, gid):
    """As root: become an unprivileged user for good."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    syscalls.forbid_new_privileges()


def enter(order, more):
    """Make a view as root, become the unprivileged user and exec `order["argv"] + more` (never returns).

    `order`: {"uid", "gid", "reach": paths that must be reachable, "argv", "env" (None: as it is), "nice"}.
    """
    if os.geteuid() == 0:
        hide = unreachable_ancestors(order["reach"], order["uid"])
        if hide:
            syscalls.unshare(syscalls.CLONE_NEWNS)
            View(hide=hide, keep=[(path, True) for path in order["reach"]]).apply()
        become(order["uid"], order["gid"])
    if order.get("nice"):
        os.nice(order["nice"])
    argv = order["argv"] + more
    os.execvpe(argv[0], argv, os.environ if order["env"] is None else order["env"])
