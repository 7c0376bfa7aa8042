"""How environments are built when the server is root: as an unprivileged user of their own.

Building runs code of strangers (an sdist's build script). It shall not run as root, and not as the user that runs act
as either, so that no run can change a built environment.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastflow.kernel.executors.process.spec import NOBODY_FROM, NOBODY_TO, find_run_user
from fastflow.kernel.executors.process.zygotes import SIDECAR, interpreter_prefix, own_interpreter


@dataclass(frozen=True, kw_only=True)
class BuildUser:
    """Who builds, and what goes before the command line to become them.

    Attributes:
        uid: owner of what is built; None when the server's own user builds.
        prefix: words to put before a command; empty when nothing has to change.
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
    if runner is None:
        return BuildUser(uid=None, prefix=())
    uid = next(number for number in range(NOBODY_TO - 1, NOBODY_FROM, -1) if number != runner)
    order = {
        "uid": uid,
        "gid": uid,
        "reach": [str(path) for path in (SIDECAR, interpreter_prefix(Path(own_interpreter())), *reach)],
        "argv": [],
        "env": None,
    }
    return BuildUser(uid=uid, prefix=(own_interpreter(), "-I", "-S", str(SIDECAR), "enter", json.dumps(order)))


def hand_over(folder: Path, user: BuildUser) -> None:
    """Make a folder of the builder's own; does nothing when the server's own user builds."""
    folder.mkdir(parents=True, exist_ok=True)
    if user.uid is not None and folder.stat().st_uid != user.uid:
        os.chown(folder, user.uid, user.uid)
