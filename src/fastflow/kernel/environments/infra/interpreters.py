"""Finding the Python a pipeline asks for: the server's own when it fits, else one that uv finds or downloads."""

import asyncio
import json
import platform
import re
import sys
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from fastflow.kernel.environments.domain.environment import Interpreter
from fastflow.kernel.environments.domain.errors import SetupFailed
from fastflow.kernel.environments.infra.sealing import make_readable
from fastflow.kernel.environments.infra.uv import Uv
from fastflow.kernel.environments.ports import OnLine

OLDEST = (3, 9)
"""The oldest Python on which runs can be started."""
_PROBE = (
    "import json, os, platform, sys;"
    "base = os.path.realpath(getattr(sys, '_base_executable', None) or sys.executable);"
    "version = sys.implementation.name + '-' + platform.python_version() + getattr(sys, 'abiflags', '');"
    "print(json.dumps({'path': base, 'version': version}))"
)


class Interpreters:
    """Interpreters by request; each is looked for once per process.

    Args:
        own: the interpreter the server runs on; None finds it out.
    """

    def __init__(self, uv: Uv, own: Interpreter | None = None) -> None:
        self._uv = uv
        self.own = own or own_interpreter()
        self._found: dict[str, Interpreter] = {}

    async def find(self, request: str | None, on_line: OnLine | None = None) -> Interpreter:
        """The interpreter for a request as uv takes it; None means the server's own.

        Raises:
            SetupFailed: there is none and none can be downloaded; the message is uv's own.
        """
        if request is None or admits(request, self.own.version):
            return self.own
        known = self._found.get(request)
        if known is None or not known.path.exists():
            known = _recent_enough(await self._look(request, on_line), self.own.version)
            self._found[request] = known
        return known

    async def _look(self, request: str, on_line: OnLine | None) -> Interpreter:
        try:
            return await self._ask(request)
        except SetupFailed as not_here:
            try:
                await self._uv.run("python", "install", "--no-bin", "--", request, cwd=None, on_line=on_line)
            except SetupFailed as not_there:
                raise SetupFailed(
                    f"Python {request} is not on this machine and could not be downloaded.\n"
                    f"{not_here.message}\n{not_there.message}",
                    code="interpreter_missing",
                    hint=f"Install Python {request} on the server, or ask for one it has: it runs {self.own.version}.",
                ) from not_there
        await asyncio.to_thread(make_readable, self._uv.config.python_dir)
        return await self._ask(request)

    async def _ask(self, request: str) -> Interpreter:
        self._uv.config.python_dir.mkdir(parents=True, exist_ok=True)
        found = await self._uv.run("python", "find", "--system", "--no-project", "--", request, cwd=Path("/"))
        prefix = self._uv.config.command_prefix  # what the builder downloaded is never started as root
        told = json.loads(await self._uv.execute([*prefix, found.strip(), "-I", "-c", _PROBE], cwd=Path("/")))
        return Interpreter(path=Path(told["path"]), version=told["version"])


def _recent_enough(found: Interpreter, own: str) -> Interpreter:
    """The interpreter, if what starts runs can run on it.

    Raises:
        SetupFailed: it is too old.
    """
    numbers = re.findall(r"\d+", found.version.partition("-")[2])[:2]
    if tuple(map(int, numbers)) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise SetupFailed(
            f"{found.version} at {found.path} is too old: pipelines run on Python {oldest} and later.",
            code="interpreter_too_old",
            hint=f"Ask for Python {oldest} or later, such as the server's own: {own}.",
        )
    return found


def own_interpreter() -> Interpreter:
    """The interpreter this process runs on, outside any virtual environment."""
    base = Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()
    abi = getattr(sys, "abiflags", "")
    return Interpreter(path=base, version=f"{sys.implementation.name}-{platform.python_version()}{abi}")


def admits(request: str, version: str) -> bool:
    """Whether an interpreter of `version` (`cpython-3.11.7`) fits the request; False when that is for uv to say.

    >>> admits(">=3.10", "cpython-3.11.7"), admits("3.11", "cpython-3.11.7"), admits("3.1", "cpython-3.11.7")
    (True, True, False)
    """
    implementation, _, number = version.partition("-")
    if implementation != "cpython":
        return False
    text = request.strip()
    if text[:1].isdigit() and all(part.isdigit() for part in text.split(".")):
        return f"{number}.".startswith(f"{text}.")
    try:
        return text[:1] in tuple("<>=!~") and SpecifierSet(text).contains(number, prereleases=True)
    except InvalidSpecifier:
        return False
