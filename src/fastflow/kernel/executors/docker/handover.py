"""From the port's RunSpec to the order that a waiting container's supervisor gets, and the files that lie ready for it."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastflow.kernel.executors.docker.container import ARTIFACTS, ENVIRONMENT, GIVEN, WORK, Shape
from fastflow.kernel.executors.docker.slots import Slot, link_regular_files, link_tree
from fastflow.kernel.executors.port import BaseImage, Handed, RunSpec
from fastflow.kernel.executors.process.spec import DEFAULT_PATH

CODE = GIVEN / "code"
PARAMS = GIVEN / "params.json"
UPSTREAM = GIVEN / "upstream.json"
INPUTS = GIVEN / "inputs"
_ARTIFACTS_BEFORE = "upstream"
NO_NETWORK = "none"
_PLAN = {"user": False, "mount": False, "pid": True, "ipc": True, "network": True, "landlock": False}
"""For the supervisor: it is the first process of a PID namespace, and all else was done before it began."""


def fill_slot(slot: Slot, spec: RunSpec) -> None:
    """Lay code and parameters into the slot, give it to the run, and put its artifacts in their own place.

    Raises:
        OSError: the disk is full, the code is gone, or the attempt was sealed.
    """
    given = slot.folder / "given"
    link_tree(spec.code_dir, given / "code")
    (given / "params.json").write_text(json.dumps(dict(spec.params)), encoding="utf-8")
    (given / "params.json").chmod(0o644)
    if spec.handed is not None:
        _hand_on(spec.handed, given)
    if spec.inputs is not None:
        link_tree(spec.inputs, given / INPUTS.name)
    for entry in os.scandir(given / "code"):
        (slot.folder / "work" / entry.name).symlink_to(CODE / entry.name)
    slot.give_to(spec.key)
    _move_artifacts(slot.folder / "artifacts", spec.artifacts_dir)


def _hand_on(handed: Handed, given: Path) -> None:
    """Lay what earlier runs told and left into the slot."""
    document = handed.document(lambda run_id, _folder: str(GIVEN / _ARTIFACTS_BEFORE / run_id))
    (given / UPSTREAM.name).write_text(json.dumps(document), encoding="utf-8")
    (given / UPSTREAM.name).chmod(0o644)
    for run_id, folder in handed.folders.items():
        link_regular_files(folder, given / _ARTIFACTS_BEFORE / run_id)


def _move_artifacts(folder: Path, target: Path) -> None:
    """The container's mount follows the folder. What an earlier attempt of the run left stays in it."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    if target.is_dir() and not target.is_symlink():
        for entry in target.iterdir():
            entry.rename(folder / entry.name)
        target.rmdir()
    folder.rename(target)


def build_order(spec: RunSpec, shape: Shape, image: BaseImage, *, is_from_pool: bool = False) -> dict[str, Any]:
    """The JSON object the container's supervisor is sent."""
    return {
        "do": "run",
        "work_dir": str(WORK),
        "code_dir": str(CODE),
        "script": str(CODE / spec.script),
        "python": str(_python(spec, shape)),
        "env": _environment(spec, shape, image),
        "secrets": list(spec.secrets),
        "log_max_bytes": spec.log_max_bytes,
        "limits": asdict(spec.limits),
        "rlimits": _rlimits(spec),
        "run_timeout": spec.run_timeout,
        "idle_timeout": spec.idle_timeout,
        "grace": spec.grace,
        "network": spec.network,
        "plan": _PLAN,
        "isolation": {
            "files": "container",
            "namespaces": ["mount", "pid", "ipc", "uts", "network"],
            "image": image.reference,
            "image_id": image.id,
            "start": "pool" if is_from_pool else "cold",
        },
    }


def _python(spec: RunSpec, shape: Shape) -> Path:
    """The interpreter as the container names it."""
    if shape.environment is not None:
        return ENVIRONMENT / spec.python.relative_to(shape.environment)
    return spec.python


def _environment(spec: RunSpec, shape: Shape, image: BaseImage) -> Mapping[str, str]:
    """The image's own variables, ours, and what the run is given."""
    path = image.env.get("PATH", DEFAULT_PATH)
    own = {}
    if shape.environment is not None and (shape.environment / "pyvenv.cfg").exists():
        own = {"VIRTUAL_ENV": str(ENVIRONMENT)}
        path = f"{ENVIRONMENT / 'bin'}:{path}"
    environment = {
        "HOME": str(WORK),
        "USER": "fastflow",
        "LOGNAME": "fastflow",
        "TMPDIR": "/tmp",  # noqa: S108  the container's own
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "FASTFLOW_RUN_ID": spec.key.run_id,
        "FASTFLOW_PIPELINE": spec.pipeline_name,
        "FASTFLOW_PARAMS": str(PARAMS),
        "FASTFLOW_ARTIFACTS": str(ARTIFACTS),
    }
    if spec.handed is not None:
        environment |= {"FASTFLOW_UPSTREAM": str(UPSTREAM), **spec.handed.variables}
    if spec.inputs is not None:
        environment["FASTFLOW_INPUTS"] = str(INPUTS)
    return {**image.env, **environment, **own, "PATH": path, **spec.env}


def _rlimits(spec: RunSpec) -> dict[str, int]:
    limits = {"RLIMIT_CORE": 0}
    if spec.limits.file_size_bytes is not None:
        limits["RLIMIT_FSIZE"] = spec.limits.file_size_bytes
    return limits
