"""Changing owner and mode of whole trees. When the server is root, the trees were written by an unprivileged user whose
build scripts may be hostile and may still run: so everything is reached through descriptors and no link is followed,
else root could be led to change a file of the system."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

from fastflow.kernel.environments.domain.environment import EnvironmentCard
from fastflow.kernel.environments.domain.errors import SetupFailed

CARD_NAME = "fastflow-environment.json"
IMAGE_NAME = "fastflow-image"
"""Holds the id of the image an environment belongs to; its interpreter is a path inside that image."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

Visit = Callable[[int, os.stat_result], None]


def seal(folder: Path, card: EnvironmentCard, owner_uid: int | None, image: str | None = None) -> None:
    """Lay the card into a finished environment, then make everything readable for all and writable for nobody, except
    the top folder, which still has to be moved.

    Args:
        folder: lies where only we can write.
        card: what the catalogue is to know of it.
        owner_uid: who built it; None: we did.
        image: id of the image it belongs to; None: it belongs to this machine.

    Raises:
        SetupFailed: it holds what no package installs: another user's private file, a pipe, a device.
    """
    root = os.open(folder, _FOLDER)
    try:
        _write_card(root, card)
        if image is not None:
            _write(root, IMAGE_NAME, image)
        _walk(root, lambda descriptor, status: _close_off(descriptor, status, owner_uid))
    finally:
        os.close(root)


def make_readable(folder: Path) -> None:
    """Everything readable for all: what uv wrote under a strict umask must serve runs of another user."""
    root = os.open(folder, _FOLDER)
    try:
        _walk(root, _open_up)
        _open_up(root, os.fstat(root))
    finally:
        os.close(root)


def hand_over(folder: Path, owner_uid: int) -> None:
    """Make a folder of ours and all below it belong to the user that builds."""
    root = os.open(folder, _FOLDER)
    try:
        _walk(root, lambda descriptor, _status: os.fchown(descriptor, owner_uid, -1))
        os.fchown(root, owner_uid, -1)
    finally:
        os.close(root)


def _walk(folder: int, visit: Visit) -> None:
    """Call `visit` for each file and folder below, folders after what is in them; links are passed over."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries]
    for name in names:
        kind = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if stat.S_ISLNK(kind):
            continue
        if not (stat.S_ISDIR(kind) or stat.S_ISREG(kind)):
            raise _strange(name)
        descriptor = os.open(name, _FOLDER if stat.S_ISDIR(kind) else _FILE, dir_fd=folder)
        try:
            if stat.S_ISDIR(kind):
                _walk(descriptor, visit)
            visit(descriptor, os.fstat(descriptor))
        finally:
            os.close(descriptor)


def _close_off(descriptor: int, status: os.stat_result, owner_uid: int | None) -> None:
    mode = 0o555 if stat.S_ISDIR(status.st_mode) or status.st_mode & 0o100 else 0o444
    if owner_uid is not None and status.st_uid not in (owner_uid, os.geteuid()):
        raise _strange(f"a file of user {status.st_uid}")
    if owner_uid is not None and status.st_uid != owner_uid:
        # Ours: the card, or a hard link to a file of root's. The latter must not be opened up.
        if status.st_nlink > 1 and status.st_mode & 0o444 != 0o444:
            raise _strange("a hard link to a file of root")
        if status.st_nlink > 1:
            return
    if stat.S_IMODE(status.st_mode) != mode:
        os.fchmod(descriptor, mode)


def _open_up(descriptor: int, status: os.stat_result) -> None:
    executable = stat.S_ISDIR(status.st_mode) or status.st_mode & 0o100
    mode = stat.S_IMODE(status.st_mode) | (0o555 if executable else 0o444)
    if stat.S_IMODE(status.st_mode) != mode and (stat.S_ISDIR(status.st_mode) or status.st_nlink == 1):
        os.fchmod(descriptor, mode)


def _write_card(folder: int, card: EnvironmentCard) -> None:
    told = vars(card) | {"built_at": card.built_at.isoformat(), "last_used_at": card.last_used_at.isoformat()}
    _write(folder, CARD_NAME, json.dumps(told, indent=1))


def _write(folder: int, name: str, text: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o444, dir_fd=folder), "w", encoding="utf-8") as file:
        file.write(text)


def _strange(what: str) -> SetupFailed:
    return SetupFailed(
        f"The built environment holds what no package installs: {what}.",
        hint="Find out which of the pipeline's dependencies does this, and do without it.",
    )
