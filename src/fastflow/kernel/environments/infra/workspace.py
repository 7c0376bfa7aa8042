"""The files uv works on: a writable copy of what the request names, shut off from any configuration around it."""

import shutil
import tomllib
from pathlib import Path

from fastflow.kernel.environments.domain.environment import EnvironmentRequest, uncommented


def populate(folder: Path, request: EnvironmentRequest) -> None:
    """Fill the work folder. The code itself comes along only when a dependency needs it: uv and build backends write
    beside what they build, and the snapshot must not change."""
    if request.needs_code:
        shutil.copytree(request.code_dir, folder, dirs_exist_ok=True)
        for path in folder.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
    for name, text in request.content.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", errors="surrogateescape")
    if request.kind == "script":
        _lift_script_configuration(folder, request)
    _shut_off(folder)


def without_editables(lock: str) -> str:
    """The lock with local projects installed as copies: an editable one would point into a work folder that goes."""
    return "\n".join(line.removeprefix("-e ") for line in lock.splitlines())


def _lift_script_configuration(folder: Path, request: EnvironmentRequest) -> None:
    """`uv pip sync` does not read a script's `[tool.uv]` (its indexes); as a pyproject.toml it does."""
    block = request.content[request.script]
    if "[tool.uv" in block:
        (folder / "pyproject.toml").write_text(uncommented(block), encoding="utf-8")


def _shut_off(folder: Path) -> None:
    """Without this, uv looks for configuration in all parent folders; an empty uv.toml ends its way up."""
    if (folder / "uv.toml").exists():
        return
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        project = {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):  # uv will say so in its own words
        return
    if "uv" not in project.get("tool", {}):
        (folder / "uv.toml").touch()
