"""Images: found, fetched, and looked into once each. What an image brings decides how environments for it are built."""

import asyncio
import base64
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastflow.kernel.executors.docker.commands import Command, running
from fastflow.kernel.executors.docker.engine import Engine, EngineError, NotThere, as_launch_failed
from fastflow.kernel.executors.docker.examining import unfit_because
from fastflow.kernel.executors.docker.maker import Maker
from fastflow.kernel.executors.errors import LaunchFailed
from fastflow.kernel.executors.port import BaseImage
from fastflow.kernel.executors.process.zygotes import SIDECAR, RunUser

OnLine = Callable[[str], None]

OLDEST_PYTHON = (3, 9)
LOOK_INSIDE_SECONDS = 60.0
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_INTERPRETER = "python3"
_FACTS = "image.json"


@dataclass(frozen=True, kw_only=True)
class KnownImage:
    """An image that was looked into.

    Attributes:
        base: what environments have to know of it.
        sidecar: our own files with bytecode for its Python; mounted into its containers.
    """

    base: BaseImage
    sidecar: Path


class Images:
    """The images of one engine, as far as they were asked for.

    Args:
        engine: where they are.
        maker: makes the container that looks into one.
        folder: what was found out is kept here, one folder for each image and release of ours.
        user: whom that container acts as.
    """

    def __init__(self, engine: Engine, maker: Maker, folder: Path, user: RunUser) -> None:
        self._engine = engine
        self._maker = maker
        self._folder = folder
        self._user = user
        self._known: dict[str, KnownImage] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def current(self, reference: str, on_line: OnLine) -> KnownImage:
        """The image that the name stands for now, pulled if the engine does not have it.

        Raises:
            LaunchFailed: it cannot be had or does not serve; the reason is in words.
        """
        async with self._locks.setdefault(reference, asyncio.Lock()):  # who comes second finds it there
            try:
                found = await self._engine.image(reference)
            except NotThere:
                await self._pull(reference, on_line)
                found = await self._told(reference)
            except EngineError as error:
                raise as_launch_failed(error, f"The image {reference} cannot be looked at") from error
            return await self._known_image(reference, found)

    async def by_id(self, image: str) -> KnownImage:
        """The image with this very content.

        Raises:
            LaunchFailed: the engine does not have it any more.
        """
        known = self._known.get(image)
        if known is None:
            found = await self._told(image)
            names = found.get("RepoTags") or [image]
            known = await self._known_image(str(names[0]), found)
        return known

    def sweep(self, there: set[str]) -> None:
        """Forget what was found out of images that the engine does not have any more."""
        short = {image.removeprefix("sha256:")[:12] for image in there}
        for path in self._folder.iterdir() if self._folder.exists() else ():
            if re.fullmatch(r"[0-9a-f]{12}-[0-9a-f]{12}", path.name) and path.name[:12] not in short:
                shutil.rmtree(path, ignore_errors=True)

    async def _told(self, reference: str) -> Mapping[str, Any]:
        try:
            return await self._engine.image(reference)
        except NotThere as error:
            raise LaunchFailed(
                f"The image {reference} is not on this machine any more.",
                code="image_missing",
                hint="A normal run of the pipeline takes the image of today and builds its environment for it.",
            ) from error
        except EngineError as error:
            raise as_launch_failed(error, f"The image {reference} cannot be looked at") from error

    async def _pull(self, reference: str, on_line: OnLine) -> None:
        on_line(f"pulling the image {reference}")
        try:
            await self._engine.pull(reference, on_line)
        except EngineError as error:
            raise LaunchFailed(
                f"The image {reference} is not on this machine and could not be pulled: {error}. Get it with `docker pull "
                f"{reference}`, or build one without a registry with `make worker-image`, and name it in WORKER_BASE_IMAGE.",
                code="image_missing",
                hint="",
            ) from error

    async def _known_image(self, reference: str, found: Mapping[str, Any]) -> KnownImage:
        image = str(found["Id"])
        known = self._known.get(image)
        if known is None or known.base.reference != reference:
            async with self._locks.setdefault(image, asyncio.Lock()):
                known = self._known[image] = await self._look_inside(reference, found)
        return known

    async def _look_inside(self, reference: str, found: Mapping[str, Any]) -> KnownImage:
        image = str(found["Id"])
        place = self._folder / f"{image.removeprefix('sha256:')[:12]}-{_sidecar_digest()}"
        variables = dict(item.partition("=")[::2] for item in (found.get("Config") or {}).get("Env") or [])
        variables.setdefault("PATH", _DEFAULT_PATH)
        if not (place / _FACTS).exists():
            try:
                await self._make_place(place, image, reference, variables)
            except EngineError as error:
                raise as_launch_failed(error, f"The image {reference} does not serve for runs") from error
        facts: dict[str, Any] = json.loads((place / _FACTS).read_text(encoding="utf-8"))
        base = BaseImage(
            reference=reference,
            id=image,
            python=Path(facts["python"]),
            version=facts["version"],
            platform=facts["platform"],
            uv=Path(facts["uv"]) if facts["uv"] else None,
            env=variables,
        )
        return KnownImage(base=base, sidecar=place / "sidecar")

    async def _make_place(self, place: Path, image: str, reference: str, variables: Mapping[str, str]) -> None:
        """Copy our files, have the image compile them, and keep what it says of itself; published by one rename."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        aside = Path(tempfile.mkdtemp(prefix="new-", dir=self._folder))
        try:
            sidecar = await asyncio.to_thread(_copy_sidecar, aside)
            unfit = unfit_because(await self._engine.info())
            if unfit is not None:
                raise EngineError(unfit.rstrip("."))
            facts = await self._ask(image, sidecar, variables)
            _check_version(facts["version"], reference)
            await asyncio.to_thread(_publish, aside, facts, place)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    async def _ask(self, image: str, sidecar: Path, variables: Mapping[str, str]) -> dict[str, Any]:
        command = Command(
            image=image,
            python=_INTERPRETER,
            sidecar=sidecar,
            argv=(_INTERPRETER, "-I", "-S", "/fastflow/sidecar", "describe", "{}"),
            env={"PATH": variables["PATH"], "LANG": "C.UTF-8"},
            user=self._user,
        )
        async with running(self._maker, command, "look") as process:
            try:
                async with asyncio.timeout(LOOK_INSIDE_SECONDS):
                    out, err, code = await asyncio.gather(process.stdout.read(), process.stderr.read(), process.wait())
            except TimeoutError as error:
                raise EngineError(f"it did not answer within {LOOK_INSIDE_SECONDS:g} s") from error
        if code != 0:
            last = err.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
            raise EngineError(f"its Python could not be asked: {last[0]}")
        told: dict[str, Any] = json.loads(out)
        return told


def _check_version(version: str, reference: str) -> None:
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST_PYTHON:
        raise EngineError(f"its {_INTERPRETER} is {version}; 3.9 is the oldest that works ({reference})")


def _sidecar_files() -> list[Path]:
    return sorted(SIDECAR.glob("*.py"))


def _sidecar_digest() -> str:
    digest = hashlib.sha256()
    for path in _sidecar_files():
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _copy_sidecar(folder: Path) -> Path:
    """Our files where the engine's machine sees them and no later release changes them; times are those of the copy,
    because bytecode is matched by them."""
    target = folder / "sidecar"
    target.mkdir(mode=0o755)
    for path in _sidecar_files():
        shutil.copyfile(path, target / path.name)
        (target / path.name).chmod(0o644)
    return target


def _publish(aside: Path, facts: dict[str, Any], place: Path) -> None:
    _write_bytecode(aside / "sidecar", facts["tag"], facts.pop("bytecode"))
    (aside / _FACTS).write_text(json.dumps(facts), encoding="utf-8")
    aside.chmod(0o755)
    with suppress(OSError):  # another process was quicker: its folder holds the same
        aside.rename(place)


def _write_bytecode(sidecar: Path, tag: str, bytecode: Mapping[str, str]) -> None:
    cache = sidecar / "__pycache__"
    cache.mkdir(mode=0o755)
    for path in _sidecar_files():
        if path.name in bytecode and re.fullmatch(r"[\w.-]+", tag):
            target = cache / f"{path.stem}.{tag}.pyc"
            target.write_bytes(base64.b64decode(bytecode[path.name]))
            os.chmod(target, 0o644)  # noqa: PTH101  whatever the umask


def no_line(_line: str) -> None:
    """For callers without anybody to tell."""
