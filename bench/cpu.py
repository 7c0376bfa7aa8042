"""How much processor a server's processes take."""

import time
from collections.abc import Sequence

import psutil

LOOK_SECONDS = 5.0


def cpu_seconds(tree: Sequence[psutil.Process]) -> float:
    """Processor time that they have used so far, in user and kernel mode.

    Raises:
        psutil.NoSuchProcess: one of them has ended.
    """
    return float(sum(sum(process.cpu_times()[:2]) for process in tree))


def cpu_shares(pid: int, looks: int) -> list[float]:
    """Percent of one core that a process and its descendants take, over stretches of five seconds."""
    root = psutil.Process(pid)
    found: list[float] = []
    while len(found) < looks:
        tree = [root, *root.children(recursive=True)]
        try:
            begun, used = time.perf_counter(), cpu_seconds(tree)
            time.sleep(LOOK_SECONDS)  # the stretch that is measured
            found.append(100 * (cpu_seconds(tree) - used) / (time.perf_counter() - begun))
        except psutil.NoSuchProcess:
            if not root.is_running():
                raise  # the server itself; a child that ends is no quiet server, and looked at again
    return found
