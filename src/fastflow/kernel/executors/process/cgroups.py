"""Control groups of runs: version 1 or 2 where they can be written, none elsewhere (and then told).

At run time it needs nothing of `fastflow` and loads little: the nodes of a cluster use it for each run (`ray/package.py`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastflow.kernel.executors.port import Limits

CPU_PERIOD_MICROSECONDS = 100_000
_V1_CONTROLLERS = ("memory", "pids", "cpu", "cpuacct")
_V2_CONTROLLERS = ("memory", "pids", "cpu")


class RunGroup:
    """The groups of one run.

    Attributes:
        folders: controller -> folder.
        meter: what the supervisor reads: {"version", "memory", "cpu"}.
    """

    def __init__(self, *, folders: Mapping[str, Path], meter: Mapping[str, object]) -> None:
        self.folders = folders
        self.meter = meter

    @property
    def member_files(self) -> Sequence[Path]:
        """The files to write a process into; each folder once."""
        return [folder / "cgroup.procs" for folder in sorted(set(self.folders.values()))]


class CgroupTree:
    """Where runs' groups are made. `version` None means that there is nowhere; `why` tells the reason."""

    def __init__(
        self, *, name: str, version: int | None = None, bases: Mapping[str, Path] | None = None, why: str | None = None
    ) -> None:
        self.name = name
        self.version = version
        self.bases = dict(bases or {})
        self.why = why

    def enforces(self, controller: str) -> bool:
        """Whether limits of this kind are enforced by the kernel."""
        return controller in self.bases

    def create(self, key: str, limits: Limits) -> RunGroup | None:
        """The groups of run attempt `key`, with its limits set; None where there are no groups."""
        if self.version is None:
            return None
        folders = {}
        for controller, base in self.bases.items():
            if controller == "cpu" and self.version == 1 and limits.cpus is None:
                continue
            folder = base / key
            folder.mkdir(exist_ok=True)
            folders[controller] = folder
        _set_limits(self.version, folders, limits)
        cpu = folders.get("cpuacct") if self.version == 1 else folders.get("cpu")
        meter = {
            "version": self.version,
            "memory": str(folders["memory"]) if "memory" in folders else None,
            "cpu": str(cpu) if cpu else None,
        }
        return RunGroup(folders=folders, meter=meter)

    def members(self, key: str) -> set[int]:
        """Process ids in the attempt's groups."""
        found: set[int] = set()
        for base in set(self.bases.values()):
            found.update(_pids_in(base / key))
        return found

    def remove(self, key: str) -> bool:
        """Remove the attempt's groups; False while the kernel still holds a process in one."""
        gone = True
        for base in set(self.bases.values()):
            try:
                (base / key).rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                gone = False
        return gone

    def leftovers(self) -> set[str]:
        """Attempts that still have a group."""
        return {path.name for base in set(self.bases.values()) for path in base.iterdir() if path.is_dir()}


def _set_limits(version: int, folders: Mapping[str, Path], limits: Limits) -> None:
    memory, pids, cpu = folders.get("memory"), folders.get("pids"), folders.get("cpu")
    if limits.memory_bytes is not None and memory:
        if version == 1:
            (memory / "memory.limit_in_bytes").write_text(str(limits.memory_bytes))
            swap = memory / "memory.memsw.limit_in_bytes"
            if swap.exists():
                swap.write_text(str(limits.memory_bytes))
        else:
            (memory / "memory.max").write_text(str(limits.memory_bytes))
            if (memory / "memory.swap.max").exists():
                (memory / "memory.swap.max").write_text("0")
    if limits.pids is not None and pids:
        (pids / "pids.max").write_text(str(limits.pids))
    if limits.cpus is not None and cpu:
        quota = max(1000, int(limits.cpus * CPU_PERIOD_MICROSECONDS))
        if version == 1:
            (cpu / "cpu.cfs_period_us").write_text(str(CPU_PERIOD_MICROSECONDS))
            (cpu / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (cpu / "cpu.max").write_text(f"{quota} {CPU_PERIOD_MICROSECONDS}")


def _pids_in(folder: Path) -> set[int]:
    try:
        return {int(word) for word in (folder / "cgroup.procs").read_text().split()}
    except FileNotFoundError:
        return set()


def find_tree(name: str, mounts: Path = Path("/proc/self/mounts"), own: Path = Path("/proc/self/cgroup")) -> CgroupTree:
    """The tree to use on this machine: version 1 controllers where mounted, else version 2, else none.

    Args:
        name: folder name for our groups, unique per data directory.
        mounts: the kernel's table of mounts.
        own: the kernel's list of this process's groups.
    """
    places = _mounted(mounts)
    memberships = _memberships(own)
    tree = _version_1(name, places, memberships)
    if tree.version is None and "cgroup2" in places:
        tree = _version_2(name, places["cgroup2"], memberships.get("", "/"))
    return tree


def _mounted(mounts: Path) -> dict[str, Path]:
    places: dict[str, Path] = {}
    for line in mounts.read_text().splitlines():
        _device, place, kind, options = line.split()[:4]
        if kind == "cgroup2":
            places.setdefault("cgroup2", Path(place))
        elif kind == "cgroup":
            for option in options.split(","):
                if option in _V1_CONTROLLERS:
                    places.setdefault(option, Path(place))
    return places


def _memberships(own: Path) -> dict[str, str]:
    found = {}
    for line in own.read_text().splitlines():
        _number, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            found[controller] = path
    return found


def _version_1(name: str, places: Mapping[str, Path], memberships: Mapping[str, str]) -> CgroupTree:
    tree = CgroupTree(name=name)
    for controller in _V1_CONTROLLERS:
        if controller not in places:
            continue
        base = places[controller] / memberships.get(controller, "/").lstrip("/") / name
        try:
            base.mkdir(exist_ok=True)
            if not os.access(base / "cgroup.procs", os.W_OK):
                raise PermissionError(13, "cgroup.procs is not writable")
        except OSError as error:
            tree.why = f"{base}: {error.strerror}"
            continue
        tree.bases[controller] = base
    tree.version = 1 if "memory" in tree.bases or "pids" in tree.bases else None
    if tree.version is None:
        tree.bases.clear()
        tree.why = tree.why or "no control groups are mounted"
    return tree


def _version_2(name: str, root: Path, own_path: str) -> CgroupTree:
    tree = CgroupTree(name=name)
    own = root / own_path.lstrip("/")
    for parent in dict.fromkeys((own, root)):
        try:
            available = set((parent / "cgroup.controllers").read_text().split()) & set(_V2_CONTROLLERS)
            if not available:
                tree.why = f"{parent}: none of {', '.join(_V2_CONTROLLERS)} is available"
                continue
            base = parent / name
            base.mkdir(exist_ok=True)
            _delegate(parent, available)
            _delegate(base, available)
        except OSError as error:
            tree.why = f"{parent}: {error.strerror}"
            continue
        tree.version, tree.why = 2, None
        tree.bases = dict.fromkeys(sorted(available), base)
        return tree
    return tree


def _delegate(parent: Path, controllers: set[str]) -> None:
    """Hand the controllers down; a group that holds processes itself may not, so they move into a leaf first."""
    missing = controllers - set((parent / "cgroup.subtree_control").read_text().split())
    if not missing:
        return
    order = " ".join(f"+{controller}" for controller in sorted(missing))
    try:
        (parent / "cgroup.subtree_control").write_text(order)
    except OSError:
        leaf = parent / "server"
        leaf.mkdir(exist_ok=True)
        for pid in _pids_in(parent):
            (leaf / "cgroup.procs").write_text(str(pid))
        (parent / "cgroup.subtree_control").write_text(order)


def remove_eventually(tree: CgroupTree, key: str, seconds: float = 2.0) -> bool:
    """Remove the attempt's groups, giving the kernel a moment to let go of the last process (blocking)."""
    deadline = time.monotonic() + seconds
    while not tree.remove(key):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.005)  # noqa: TID251  the kernel offers no event for "the last zombie has left the group"
    return True
