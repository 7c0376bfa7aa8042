"""Where commands look, told with what was not found there: a server, or folders of this machine."""

from pathlib import Path

from fastflow.kit.errors import InvalidInput


def find_local_pipeline(name: str, folder: Path) -> Path | None:
    """The pipeline of that name in a folder of this machine: its script; None when there is none."""
    candidates = (folder / name / "main.py", folder / f"{name}.py")
    return next((path for path in candidates if path.is_file()), None)


def hint_at_local_pipeline(name: str) -> str:
    """What to do about a pipeline that the asked server has not, when PIPELINES_DIR of this machine has it; else empty."""
    from fastflow.settings import load_settings

    try:
        folder = load_settings().pipelines_dir
    except InvalidInput:  # a command that works on this machine tells it
        return ""
    if find_local_pipeline(name, folder) is None:
        return ""
    return f"{folder} on this machine has {name!r}: `unset FASTFLOW_URL` (or leave --url away) to work there."
