"""uv in containers of an image, so that an environment is built by the very Python and libraries that runs in it have."""

import shutil
import stat
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fastflow.kernel.environments.domain.environment import Interpreter
from fastflow.kernel.environments.domain.errors import SetupFailed
from fastflow.kernel.environments.infra.interpreters import Interpreters
from fastflow.kernel.environments.infra.uv import Program, Uv, UvConfig
from fastflow.kernel.environments.ports import OnLine
from fastflow.kernel.executors.docker.workshop import Order, Work, Workshop
from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.kernel.executors.port import BaseImage

UV_INSIDE = Path("/fastflow/uv")
_OF_THE_MACHINE = ("PATH", "HOME", "USER", "TMPDIR", "XDG_CONFIG_HOME")
"""Variables of the server that mean nothing inside an image."""
_PATHS = ("UV_FIND_LINKS", "UV_CONFIG_FILE", "NETRC", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
"""Variables of the server that may name files of this machine; what they name is seen inside as well."""


class ImageUv(Uv):
    """As `Uv`, each command in a container of its own.

    Args:
        config: as outside; the cache is a part of its own for each image, because what one has compiled another may not
            be able to load.
        image: the image.
        workshop: makes the containers.
    """

    def __init__(self, config: UvConfig, image: BaseImage, workshop: Workshop) -> None:
        inside = replace(
            config,
            binary=image.uv or UV_INSIDE,
            cache_dir=config.cache_dir / "images" / image.short_id,
            command_prefix=(),
        )
        super().__init__(inside)
        self._outside = config
        self._image = image
        self._workshop = workshop

    async def execute(
        self,
        command: Sequence[str],
        *,
        cwd: Path | None,
        on_line: OnLine | None = None,
        hold: Sequence[int] = (),  # noqa: ARG002  the container ends when we do, so it needs no lock of its own
    ) -> str:
        """See `Uv.execute`."""
        try:
            work = await self._workshop.start(self._image, self._order(command, cwd))
        except LaunchFailed as error:
            raise SetupFailed(error.message, hint=error.hint) from error
        try:
            return await self._follow(work, on_line, hidden=str(cwd or ""))
        finally:
            await work.end()

    async def _kill(self, process: Program) -> None:
        assert isinstance(process, Work)
        await process.end()

    def _order(self, command: Sequence[str], cwd: Path | None) -> Order:
        variables = {name: value for name, value in self._env.items() if name not in _OF_THE_MACHINE}
        writable = [self.config.cache_dir, self.config.python_dir]
        named = _named_paths(variables)
        # copies, because the engine may see another file system than we do, such as when we are in a container ourselves
        tools = {path: self._lend(path) for path in named if path.is_file()}
        if not self._image.uv:
            tools[UV_INSIDE] = self._lend(self._outside.binary, mode=0o755)
        return Order(
            argv=command,
            env={**variables, "HOME": "/tmp", "PATH": self._image.env["PATH"]},  # noqa: S108  the container's own
            cwd=cwd,
            readable=[path for path in named if path.is_dir()],
            writable=[*writable, cwd] if cwd is not None and cwd != Path("/") else writable,
            tools=tools,
        )

    def _lend(self, file: Path, *, mode: int | None = None) -> Path:
        """A copy of a file where the engine sees it, made once; with the mode of the file unless another is given."""
        told = file.stat()
        target = (
            self.config.python_dir.parent / "containers" / "tools" / f"{file.name}-{told.st_mtime_ns}-{told.st_size}"
        )
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            fresh = Path(tempfile.mktemp(dir=target.parent))  # noqa: S306  in a folder that nobody else may write
            shutil.copyfile(file, fresh)
            fresh.chmod(stat.S_IMODE(told.st_mode) if mode is None else mode)
            fresh.rename(target)
        return target


def _named_paths(variables: Mapping[str, str]) -> list[Path]:
    """Files and folders of this machine that uv is told to use."""
    found: list[Path] = []
    for name in _PATHS:
        for word in variables.get(name, "").replace(",", " ").split():
            path = Path(word.removeprefix("file://"))
            if path.is_absolute() and path.exists() and path not in found:
                found.append(path)
    return found


class ImageInterpreters(Interpreters):
    """The interpreters inside an image. Their versions name the image: an environment belongs to it."""

    def __init__(self, uv: ImageUv, image: BaseImage) -> None:
        self._suffix = f"+image.{image.short_id}"
        super().__init__(uv, Interpreter(path=image.python, version=f"{image.version}{self._suffix}"))

    async def _ask(self, request: str) -> Interpreter:
        found = await super()._ask(request)
        return replace(found, version=f"{found.version}{self._suffix}")
