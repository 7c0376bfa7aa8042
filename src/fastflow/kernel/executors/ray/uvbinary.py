"""The server's uv, described for nodes that have none."""

import hashlib
import platform
import subprocess
import sysconfig
from pathlib import Path

from fastflow.kernel.executors.ray.order import UvBinary

_BLOCK_BYTES = 1 << 20


def describe_uv(path: Path) -> UvBinary:
    """Version and checksum of a uv of this machine; takes a fraction of a second.

    Raises:
        OSError: it cannot be read or run.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    told = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60, check=True)
    machine = f"{sysconfig.get_platform()}-{platform.libc_ver()[0] or 'musl'}"
    return UvBinary(version=told.stdout.split()[1], sha256=digest.hexdigest(), platform=machine)
