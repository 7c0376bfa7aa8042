"""What a container is made of, as the engine's API takes it. No value of a run is in it: those come through the door."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastflow.kernel.executors.port import Limits
from fastflow.kernel.executors.process.spec import find_run_user
from fastflow.kernel.executors.process.zygotes import RunUser

SIDECAR = Path("/fastflow/sidecar")
GIVEN = Path("/fastflow/given")
WORK = Path("/fastflow/work")
ARTIFACTS = Path("/fastflow/artifacts")
ENVIRONMENT = Path("/fastflow/env")
DOOR = GIVEN / "door"

LABEL_RUN = "fastflow-run-id"
LABEL_TOKEN = "fastflow-token"  # noqa: S105  a label's name
LABEL_PIPELINE = "fastflow-pipeline"
LABEL_OWNER = "fastflow-data"
LABEL_SLOT = "fastflow-slot"
LABEL_ROLE = "fastflow-role"

STOP_MARGIN_SECONDS = 5
"""What the engine waits longer than the run's own grace before it kills, when it is told to stop a container."""
_SHARED_MEMORY_BYTES = 1 << 30
_TMP = "rw,exec,nosuid,nodev,mode=1777"


@dataclass(frozen=True, kw_only=True)
class Bind:
    """A path of the engine's machine inside a container."""

    source: Path
    target: Path
    writable: bool = False

    def as_api(self) -> dict[str, Any]:
        """As the engine takes it; a source that does not exist is an error, never made."""
        return {"Type": "bind", "Source": str(self.source), "Target": str(self.target), "ReadOnly": not self.writable}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What has to be known when a container is made, before its run is: containers of one shape can serve any run of it.

    Attributes:
        image: id of the image.
        environment: the environment's folder; None when the run uses the image's own Python.
        limits: the size of files is not the engine's to limit and left out.
        network: name of the engine's network; `none` for no network at all.
    """

    image: str
    environment: Path | None
    limits: Limits
    network: str


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """One container.

    Attributes:
        image: id of the image.
        command: the first process.
        binds: what of the machine it sees.
        user: whom everything in it acts as.
        limits: enforced by the engine.
        network: name of a network, `none` or `host`.
        stop_seconds: between the engine's request to stop and its kill.
        labels: to find it again.
    """

    image: str
    command: Sequence[str]
    binds: Sequence[Bind]
    user: RunUser
    network: str
    limits: Limits = field(default_factory=Limits)
    stop_seconds: float = 10.0
    labels: Mapping[str, str] = field(default_factory=dict)

    def as_api(self) -> dict[str, Any]:
        """The body of the engine's request to create it.

        Everything that could be taken away is: the root is read-only, no capability is left, nothing gains rights, the
        engine writes no log, no health check and no entry point of the image is run.
        """
        return {
            "Image": self.image,
            "Entrypoint": list(self.command),
            "Cmd": [],
            "User": f"{self.user.uid}:{self.user.gid}",
            "WorkingDir": "/",
            "Labels": dict(self.labels),
            "Healthcheck": {"Test": ["NONE"]},
            "StopSignal": "SIGTERM",
            "StopTimeout": int(self.stop_seconds) + STOP_MARGIN_SECONDS,
            "HostConfig": self._host_config(),
        }

    def _host_config(self) -> dict[str, Any]:
        memory = self.limits.memory_bytes or 0
        return {
            "Mounts": [bind.as_api() for bind in self.binds],
            "Tmpfs": {"/tmp": _TMP},  # noqa: S108  the container's own
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "Privileged": False,
            "UsernsMode": "host",  # else an engine that remaps users would hand it folders it may not write
            "IpcMode": "private",
            "NetworkMode": self.network,
            "ShmSize": min(memory, _SHARED_MEMORY_BYTES) or _SHARED_MEMORY_BYTES,
            "Memory": memory,
            "MemorySwap": memory,
            "NanoCpus": int((self.limits.cpus or 0) * 1_000_000_000),
            "PidsLimit": self.limits.pids,
            "LogConfig": {"Type": "none"},
            "RestartPolicy": {"Name": "no"},
            "AutoRemove": False,
            "Init": False,
        }


def container_user(run_user: str | None) -> RunUser:
    """Whom containers act as: somebody without rights; the server's own user when that is not root."""
    user = find_run_user(run_user)
    return user if user.uid is not None else RunUser(uid=os.geteuid(), gid=os.getegid())
