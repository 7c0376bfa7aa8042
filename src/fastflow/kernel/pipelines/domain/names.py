"""The names of pipelines: they become paths, URLs, labels and rows, so they are plain."""

import re

MAX_NAME_LENGTH = 200
"""What the database's column holds."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*|_[A-Za-z0-9][A-Za-z0-9_.-]*")


def name_problem(name: str) -> str | None:
    """What keeps `name` from being a pipeline's name; None when nothing does.

    >>> name_problem("daily-report.v2") is None, name_problem("../etc")
    (True, "a name cannot hold '/'")
    """
    if not name:
        return "a name cannot be empty"
    if len(name) > MAX_NAME_LENGTH:
        return f"a name has at most {MAX_NAME_LENGTH} characters, this has {len(name)}"
    odd = next((char for char in name if not re.fullmatch(r"[A-Za-z0-9_.-]", char)), None)
    if odd is not None:
        return f"a name cannot hold {odd!r}"
    if ".." in name or name.endswith("."):
        return "a name cannot hold '..' or end with '.'"
    if not _NAME.fullmatch(name):
        return f"a name cannot start with {name[0]!r}"
    return None
