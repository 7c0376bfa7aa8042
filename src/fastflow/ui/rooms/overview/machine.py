"""How much of the machine is in use."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The machine at one moment.

    Attributes:
        load: processes that run or want to, on average over a minute.
        cores: how many can run at once.
        memory_bytes, memory_free_bytes: of the whole machine.
        disk_bytes, disk_free_bytes: where the data are.
    """

    load: float
    cores: int
    memory_bytes: int
    memory_free_bytes: int
    disk_bytes: int
    disk_free_bytes: int


def look(data_dir: Path) -> Machine:
    """The machine now."""
    memory = _memory()
    disk = shutil.disk_usage(data_dir)
    return Machine(
        load=os.getloadavg()[0],
        cores=os.cpu_count() or 1,
        memory_bytes=memory.get("MemTotal", 0),
        memory_free_bytes=memory.get("MemAvailable", 0),
        disk_bytes=disk.total,
        disk_free_bytes=disk.free,
    )


def _memory() -> dict[str, int]:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
