"""What a run uses and whether it may: from its cgroup where there is one, else from /proc."""

import os

CHECK_EVERY = 0.1
"""Seconds between two looks at the tree's memory when no cgroup enforces the limit."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")


def descendants(pid):
    """Process ids of all descendants of `pid` (a number, or "self")."""
    found, queue = [], [pid]
    while queue:
        parent = queue.pop()
        for child in _children(parent):
            found.append(child)
            queue.append(child)
    return found


def _children(pid):
    try:
        threads = os.listdir("/proc/{}/task".format(pid))
    except OSError:
        return []
    found = []
    for thread in threads:
        text = _read("/proc/{}/task/{}/children".format(pid, thread))
        found.extend(int(word) for word in (text or "").split())
    return found


class Meter:
    """Memory and CPU time of one run.

    Args:
        paths: the run's cgroup folders: {"version": 1 or 2, "memory": folder, "cpu": folder}; may be empty.
        limits: {"memory_bytes": ...}.
    """

    def __init__(self, paths, limits):
        self._version = paths.get("version")
        self._memory = paths.get("memory")
        self._cpu = paths.get("cpu")
        self._limit = limits.get("memory_bytes")
        self._peak = 0
        self._checked = 0.0

    def next_check(self, now):
        """When the tree's memory has to be looked at next; None when the kernel enforces the limit."""
        if self._limit is None or self._memory:
            return None
        return max(now, self._checked + CHECK_EVERY)

    def over_limit(self, pids, now):
        """Whether the tree uses more memory than it may (only asked of ourselves when there is no cgroup)."""
        if self.next_check(now) is None or now < self._checked + CHECK_EVERY:
            return False
        self._checked = now
        return self._resident(pids()) > self._limit

    def over_limit_text(self):
        """The sentence that tells of it."""
        if self._limit is None:
            return "ran out of memory: the machine had none left"
        return "needed more memory than its limit of {}".format(_in_words(self._limit))

    def sample(self, pids):
        """Memory now, in bytes, and CPU seconds so far."""
        if self._memory:
            name = "memory.usage_in_bytes" if self._version == 1 else "memory.current"
            memory = int(_read(os.path.join(self._memory, name)) or 0)
        else:
            memory = self._resident(pids())
        cpu = self._cgroup_cpu()
        return {"memory_bytes": memory, "cpu_seconds": cpu if cpu is not None else _ticks(pids()) / _TICK}

    def totals(self, status):
        """Peak memory and CPU seconds of the whole run; `status` is what the run's first process measured."""
        peak = None
        if self._memory:
            name = "memory.max_usage_in_bytes" if self._version == 1 else "memory.peak"
            peak = int(_read(os.path.join(self._memory, name)) or 0)
        cpu = self._cgroup_cpu()
        return {
            "peak_memory_bytes": peak or max(self._peak, status.get("max_rss_bytes", 0)) or None,
            "cpu_seconds": cpu if cpu is not None else status.get("cpu_seconds"),
        }

    def oom_kills(self):
        """How many of the run's processes the kernel killed for memory."""
        if not self._memory:
            return 0
        name = "memory.oom_control" if self._version == 1 else "memory.events"
        for line in (_read(os.path.join(self._memory, name)) or "").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
        return 0

    def _cgroup_cpu(self):
        if not self._cpu:
            return None
        if self._version == 1:
            return int(_read(os.path.join(self._cpu, "cpuacct.usage")) or 0) / 1e9
        for line in (_read(os.path.join(self._cpu, "cpu.stat")) or "").splitlines():
            if line.startswith("usage_usec "):
                return int(line.split()[1]) / 1e6
        return None

    def _resident(self, pids):
        total = 0
        for pid in pids:
            fields = (_read("/proc/{}/statm".format(pid)) or "0 0 0").split()
            total += max(0, int(fields[1]) - int(fields[2])) * _PAGE  # shared file pages are not the run's own
        self._peak = max(self._peak, total)
        return total


def _ticks(pids):
    total = 0
    for pid in pids:
        text = _read("/proc/{}/stat".format(pid))
        if text:
            fields = text.rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
    return total


def _read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return None


def _in_words(size):
    for unit, factor in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if size >= factor:
            return "{:.4g} {}".format(size / factor, unit)
    return "{} bytes".format(size)
