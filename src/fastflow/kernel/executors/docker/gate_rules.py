"""What the gate before the container engine lets through: the requests that the docker executor makes, and no other.

Whoever may make any container is root on the engine's machine. So a request is compared with what the executor sends: a
list of paths, and for a new container every field of its body; what is not known is refused.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from fastflow.kernel.executors.docker.container import LABEL_OWNER

NETWORKS: Final = frozenset({"none", "bridge"})
_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}"
_READS: Final = tuple(map(re.compile, (r"/_ping", r"/version", r"/info", r"/images/json", r"/images/[^?]+/json")))
_OF_CONTAINER: Final = re.compile(
    rf"(?:GET /containers/(?P<a>{_NAME})/json|POST /containers/(?P<b>{_NAME})/(?:start|kill|rename)"
    rf"|DELETE /containers/(?P<c>{_NAME}))"
)
_BODY_KEYS: Final = frozenset(
    {
        "Image", "Entrypoint", "Cmd", "User", "WorkingDir", "Labels", "Healthcheck", "StopSignal", "StopTimeout",
        "HostConfig",
    }
)  # fmt: skip
_FREE_HOST_KEYS: Final = frozenset({"Tmpfs", "ShmSize", "Memory", "MemorySwap", "NanoCpus", "PidsLimit", "UsernsMode"})
_FIXED_HOST_VALUES: Final[Mapping[str, Any]] = {
    "ReadonlyRootfs": True,
    "CapDrop": ["ALL"],
    "SecurityOpt": ["no-new-privileges"],
    "Privileged": False,
    "IpcMode": "private",
    "LogConfig": {"Type": "none"},
    "RestartPolicy": {"Name": "no"},
    "AutoRemove": False,
    "Init": False,
}


class Refused(Exception):
    """The request is none that the executor makes; `str()` says what is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What containers may be made of.

    Attributes:
        images: references that may be run and pulled.
        folders: bind mounts lie in one of these, or are one.
        networks: they may be attached to.
    """

    images: Collection[str]
    folders: Sequence[Path]
    networks: Collection[str] = NETWORKS


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the gate has to find out before a request may pass.

    Attributes:
        owned: the container that must be one of ours.
        image: the image that must be an allowed one.
    """

    owned: str | None = None
    image: str | None = None


def judge(method: str, path: str, query: str, body: bytes, allowed: Allowed) -> Verdict:
    """Whether a request may pass, as far as it says so itself.

    Args:
        method, path, query: of the request; the path without the version of the API.
        body: whole.
        allowed: what containers may be made of.

    Raises:
        Refused: it may not.
    """
    if ".." in path.split("/"):
        raise Refused("the path goes upwards")
    if method in ("GET", "HEAD") and any(pattern.fullmatch(path) for pattern in _READS):
        return Verdict()
    given = parse_qs(query, keep_blank_values=True)
    if (method, path) == ("GET", "/containers/json"):
        _check_list(given)
        return Verdict()
    if (method, path) == ("POST", "/images/create"):
        _check_pull(given, allowed)
        return Verdict()
    if (method, path) == ("POST", "/containers/create"):
        made = _object(body)
        check_container(made, allowed)
        return Verdict(image=str(made["Image"]))
    named = _OF_CONTAINER.fullmatch(f"{method} {path}")
    if named is not None:
        return Verdict(owned=named["a"] or named["b"] or named["c"])
    raise Refused(f"{method} {path} is no request of the docker executor")


def check_container(made: Mapping[str, Any], allowed: Allowed) -> None:
    """Whether a container may be made so.

    Raises:
        Refused: a field is missing, unknown, or says what the executor never says.
    """
    _only(made, _BODY_KEYS, "the container")
    user = str(made.get("User", ""))
    if not re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", user):
        raise Refused(f"User is {user!r}, not the numbers of an unprivileged user and group")
    labels = made.get("Labels")
    if not isinstance(labels, Mapping) or not labels.get(LABEL_OWNER):
        raise Refused(f"the label {LABEL_OWNER} is missing")
    if not isinstance(made.get("Image"), str):
        raise Refused("Image is missing")
    host = made.get("HostConfig")
    if not isinstance(host, Mapping):
        raise Refused("HostConfig is missing")
    _check_host(host, allowed)


def _check_host(host: Mapping[str, Any], allowed: Allowed) -> None:
    _only(host, {*_FREE_HOST_KEYS, *_FIXED_HOST_VALUES, "Mounts", "NetworkMode"}, "HostConfig")
    for name, value in _FIXED_HOST_VALUES.items():
        if host.get(name) != value:
            raise Refused(f"HostConfig.{name} is {host.get(name)!r}, not {value!r}")
    if host.get("NetworkMode") not in allowed.networks:
        raise Refused(f"the network {host.get('NetworkMode')!r} is not among {', '.join(sorted(allowed.networks))}")
    if set(host.get("Tmpfs") or {}) - {"/tmp", "/var/tmp"}:  # noqa: S108  the container's own
        raise Refused("HostConfig.Tmpfs names other places than /tmp and /var/tmp")
    for mount in host.get("Mounts") or ():
        _check_mount(mount, allowed.folders)


def _check_mount(mount: Any, folders: Sequence[Path]) -> None:
    if not isinstance(mount, Mapping) or mount.get("Type") != "bind":
        raise Refused("a mount is no bind mount")
    _only(mount, {"Type", "Source", "Target", "ReadOnly"}, "a mount")
    source = Path(str(mount.get("Source")))
    if not source.is_absolute() or ".." in source.parts:
        raise Refused(f"the mount of {source} is no plain absolute path")
    for place in {source, source.resolve()}:  # where a link leads counts as well
        if not any(place.is_relative_to(folder) for folder in folders):
            raise Refused(f"the mount of {source} lies outside {', '.join(map(str, folders))}")


def _check_list(given: Mapping[str, Sequence[str]]) -> None:
    filters = _object((given.get("filters") or ["{}"])[0].encode())
    labels = filters.get("label") or ()
    names = labels if isinstance(labels, Mapping | list | tuple) else ()
    if not any(str(label).partition("=")[0] == LABEL_OWNER for label in names):
        raise Refused(f"only containers with the label {LABEL_OWNER} may be listed")


def _check_pull(given: Mapping[str, Sequence[str]], allowed: Allowed) -> None:
    name, tag = (given.get("fromImage") or [""])[0], (given.get("tag") or [""])[0]
    joined = f"{name}@{tag}" if ":" in tag else f"{name}:{tag}"
    if set(given) - {"fromImage", "tag"} or not {name, joined} & set(allowed.images):
        raise Refused(f"the image {joined if tag else name} may not be pulled")


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError as error:
        raise Refused(f"the body is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise Refused("the body is no JSON object")
    return found


def _only(given: Mapping[str, Any], known: Collection[str], what: str) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise Refused(f"{what} has fields the executor never sets: {', '.join(unknown)}")
