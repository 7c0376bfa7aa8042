"""Projects whose builds a test can watch and hold up."""

import os
from dataclasses import dataclass
from pathlib import Path


def write_local_project(folder: Path) -> None:
    """A project with a build backend of its own, which needs nothing from outside and writes beside the source, as
    real ones do."""
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "lib"\nversion = "1.0"\n'
    )
    (folder / "backend.py").write_text(
        "import os, pathlib, runpy, zipfile\n"
        "here = pathlib.Path(__file__).parent\n"
        "def build_wheel(where, config_settings=None, metadata_directory=None):\n"
        "    (here / 'lib.egg-info').mkdir(exist_ok=True)\n"
        "    if (here / 'gate.py').exists(): runpy.run_path(str(here / 'gate.py'))\n"
        "    name = 'lib-1.0-py3-none-any.whl'\n"
        "    with zipfile.ZipFile(os.path.join(where, name), 'w') as archive:\n"
        "        archive.writestr('lib.py', \"ORIGIN = 'local'\\n\")\n"
        "        archive.writestr('lib-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: lib\\nVersion: 1.0\\n')\n"
        "        archive.writestr('lib-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: t\\n'\n"
        "                         'Root-Is-Purelib: true\\nTag: py3-none-any\\n')\n"
        "        archive.writestr('lib-1.0.dist-info/RECORD', '')\n"
        "    return name\n"
        "build_editable = build_wheel\n"
    )


@dataclass(frozen=True)
class Gate:
    """A build that waits.

    Attributes:
        told: a pipe from which the build's process id can be read.
        wait: a pipe at which the build waits.
    """

    told: Path
    wait: Path
    _mark: Path

    def close(self) -> None:
        """Later builds do not wait."""
        self._mark.unlink()


def gate_build(project: Path) -> Gate:
    """Make every build of the project tell its process id and then wait."""
    told, wait = project.parent.parent / "told", project.parent.parent / "wait"
    for pipe in (told, wait):
        os.mkfifo(pipe)
    mark = project / "gate.py"
    mark.write_text(
        f"import os\nif os.path.exists({str(mark)!r}):\n"
        f"    open({str(told)!r}, 'w').write(str(os.getpid()))\n    open({str(wait)!r}).read()\n"
    )
    return Gate(told, wait, mark)
