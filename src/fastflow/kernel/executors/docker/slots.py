"""Slots: the folders behind containers, on this machine's disk.

A slot is made before its container and removed after it. It is called `slot.<number>` and held by the process that
made it until a run takes it: then it is renamed to `<run_id>.<token>`, which the container's mounts do not notice, and
stays until the attempt is discarded.

    given/       seen by the container, read-only: the door (until the order has come), the code, the parameters
    work/        seen by the container, writable: the script's working folder
    artifacts/   seen by the container, writable; moved to the run's own place when a run takes the slot
    ctl/         not seen by the container: the control folder, which the supervisor gets as a descriptor
    container    what is known of the container, JSON
"""

import contextlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastflow.kernel.executors.port import RunKey
from fastflow.kernel.executors.process.spec import remove_folder
from fastflow.kernel.executors.process.zygotes import RunUser
from fastflow.kernel.locks import hold_new_folder, try_hold_folder

SLOT_PREFIX = "slot."
_NOTE = "container"


@dataclass(frozen=True, kw_only=True)
class ContainerNote:
    """What is known of a slot's container.

    Attributes:
        slot: the slot's first name, which is the container's label for ever.
        image: id of its image.
        id: the engine's id; None when nobody lived to write it down.
    """

    slot: str
    image: str
    id: str | None = None


class Slot:
    """One slot in the hands of the process that made it.

    Args:
        folder: where it is; changes when a run takes it.
        name: its first name.
        held: lets go of the folder when closed.

    Attributes:
        is_held: False once a run has it.
    """

    def __init__(self, folder: Path, name: str, held: ExitStack) -> None:
        self.folder = folder
        self.name = name
        self.is_held = True
        self._held = held

    def note(self, *, image: str, container: str | None = None) -> None:
        """Write down what is known of the container."""
        fresh = self.folder / f"{_NOTE}.new"
        fresh.write_text(json.dumps({"slot": self.name, "image": image, "id": container}), encoding="utf-8")
        fresh.rename(self.folder / _NOTE)

    def give_to(self, key: RunKey) -> None:
        """Make it the run's: from now on it is found by the run's key, whoever made it.

        Raises:
            FileExistsError: the run has one already, such as a sealed one.
        """
        target = self.folder.parent / folder_name(key)
        if target.exists():
            raise FileExistsError(17, f"the attempt {target.name} was sealed")
        self.folder = self.folder.rename(target)
        self.is_held = False
        self._held.close()

    def remove(self) -> None:
        """Remove it with all that is in it."""
        remove_folder(self.folder)
        self._held.close()


class Slots:
    """All slots of a data folder.

    Args:
        root: the folder they are in.
        user: whom containers act as.
    """

    def __init__(self, root: Path, user: RunUser) -> None:
        self._root = root
        self._user = user

    @property
    def root(self) -> Path:
        """The folder they are in."""
        return self._root

    def open(self) -> None:
        """Make the folder. Nobody but the server's user gets into it: containers see what is mounted, no path of ours."""
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._root.chmod(0o700)

    def make(self, name: str | None = None) -> Slot:
        """A new slot, held by this process."""
        name = name or secrets.token_hex(8)
        with ExitStack() as stack:
            folder, _descriptor = stack.enter_context(hold_new_folder(self._root, SLOT_PREFIX + name))
            (folder / "given").mkdir(mode=0o755)
            for place, mode in (("work", 0o700), ("artifacts", 0o755), ("ctl", 0o700)):
                (folder / place).mkdir(mode=mode)
                if self._user.uid is not None and self._user.gid is not None:
                    os.chown(folder / place, self._user.uid, self._user.gid)
            return Slot(folder, name, stack.pop_all())

    def folder(self, key: RunKey) -> Path:
        """Where the run's slot is, or would be."""
        return self._root / folder_name(key)

    def remove(self, key: RunKey) -> None:
        """Remove the run's slot with all that is in it. Idempotent."""
        remove_folder(self.folder(key))

    def attempts(self) -> Sequence[RunKey]:
        """The attempts that have a slot."""
        found = []
        for path in sorted(self._root.iterdir()) if self._root.exists() else ():
            run_id, _dot, token = path.name.rpartition(".")
            if token.isdigit() and not path.name.startswith(SLOT_PREFIX):
                found.append(RunKey(run_id=run_id, token=int(token)))
        return found

    def live(self) -> set[str]:
        """First names of the slots that somebody still needs: those of attempts, and those held by a living process.
        The others are removed."""
        needed = set()
        for path in list(self._root.iterdir()):  # before the attempts: a slot that a run takes now is in one of both
            if path.name.startswith(SLOT_PREFIX):
                with try_hold_folder(path) as free:
                    if free:
                        remove_folder(path)
                    else:
                        needed.add(path.name.removeprefix(SLOT_PREFIX))
        notes = (read_note(self.folder(key)) for key in self.attempts())
        return needed | {note.slot for note in notes if note is not None}


def folder_name(key: RunKey) -> str:
    """The name of a run's slot."""
    return f"{key.run_id}.{key.token}"


def read_note(folder: Path) -> ContainerNote | None:
    """What is known of the container behind a slot; None when it has none."""
    try:
        told: dict[str, Any] = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return ContainerNote(slot=told["slot"], image=told["image"], id=told["id"])


def link_tree(source: Path, target: Path) -> None:
    """The files of `source` once more at `target`, sharing their content where the file system can: what the container
    sees is mounted read-only, so it cannot change them."""
    shutil.copytree(
        source, target, symlinks=True, copy_function=_link_or_copy, ignore=shutil.ignore_patterns("__pycache__")
    )


def link_regular_files(source: Path, target: Path) -> None:
    """The regular files of `source` once more at `target`, in folders that anybody may read. A run wrote them: links are
    left out, and a copied file keeps its owner."""
    for root, _folders, names in os.walk(source):
        place = target / Path(root).relative_to(source)
        place.mkdir(parents=True, mode=0o755)
        for name in names:
            file = Path(root) / name
            about = file.lstat()
            if stat.S_ISREG(about.st_mode) and _link_or_copy(str(file), str(place / name)):
                copied = (place / name).lstat()
                if copied.st_uid != about.st_uid:
                    os.chown(place / name, about.st_uid, about.st_gid, follow_symlinks=False)


def _link_or_copy(source: str, target: str) -> str:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)
    return target


@contextmanager
def removed_on_error(slot: Slot) -> Iterator[None]:
    """Inside, a failure removes the slot."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            slot.remove()
        raise
