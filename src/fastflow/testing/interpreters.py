"""Other Pythons that happen to be on this machine, for tests of pipelines that ask for one."""

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from fastflow.kernel.environments.infra.interpreters import OLDEST

_PROBE = "import platform; print(platform.python_version())"


def find_others() -> Mapping[str, Path]:
    """Minor version -> interpreter, of those on PATH or installed by pyenv that pipelines may run on; without the own."""
    own = platform.python_version().rpartition(".")[0]
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders += sorted((Path.home() / ".pyenv" / "versions").glob("*/bin"))
    found: dict[str, Path] = {}
    for folder in folders:
        for program in sorted(folder.glob("python3.*")):
            minor = re.fullmatch(r"python(3\.\d+)", program.name)
            if minor is None or minor[1] in found or minor[1] == own:
                continue
            if tuple(map(int, minor[1].split("."))) >= OLDEST and _works(program, minor[1]):
                found[minor[1]] = program
    return found


def _works(program: Path, minor: str) -> bool:
    """Whether it is that Python, and not a stand-in that leads nowhere."""
    told = subprocess.run([program, "-c", _PROBE], capture_output=True, text=True, check=False)
    return told.returncode == 0 and told.stdout.startswith(f"{minor}.")
