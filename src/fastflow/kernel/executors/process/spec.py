"""From the port's RunSpec to the order a supervisor reads: folders, view, limits, environment variables."""

import json
import os
import pwd
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fastflow.kernel.executors.port import RunSpec
from fastflow.kernel.executors.process.cgroups import CgroupTree, RunGroup
from fastflow.kernel.executors.process.zygotes import SIDECAR, RunUser, interpreter_prefix
from fastflow.kit.errors import InvalidInput

DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"
NOBODY_FROM, NOBODY_TO = 64_000, 64_900
"""Where an unused user id for runs is looked for, from the top: high, and clear of the ids distributions hand out."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What is the same for every run of this executor.

    Attributes:
        hidden: folders and files no run may see.
        readable, writable: paths outside a run's own folders that it may use all the same.
        plan: which namespaces work here (`sidecar/probe.py`).
    """

    user: RunUser
    hidden: Sequence[Path]
    readable: Sequence[Path]
    writable: Sequence[Path]
    plan: Mapping[str, Any]


def find_run_user(name: str | None) -> RunUser:
    """Whom runs act as: the named user, else an unused id; nobody else when the server is not root.

    Raises:
        InvalidInput: there is no such user.
    """
    if os.geteuid() != 0:
        return RunUser(uid=None, gid=None)
    if name is not None:
        try:
            entry = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
        except KeyError:
            raise InvalidInput(
                f"RUN_USER = {name!r}: this machine has no such user.",
                code="unknown_run_user",
                hint="Make the user, or name another; without RUN_USER runs act as an id of their own that owns nothing.",
                fields={"RUN_USER": "is no user of this machine"},
            ) from None
        return RunUser(uid=entry.pw_uid, gid=entry.pw_gid)
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    uid = next(number for number in range(NOBODY_TO, NOBODY_FROM, -1) if number not in taken)
    return RunUser(uid=uid, gid=uid)


def prepare_folders(spec: RunSpec, folder: Path, user: RunUser) -> None:
    """Make the attempt's folders, owned by whom the run acts as, and the parameter file."""
    folder.mkdir(parents=True, mode=0o755)
    spec.artifacts_dir.mkdir(parents=True, exist_ok=True, mode=0o755)
    for place in (folder / "ctl", folder / "work", folder / "tmp"):
        place.mkdir(mode=0o700)
    (folder / "params.json").write_text(json.dumps(dict(spec.params)))
    if spec.handed is not None:
        document = spec.handed.document(lambda _run_id, path: str(path))
        (folder / "upstream.json").write_text(json.dumps(document))
    for entry in os.scandir(spec.code_dir):
        if entry.name != "__pycache__":
            (folder / "work" / entry.name).symlink_to(entry.path)
    if user.uid is not None and user.gid is not None:
        for place in (folder / "ctl", folder / "work", folder / "tmp", spec.artifacts_dir):
            os.chown(place, user.uid, user.gid)


def build_order(
    spec: RunSpec, folder: Path, around: Surroundings, group: RunGroup | None, tree: CgroupTree
) -> dict[str, Any]:
    """The JSON object a supervisor is sent."""
    has_mounts = bool(around.plan["mount"])
    return {
        "control_dir": str(folder / "ctl"),
        "work_dir": str(folder / "work"),
        "code_dir": str(spec.code_dir),
        "script": str(spec.code_dir / spec.script),
        "python": str(spec.python),
        "env": _environment(spec, folder, has_mounts),
        "secrets": list(spec.secrets),
        "log_max_bytes": spec.log_max_bytes,
        "limits": asdict(spec.limits),
        "rlimits": _rlimits(spec, around, tree),
        "run_timeout": spec.run_timeout,
        "idle_timeout": spec.idle_timeout,
        "grace": spec.grace,
        "network": spec.network,
        "plan": dict(around.plan),
        "cgroup_paths": dict(group.meter) if group else None,
        "view": {
            "hide": [str(path) for path in around.hidden],
            "keep": _keeps(spec, folder, around),
            "tmp": str(folder / "tmp"),
        },
    }


def _keeps(spec: RunSpec, folder: Path, around: Surroundings) -> list[tuple[str, bool]]:
    readable = [
        spec.code_dir,
        spec.python.parent.parent,
        interpreter_prefix(spec.python),
        SIDECAR,
        folder / "params.json",
        *around.readable,
    ]
    if spec.handed is not None:
        readable += [folder / "upstream.json", *spec.handed.folders.values()]
    if spec.inputs is not None:
        readable.append(spec.inputs)
    writable = [folder / "work", spec.artifacts_dir, *around.writable]
    return [(str(path), False) for path in readable] + [(str(path), True) for path in writable]


def _environment(spec: RunSpec, folder: Path, has_mounts: bool) -> dict[str, str]:
    environment = {
        "PATH": f"{spec.python.parent}:{DEFAULT_PATH}",
        "HOME": str(folder / "work"),
        "USER": "fastflow",
        "LOGNAME": "fastflow",
        "TMPDIR": "/tmp" if has_mounts else str(folder / "tmp"),  # noqa: S108  the run's own /tmp
        "LANG": "C.UTF-8",
        "VIRTUAL_ENV": str(spec.python.parent.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "FASTFLOW_RUN_ID": spec.key.run_id,
        "FASTFLOW_PIPELINE": spec.pipeline_name,
        "FASTFLOW_PARAMS": str(folder / "params.json"),
        "FASTFLOW_ARTIFACTS": str(spec.artifacts_dir),
    }
    if spec.handed is not None:
        environment |= {"FASTFLOW_UPSTREAM": str(folder / "upstream.json"), **spec.handed.variables}
    if spec.inputs is not None:
        environment["FASTFLOW_INPUTS"] = str(spec.inputs)
    return {**environment, **spec.env}


def _rlimits(spec: RunSpec, around: Surroundings, tree: CgroupTree) -> dict[str, int]:
    limits = {"RLIMIT_CORE": 0}
    if spec.limits.file_size_bytes is not None:
        limits["RLIMIT_FSIZE"] = spec.limits.file_size_bytes
    if spec.limits.memory_bytes is not None and not tree.enforces("memory"):
        limits["RLIMIT_DATA"] = spec.limits.memory_bytes
    if spec.limits.pids is not None and not tree.enforces("pids") and around.plan["user"]:
        limits["RLIMIT_NPROC"] = spec.limits.pids + 2  # counted per user namespace: supervisor and init are in it
    return limits


def remove_folder(folder: Path) -> None:
    """Remove an attempt's folder whatever modes the script has left in it."""
    if not folder.exists():
        return
    try:
        shutil.rmtree(folder)
    except PermissionError:
        for root, _folders, _files in os.walk(folder):
            Path(root).chmod(0o700)
        shutil.rmtree(folder)
