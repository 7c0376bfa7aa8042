"""Resolving and building environments with uv. Everything happens in `build/`; the last step is one rename."""

import asyncio
import platform
import shutil
import sysconfig
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from uuid import uuid4

from fastflow.kernel.environments.domain.environment import EnvironmentCard, EnvironmentRequest, Lock
from fastflow.kernel.environments.domain.errors import SetupFailed
from fastflow.kernel.environments.domain.recipe import index_options
from fastflow.kernel.environments.infra.folders import DiskEnvironments, remove_tree, tree_bytes
from fastflow.kernel.environments.infra.interpreters import Interpreters
from fastflow.kernel.environments.infra.sealing import hand_over, seal
from fastflow.kernel.environments.infra.uv import Uv
from fastflow.kernel.environments.infra.workspace import populate, without_editables
from fastflow.kernel.environments.ports import OnLine
from fastflow.kernel.executors.port import BaseImage
from fastflow.kernel.locks import hold_file_lock, hold_new_folder, is_held
from fastflow.kit.clock import Clock

_LOCK_NAME = ".fastflow-lock.txt"

LinkMode = Literal["hardlink", "copy", "clone", "symlink"]
FindLinkMode = Callable[[], Awaitable[LinkMode]]


@dataclass(frozen=True, kw_only=True)
class _Workplace:
    folder: Path
    descriptor: int


class UvBuilder:
    """See `ports.Builder`.

    Args:
        link_mode: how files come out of uv's cache, or who finds that out, asked once; `copy` when runs cannot be kept
            from writing to them, because a hard link shares the cache's own file.
        owner_uid: whom uv acts as (through its command prefix), owner of work folders and environments; None: the
            server's own user.
        image: the image that uv and the interpreters are in; None: they are on this machine.
    """

    def __init__(
        self,
        uv: Uv,
        folders: DiskEnvironments,
        interpreters: Interpreters,
        clock: Clock,
        *,
        link_mode: LinkMode | FindLinkMode = "hardlink",
        owner_uid: int | None = None,
        image: BaseImage | None = None,
    ) -> None:
        self._uv = uv
        self._folders = folders
        self._interpreters = interpreters
        self._clock = clock
        self._link_mode = link_mode
        self._owner_uid = owner_uid
        self._image = image
        self.platform = current_platform() if image is None else image.platform
        self.default_interpreter = interpreters.own.version

    async def resolve(self, request: EnvironmentRequest, on_line: OnLine | None) -> Lock:
        """See the port."""
        interpreter = await self._interpreters.find(request.python, on_line)
        lock = Lock(
            text="",
            interpreter=interpreter,
            platform=self.platform,
            code_dir=request.code_dir if request.needs_code else None,
        )
        if request.kind == "none":
            return replace(lock, is_bare=self._image is not None)
        with _told_as_setup():
            async with self._workplace("resolve", request) as place:
                text = await self._locked_text(request, str(interpreter.path), place, on_line)
        return replace(lock, text=without_editables(text))

    async def relock(self, card: EnvironmentCard, request: EnvironmentRequest, on_line: OnLine | None) -> Lock | None:
        """See the port."""
        interpreter = await self._interpreters.find(request.python, on_line)
        if _minor(interpreter.version) != _minor(card.interpreter):
            return None
        code_dir = request.code_dir if request.needs_code else None
        is_bare = request.kind == "none" and self._image is not None
        return Lock(text=card.lock, interpreter=interpreter, platform=self.platform, code_dir=code_dir, is_bare=is_bare)

    async def build(
        self, lock: Lock, request: EnvironmentRequest, on_line: OnLine | None
    ) -> tuple[EnvironmentCard, bool]:
        """See the port."""
        with _told_as_setup():
            async with hold_file_lock(self._folders.build_dir / f"{lock.hash}.lock"):
                there = self._folders.read_card(lock.hash)
                if there is not None and self._folders.python(lock.hash) is not None:
                    return there, False
                await asyncio.to_thread(self._folders.remove, lock.hash)  # broken: its interpreter or card is gone
                async with self._workplace(lock.hash, request, lock) as place:
                    return await self._build_aside(lock, place, on_line), True

    @asynccontextmanager
    async def exclusive(self, name: str) -> AsyncIterator[None]:
        """See the port."""
        with _told_as_setup():
            async with hold_file_lock(self._folders.build_dir / f"{name}.lock"):
                yield

    def is_held(self, name: str) -> bool:
        """See the port."""
        return is_held(self._folders.build_dir / f"{name}.lock")

    async def _build_aside(self, lock: Lock, place: _Workplace, on_line: OnLine | None) -> EnvironmentCard:
        started = time.perf_counter()
        folder = place.folder / ".environment"
        if lock.is_bare:
            await asyncio.to_thread(_link_interpreter, folder, lock.interpreter.path)
        else:
            python = str(lock.interpreter.path)
            create = ("venv", "--no-project", "--relocatable", "--quiet", "--python", python, str(folder))
            await self._uv.run(*create, cwd=place.folder, on_line=on_line, hold=(place.descriptor,))
        if lock.text.strip():
            await self._install(place, on_line)
        size, packages = await asyncio.to_thread(_measure, folder, expects_bytecode=lock.packages > 0)
        now = self._clock.now()
        card = EnvironmentCard(
            hash=lock.hash,
            interpreter=lock.interpreter.version,
            lock=lock.text,
            uv_version="none" if lock.is_bare else await self._uv.version(),
            size_bytes=size,
            packages=packages,
            build_seconds=round(time.perf_counter() - started, 4),
            built_at=now,
            last_used_at=now,
        )
        await asyncio.to_thread(self._finish, folder, card)
        return card

    async def _install(self, place: _Workplace, on_line: OnLine | None) -> None:
        if callable(self._link_mode):
            self._link_mode = await self._link_mode()
        await self._uv.run(
            *("pip", "sync", "--python", str(place.folder / ".environment" / "bin" / "python")),
            *("--compile-bytecode", "--link-mode", self._link_mode, _LOCK_NAME),
            cwd=place.folder,
            on_line=on_line,
            hold=(place.descriptor,),
        )

    def _finish(self, folder: Path, card: EnvironmentCard) -> None:
        """Move it out of the builder's reach, seal it, publish it under its hash."""
        with hold_new_folder(self._folders.build_dir, f"seal-{uuid4().hex}") as (safe, _descriptor):
            try:
                sealed = folder.rename(safe / card.hash)
                seal(sealed, card, self._owner_uid, None if self._image is None else self._image.id)
                target = sealed.rename(self._folders.envs_dir / card.hash)
                target.chmod(0o555)  # not before: only root may move a folder it cannot write
            finally:
                remove_tree(safe)

    async def _locked_text(
        self, request: EnvironmentRequest, python: str, place: _Workplace, on_line: OnLine | None
    ) -> str:
        """The requirement lines with hashes that uv answers; where a lock was given, it decides alone."""

        async def uv(*arguments: str) -> str:
            return await self._uv.run(*arguments, cwd=place.folder, on_line=on_line, hold=(place.descriptor,))

        plain = ("--quiet", "--no-header", "--no-annotate", "--python", python)
        export = ("export", *plain, "--format", "requirements.txt", "--locked", "--no-editable")
        compile_ = ("pip", "compile", *plain, "--generate-hashes")
        if request.kind == "requirements":
            return await uv(*compile_, "requirements.txt")
        if request.kind == "project":
            if "uv.lock" in request.content:
                return await uv(*export, "--no-emit-project", "--no-dev")
            return await uv(*compile_, "pyproject.toml")
        if f"{request.script}.lock" not in request.content:
            if "[tool.uv" not in request.content[request.script]:
                return await uv(*compile_, request.script)
            # `uv pip compile` ignores a script's own sources and indexes and would take a stranger's package instead
            await uv("lock", "--quiet", "--python", python, "--script", request.script)
        return await uv(*export, "--script", request.script)

    @asynccontextmanager
    async def _workplace(
        self, name: str, request: EnvironmentRequest, lock: Lock | None = None
    ) -> AsyncIterator[_Workplace]:
        """A work folder with the request's files and the lock, held so that no sweep takes it, removed on leaving.

        Once it is handed over we write nothing into it any more: its owner may have put links there.
        """
        with hold_new_folder(self._folders.build_dir, f"{name}-{uuid4().hex[:12]}") as (folder, descriptor):
            try:
                await asyncio.to_thread(populate, folder, request)
                if lock is not None:
                    (folder / _LOCK_NAME).write_text("\n".join([*index_options(request), lock.text]))
                if self._owner_uid is not None:
                    await asyncio.to_thread(hand_over, folder, self._owner_uid)
                yield _Workplace(folder=folder, descriptor=descriptor)
            finally:
                # Not awaited in a thread: a second cancellation must not leave the folder behind.
                remove_tree(folder)


def current_platform() -> str:
    """Operating system, machine and C library, such as `linux-x86_64-glibc`."""
    return f"{sysconfig.get_platform()}-{platform.libc_ver()[0] or 'musl'}"


def _minor(version: str) -> str:
    """`cpython-3.11` of `cpython-3.11.7`, whichever image it is in."""
    return version.partition("+")[0].rpartition(".")[0]


def _link_interpreter(folder: Path, python: Path) -> None:
    """An environment that is the interpreter alone, with whatever its image has installed for it."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(python)


def _measure(folder: Path, *, expects_bytecode: bool) -> tuple[int, int]:
    site = next((folder / "lib").glob("*/site-packages"), folder / "lib")
    packages = sum(1 for _ in site.glob("*.dist-info"))
    sources = (path for path in site.rglob("*.py") if "__pycache__" not in path.parts)
    if expects_bytecode and next(sources, None) is not None and next(site.rglob("*.pyc"), None) is None:
        raise SetupFailed(
            "uv installed the packages but compiled no bytecode.",
            hint="Runs would start several times slower; `fastflow doctor` tells which uv is used: update it.",
        )
    return tree_bytes(folder), packages


@contextmanager
def _told_as_setup() -> Iterator[None]:
    """A file error of ours (full disk, missing rights) in the words of a failed setup."""
    try:
        yield
    except (OSError, shutil.Error) as error:
        raise SetupFailed(
            f"The environment could not be written: {error}.",
            hint="Check free space and rights of DATA_DIR.",
        ) from error
