"""Starting programs as an ordinary user, for tests that root may run: nothing is changed on the machine.

Where root's own home hides the interpreter from others, the program gets a view of the file system in which just that
folder can be passed: the product's own way of starting runs.
"""

import json
import os
import pwd
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from fastflow.kernel.executors.process.spec import NOBODY_FROM
from fastflow.kernel.executors.process.zygotes import SIDECAR, interpreter_prefix, own_interpreter


class OrdinaryUser:
    """Somebody without any rights: whoever runs the tests, or, when that is root, a user id that nobody has."""

    def __init__(self) -> None:
        taken = {entry.pw_uid for entry in pwd.getpwall()}
        free = next(number for number in range(NOBODY_FROM - 1, 1000, -1) if number not in taken)
        self.uid = free if os.geteuid() == 0 else os.geteuid()

    def own(self, folder: Path) -> Path:
        """The folder, with all that is in it, given to the user."""
        if os.geteuid() == 0:
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, self.uid, self.uid)
        return folder

    def prefix(self, *reach: Path) -> Sequence[str]:
        """Words before a command that start it as this user, who can then reach this Python, this project and `reach`."""
        if os.geteuid() != 0:
            return ()
        project = Path(__file__).resolve().parents[3]
        needed = (SIDECAR, interpreter_prefix(Path(own_interpreter())), Path(sys.prefix), project, *reach)
        order = {
            "uid": self.uid,
            "gid": self.uid,
            "reach": [str(path) for path in needed],
            "argv": [],
            "env": None,
        }
        return (own_interpreter(), "-I", "-S", str(SIDECAR), "enter", json.dumps(order))
