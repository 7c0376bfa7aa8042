"""How environments are built: each command for itself, and as an unprivileged user of its own when the server is root.

Building runs code of strangers (an sdist's build script). It shall not run as root, and not as the user that runs act
as either, so that no run can change a built environment; and it shall leave no process behind.
"""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastflow.kernel.executors.process.spec import NOBODY_FROM, NOBODY_TO, find_run_user
from fastflow.kernel.executors.process.zygotes import SIDECAR, ZygoteFactory, interpreter_prefix, own_interpreter

_PYTHON = re.compile(r"python3(\.\d+)?")


@dataclass(frozen=True, kw_only=True)
class BuildUser:
    """Who builds, and what goes before the command line so that they do, and so that nothing of the command outlives it.

    Attributes:
        uid: owner of what is built; None when the server's own user builds.
        prefix: words to put before a command.
    """

    uid: int | None
    prefix: Sequence[str]


def find_build_user(*, run_user: str | None, reach: Sequence[Path]) -> BuildUser:
    """The user that builds environments.

    Args:
        run_user: whom runs act as, as configured; the builder is somebody else.
        reach: folders the builder must be able to reach whatever lies on the way (uv, caches, code, interpreters).
    """
    runner = find_run_user(run_user).uid
    uid = None
    if runner is not None:
        uid = next(number for number in range(NOBODY_TO - 1, NOBODY_FROM, -1) if number != runner)
    order = {
        "uid": uid,
        "gid": uid,
        "reach": [str(path) for path in (SIDECAR, interpreter_prefix(Path(own_interpreter())), *reach)],
        "argv": [],
        "env": None,
    }
    return BuildUser(uid=uid, prefix=(own_interpreter(), "-I", "-S", str(SIDECAR), "build", json.dumps(order)))


def installations_on(path_variable: str) -> list[Path]:
    """The folders of the Python installations that a PATH leads to. They may lie below root's own home (pyenv), where
    the user that builds could not reach them; what is no installation by itself, such as a program alone, is left out.
    """
    found: dict[Path, None] = {}
    for folder in filter(None, path_variable.split(os.pathsep)):
        try:
            names = os.listdir(folder)  # noqa: PTH208 - thousands of names in a folder of the system
        except OSError:
            continue  # not there, or not for us
        programs = sorted(name for name in names if _PYTHON.fullmatch(name))
        found.update(dict.fromkeys(interpreter_prefix(Path(folder, name)) for name in programs))
    return [prefix for prefix in found if any((prefix / "lib").glob("python3.*/os.py"))]


async def are_files_guarded(*, run_user: str | None, tmp: Path) -> bool:
    """Whether runs are kept from changing files that belong to whoever builds: they act as another user, or see the
    files read-only.

    Args:
        run_user: whom runs act as, as configured.
        tmp: a folder of ours, to try out on it what this machine allows.
    """
    user = find_run_user(run_user)
    if user.uid is not None:
        return True
    found = await ZygoteFactory(user=user, reach=[SIDECAR], log_path=Path(os.devnull)).probe(tmp)
    return bool(found["mount"] or found["landlock"])


def hand_over(folder: Path, user: BuildUser) -> None:
    """Make a folder of the builder's own; does nothing when the server's own user builds."""
    folder.mkdir(parents=True, exist_ok=True)
    if user.uid is not None and folder.stat().st_uid != user.uid:
        os.chown(folder, user.uid, user.uid)
