"""From what the server says of an attempt to the order its supervisor reads, with this node's paths and limits."""

import os
import pwd
import types
import zlib
from pathlib import Path

import cgroups
import nodehome

DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


class Groups:
    """The control groups of one attempt, where this node has any.

    Args:
        name: of the attempt.
        limits: as the server says them.
        home: path of our folder here; each has a tree of its own, for it knows its own attempts only.
    """

    def __init__(self, name, limits, home):
        self._name = name
        self._tree = cgroups.find_tree("fastflow-runs-{}-{:08x}".format(os.geteuid(), zlib.crc32(os.fsencode(home))))
        self._group = self._tree.create(name, types.SimpleNamespace(**limits))
        self.meter = dict(self._group.meter) if self._group else None

    def enforces(self, controller):
        """Whether the kernel enforces limits of this kind."""
        return self._tree.enforces(controller)

    def open_members(self):
        """Descriptors of the files that a process joins by writing to them."""
        files = self._group.member_files if self._group else ()
        return [os.open(path, os.O_WRONLY | os.O_CLOEXEC) for path in files]

    def remove(self):
        """Remove them; those that the kernel holds on to stay for the next sweep."""
        if self._tree.version is not None:
            cgroups.remove_eventually(self._tree, self._name)

    def sweep(self, runs):
        """Remove groups of attempts that have no folder in `runs` any more. A folder is made before its groups: so those
        are looked for first."""
        if self._tree.version is not None:
            found = self._tree.leftovers()
            for name in found - set(os.listdir(runs)):
                self._tree.remove(name)


def build_order(told, folder, code_dir, found, home, plan, groups):
    """The order of an attempt.

    Args:
        told: what the server says.
        folder: the attempt's.
        code_dir: the pipeline's code on this node.
        found: the interpreter.
        home: this node's folder.
        plan: which isolation works here.
        groups: the attempt's control groups.
    """
    artifacts = os.path.join(folder, "artifacts")
    readable = [code_dir, nodehome.SIDECAR, nodehome.prefix_of(found.python), os.path.join(folder, "params.json")]
    if found.environment is not None:
        readable.append(found.environment)
    writable = [os.path.join(folder, "work"), artifacts]
    return {
        "control_dir": os.path.join(folder, "ctl"),
        "work_dir": os.path.join(folder, "work"),
        "code_dir": code_dir,
        "script": os.path.join(code_dir, told["script"]),
        "python": found.python,
        "env": _environment(told, folder, found, plan["mount"]),
        "secrets": told["secrets"],
        "log_max_bytes": told["log_max_bytes"],
        "limits": told["limits"],
        "rlimits": _rlimits(told["limits"], plan, groups),
        "run_timeout": told["run_timeout"],
        "idle_timeout": told["idle_timeout"],
        "grace": told["grace"],
        "network": told["network"],
        "plan": plan,
        "cgroup_paths": groups.meter,
        "view": {
            "hide": [home.path] + _own_home(),
            "keep": [(path, False) for path in readable] + [(path, True) for path in writable],
            "tmp": os.path.join(folder, "tmp"),
        },
        "isolation": {"node": os.uname().nodename, "interpreter": found.version or None},
    }


def _environment(told, folder, found, has_mounts):
    names = {
        "PATH": "{}:{}".format(os.path.dirname(found.python), DEFAULT_PATH),
        "HOME": os.path.join(folder, "work"),
        "USER": "fastflow",
        "LOGNAME": "fastflow",
        "TMPDIR": "/tmp" if has_mounts else os.path.join(folder, "tmp"),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "FASTFLOW_RUN_ID": told["run_id"],
        "FASTFLOW_PIPELINE": told["pipeline_name"],
        "FASTFLOW_PARAMS": os.path.join(folder, "params.json"),
        "FASTFLOW_ARTIFACTS": os.path.join(folder, "artifacts"),
    }
    if found.environment is not None:
        names["VIRTUAL_ENV"] = found.environment
    return dict(names, **told["env"])


def _rlimits(limits, plan, groups):
    found = {"RLIMIT_CORE": 0}
    if limits["file_size_bytes"] is not None:
        found["RLIMIT_FSIZE"] = limits["file_size_bytes"]
    if limits["memory_bytes"] is not None and not groups.enforces("memory"):
        found["RLIMIT_DATA"] = limits["memory_bytes"]
    if limits["pids"] is not None and not groups.enforces("pids") and plan["user"]:
        found["RLIMIT_NPROC"] = limits["pids"] + 2  # counted per user namespace: supervisor and init are in it
    return found


def _own_home():
    try:
        home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return []
    return [str(home)] if home.is_dir() and home != Path("/") else []
