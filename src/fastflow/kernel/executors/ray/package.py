"""What a job takes along: agent, sidecar and the pipeline's code in one zip, named by its content.

The cluster keeps a package by its name, and unpacks it once on each node that needs it.
"""

import hashlib
import importlib.util
import os
import py_compile
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import IO

_HERE = Path(__file__).resolve().parent
_SIDECAR = _HERE.parent / "sidecar"
BORROWED = (_HERE.parent / "process" / "cgroups.py",)
"""Files of the server that nodes use as they are."""
AGENT_FOLDER = "fastflow"
CODE_FOLDER = "code"
_PREFIX = "_ray_pkg_"  # Ray takes no other names
_WHEN = (1980, 1, 1, 0, 0, 0)
_BLOCK_BYTES = 1 << 20


def agent_files() -> Mapping[str, Path]:
    """Name in the agent's folder -> file; the sidecar and the agent lie side by side and know one another by name."""
    files = [*_SIDECAR.glob("*.py"), *(_HERE / "node").glob("*.py"), *BORROWED]
    return {path.name: path for path in sorted(files) if path.name != "__init__.py"}


@cache
def _agent_digest() -> bytes:
    digest = hashlib.sha256(str(sys.implementation.cache_tag).encode())
    for name, path in agent_files().items():
        digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.digest()


@cache
def _bytecode() -> Mapping[str, bytes]:
    """Name in the agent's folder -> bytecode of our Python: each new package would be compiled on each node otherwise. A
    node with another Python does not look at it; one with ours need not compare times."""
    made = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, path in agent_files().items():
            target = Path(folder, name)
            mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
            py_compile.compile(str(path), str(target), dfile=name, doraise=True, invalidation_mode=mode)
            made[importlib.util.cache_from_source(name)] = target.read_bytes()
    return made


class Packages:
    """Packages by the folder of their code, which must not change.

    Args:
        folder: for files that are being packed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[Path, str] = {}

    def name_of(self, code_dir: Path) -> str:
        """The name of the package with this code; the same code always gives the same name.

        Raises:
            OSError: the code is gone.
        """
        known = self._names.get(code_dir)
        if known is None:
            digest = hashlib.sha256(_agent_digest())
            for name, path in _code_files(code_dir):
                digest.update(f"{name}\0{_mode(path):o}\0{path.stat().st_size}\0".encode())
                with path.open("rb") as file:
                    while block := file.read(_BLOCK_BYTES):
                        digest.update(block)
            known = self._names[code_dir] = f"{_PREFIX}{digest.hexdigest()[:32]}.zip"
        return known

    def pack(self, code_dir: Path) -> IO[bytes]:
        """The package, in a file of its own that is gone when it is closed.

        Raises:
            OSError: the code is gone, or the disk is full.
        """
        file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  the caller closes it
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, path in agent_files().items():
                _add(archive, f"{AGENT_FOLDER}/{name}", path, 0o644)
            for name, content in _bytecode().items():
                archive.writestr(_entry(f"{AGENT_FOLDER}/{name}", 0o644), content)
            for name, path in _code_files(code_dir):
                _add(archive, f"{CODE_FOLDER}/{name}", path, _mode(path))
        file.seek(0)
        return file


def _code_files(code_dir: Path) -> Iterator[tuple[str, Path]]:
    """Path in the package -> file, sorted. A snapshot holds plain files only; bytecode is made where it is used."""
    for root, folders, files in os.walk(code_dir):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(files):
            path = Path(root, name)
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(code_dir).as_posix(), path


def _mode(path: Path) -> int:
    return 0o755 if path.stat().st_mode & 0o100 else 0o644


def _add(archive: zipfile.ZipFile, name: str, path: Path, mode: int) -> None:
    with path.open("rb") as content, archive.open(_entry(name, mode), "w") as target:
        while block := content.read(_BLOCK_BYTES):
            target.write(block)


def _entry(name: str, mode: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _WHEN)
    entry.external_attr = (0o100000 | mode) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
