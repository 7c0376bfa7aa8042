"""The records of environments: what is asked for, what it was locked to, what was built."""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from fastflow.kernel.executors.port import BaseImage

_LOCKED = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*(?:==\s*(?P<version>[^\s;\\]+)|@\s*(?P<address>[^\s;]+))"
)

Kind = Literal["none", "requirements", "script", "project"]
"""Where a pipeline's dependencies are written: nowhere, requirements.txt, PEP 723 header, pyproject.toml."""


@dataclass(frozen=True, kw_only=True)
class EnvironmentRequest:
    """What a pipeline asks for.

    Attributes:
        kind: where its dependencies are written.
        content: path relative to `code_dir` -> text, of every file that decides what is installed. Of a script it is
            the PEP 723 block alone, comment marks included, so that a change of code does not change the environment.
        code_dir: the immutable snapshot; read only when `needs_code`.
        python: interpreter request as uv takes it (`3.12`, `>=3.11`, `pypy@3.10`); None: the server's own version.
        needs_code: a dependency is a local path or the project has dynamic metadata, so the code is part of the input.
        image: the container image that runs start from; None: they see this machine. It decides by which Python and
            libraries the environment is built, and is no part of `input_hash`.
    """

    kind: Kind
    content: Mapping[str, str]
    code_dir: Path
    python: str | None = None
    needs_code: bool = False
    image: BaseImage | None = None

    @cached_property
    def input_hash(self) -> str:
        """Identity of what decides the result: comments, code and settings that uv does not read leave it unchanged."""
        parts: dict[str, Any] = {name: _meaning(name, text) for name, text in sorted(self.content.items())}
        code = self.code_dir.name if self.needs_code else ""
        return _sha256(json.dumps([self.kind, self.python or "", code, parts], sort_keys=True, default=str))

    @property
    def script(self) -> str:
        """Of kind script: the file whose header it is."""
        return next(name for name in self.content if name.endswith(".py"))


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A Python installation.

    Attributes:
        path: its executable, links resolved.
        version: implementation and full version, such as `cpython-3.11.7`.
    """

    path: Path
    version: str


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A resolution: exactly what is installed, into which interpreter.

    Attributes:
        text: requirement lines with hashes, as `uv pip sync` takes them; empty for the empty environment.
        platform: operating system, machine and C library.
        code_dir: the code to install local paths from; None when there are none.
        is_bare: nothing is asked for, and what an image itself brings shall be seen: no virtual environment at all.
    """

    text: str
    interpreter: Interpreter
    platform: str
    code_dir: Path | None = None
    is_bare: bool = False

    @cached_property
    def hash(self) -> str:
        """The environment's identity: lock, interpreter, platform and, with local paths, the code."""
        code = self.code_dir.name if self.code_dir else ""
        parts = [normalise_lock(self.text), self.interpreter.version, self.platform, code]
        return _sha256("\0".join([*parts, "bare"] if self.is_bare else parts))

    @property
    def packages(self) -> int:
        """How many requirement lines it has."""
        lines = normalise_lock(self.text).splitlines()
        return sum(1 for line in lines if not line.startswith((" ", "--")))


@dataclass(frozen=True, kw_only=True)
class Environment:
    """An environment that is ready.

    Attributes:
        hash: content hash: lock, interpreter, platform.
        python: its interpreter.
        interpreter: implementation and full version, such as `cpython-3.11.7`.
        uv_version: the uv that built it.
        build_seconds: what building took.
        built: whether this very call built it.
    """

    hash: str
    python: Path
    interpreter: str
    uv_version: str
    build_seconds: float
    built: bool = False


State = Literal["ready", "building", "not built", "failed"]


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """How far an environment that is asked for is, on this machine.

    Attributes:
        state: `failed`: the last try to make it ready failed, and nobody tries now.
        environment: its content hash, as far as it is known.
        why: what kept it from being made ready; of `failed` alone.
    """

    state: State
    environment: str | None = None
    why: str | None = None


@dataclass(frozen=True, kw_only=True)
class EnvironmentCard:
    """What the catalogue knows of an environment.

    Attributes:
        size_bytes: its files, each counted once, also those it shares with uv's cache.
        packages: distributions installed.
    """

    hash: str
    interpreter: str
    lock: str
    uv_version: str
    size_bytes: int
    packages: int
    build_seconds: float
    built_at: datetime
    last_used_at: datetime


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What a garbage collection removed, or would remove.

    Attributes:
        freed_bytes: what the disk gets back: files shared with uv's cache stay there and do not count.
        dry_run: True: nothing was removed.
    """

    hashes: Sequence[str]
    freed_bytes: int
    dry_run: bool


def normalise_lock(text: str) -> str:
    """The lock without comments, blank lines and trailing blanks: the form its identity is computed from."""
    lines = (line.rstrip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))


def locked_packages(text: str) -> dict[str, str]:
    r"""Package -> version (or the address it comes from) of a lock's requirement lines.

    >>> locked_packages("pandas==2.2.0 \\\n    --hash=sha256:aa\nmine @ file:///code\n")
    {'pandas': '2.2.0', 'mine': 'file:///code'}
    """
    found = {}
    for line in normalise_lock(text).splitlines():
        match = _LOCKED.match(line)
        if match is not None:
            found[match["name"]] = match["version"] or match["address"]
    return found


def _meaning(name: str, text: str) -> Any:
    """The part of a file that uv acts on."""
    if name.endswith(".txt"):
        return [
            line for line in (line.split(" #")[0].strip() for line in text.splitlines()) if line[:1] not in ("", "#")
        ]
    if not name.endswith(".py") and not name.endswith("pyproject.toml"):
        return text
    try:
        return _uv_tables(tomllib.loads(uncommented(text) if name.endswith(".py") else text))
    except tomllib.TOMLDecodeError:  # uv will say so; the text itself is identity enough
        return text


def _uv_tables(document: dict[str, Any]) -> dict[str, Any]:
    keys = ("project", "build-system", "dependency-groups", "dependencies", "requires-python")
    return {key: document[key] for key in keys if key in document} | {"tool.uv": document.get("tool", {}).get("uv")}


def uncommented(block: str) -> str:
    """The TOML of a PEP 723 block that is given with its comment marks and fences."""
    lines = [line for line in block.splitlines() if line.startswith("#") and not line.startswith("# ///")]
    return "\n".join(line[2:] if line.startswith("# ") else line[1:] for line in lines)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
