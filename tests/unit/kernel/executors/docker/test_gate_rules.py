"""What passes the gate before the container engine, and what does not."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastflow.kernel.executors.docker.container import LABEL_OWNER, Bind, ContainerSpec
from fastflow.kernel.executors.docker.gate_rules import Allowed, Refused, Verdict, check_container, judge
from fastflow.kernel.executors.port import Limits
from fastflow.kernel.executors.process.zygotes import RunUser

DATA = Path("/srv/fastflow")
ALLOWED = Allowed(images=["python:3.11-slim"], folders=[DATA])
SPEC = ContainerSpec(
    image="sha256:abc",
    command=["python3", "/fastflow/sidecar"],
    binds=[Bind(source=DATA / "slots" / "1", target=Path("/fastflow/given"))],
    user=RunUser(uid=64900, gid=64900),
    network="none",
    limits=Limits(memory_bytes=1 << 28, pids=100, cpus=0.5),
    labels={LABEL_OWNER: "here"},
)


def _judge(method: str, path: str, query: str = "", body: bytes = b"") -> Verdict:
    return judge(method, path, query, body, ALLOWED)


def test_container_when_the_executor_makes_it_then_it_passes_and_its_image_is_to_be_checked() -> None:
    body = json.dumps(SPEC.as_api()).encode()
    assert _judge("POST", "/containers/create", "name=fastflow-1", body) == Verdict(image="sha256:abc")


def _host(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda made: made["HostConfig"].update(values)


def _mount(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda made: made["HostConfig"]["Mounts"][0].update(values)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_host(Privileged=True), "Privileged"),
        (_host(CapDrop=[]), "CapDrop"),
        (_host(CapAdd=["SYS_ADMIN"]), "CapAdd"),
        (_host(SecurityOpt=["seccomp=unconfined"]), "SecurityOpt"),
        (_host(PidMode="host"), "PidMode"),
        (_host(Devices=[{"PathOnHost": "/dev/sda"}]), "Devices"),
        (_host(Binds=["/:/host"]), "Binds"),
        (_host(NetworkMode="host"), "network 'host'"),
        (_host(NetworkMode="container:db"), "network 'container:db'"),
        (_host(IpcMode="host"), "IpcMode"),
        (_host(ReadonlyRootfs=False), "ReadonlyRootfs"),
        (_host(Tmpfs={"/etc": ""}), "Tmpfs"),
        (_mount(Source="/"), "outside"),
        (_mount(Source="/srv/fastflow/../other"), "no plain absolute path"),
        (_mount(Source="slots"), "no plain absolute path"),
        (_mount(Source="/srv/fastflowers"), "outside"),
        (_mount(Type="volume"), "no bind mount"),
        (_mount(BindOptions={"Propagation": "shared"}), "BindOptions"),
        (lambda made: made.update(User="0:0"), "User"),
        (lambda made: made.update(User="root"), "User"),
        (lambda made: made.pop("User"), "User"),
        (lambda made: made.update(Labels={}), LABEL_OWNER),
        (lambda made: made.update(Volumes={"/x": {}}), "Volumes"),
        (lambda made: made.pop("HostConfig"), "HostConfig"),
        (lambda made: made.pop("Image"), "Image"),
    ],
)
def test_container_when_it_could_reach_the_machine_then_it_is_refused(
    change: Callable[[dict[str, Any]], None], why: str
) -> None:
    made = copy.deepcopy(SPEC.as_api())
    change(made)
    with pytest.raises(Refused, match=why):
        check_container(made, ALLOWED)


def test_mount_when_a_link_leads_outside_then_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to("/etc")
    made = copy.deepcopy(SPEC.as_api())
    made["HostConfig"]["Mounts"][0]["Source"] = str(tmp_path / "in" / "link")
    with pytest.raises(Refused, match="outside"):
        check_container(made, Allowed(images=[], folders=[tmp_path / "in"]))


@pytest.mark.parametrize(
    ("method", "path", "query", "verdict"),
    [
        ("GET", "/_ping", "", Verdict()),
        ("GET", "/version", "", Verdict()),
        ("GET", "/images/python:3.11-slim/json", "", Verdict()),
        ("GET", "/images/registry/team/worker:1/json", "", Verdict()),
        ("GET", "/containers/json", f'all=1&filters={{"label":["{LABEL_OWNER}=x"]}}', Verdict()),
        ("POST", "/images/create", "fromImage=python&tag=3.11-slim", Verdict()),
        ("GET", "/containers/abc/json", "", Verdict(owned="abc")),
        ("POST", "/containers/abc/start", "", Verdict(owned="abc")),
        ("POST", "/containers/abc/kill", "", Verdict(owned="abc")),
        ("DELETE", "/containers/abc", "force=1", Verdict(owned="abc")),
    ],
)
def test_request_when_the_executor_makes_it_then_it_passes(
    method: str, path: str, query: str, verdict: Verdict
) -> None:
    assert _judge(method, path, query) == verdict


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("POST", "/containers/abc/exec", ""),
        ("POST", "/exec/1/start", ""),
        ("GET", "/containers/abc/archive", "path=/etc"),
        ("PUT", "/containers/abc/archive", "path=/"),
        ("GET", "/containers/abc/export", ""),
        ("POST", "/containers/abc/attach", ""),
        ("POST", "/containers/abc/update", ""),
        ("POST", "/build", ""),
        ("POST", "/volumes/create", ""),
        ("POST", "/networks/create", ""),
        ("POST", "/swarm/init", ""),
        ("GET", "/containers/json", ""),
        ("GET", "/containers/json", 'filters={"label":["other"]}'),
        ("GET", "/containers/json", "filters=x"),
        ("POST", "/images/create", "fromImage=evil&tag=1"),
        ("POST", "/images/create", "fromSrc=-"),
        ("POST", "/images/create", "fromImage=python&tag=3.11-slim&fromSrc=-"),
        ("GET", "/images/../containers/abc/json", ""),
        ("DELETE", "/images/python:3.11-slim", ""),
        ("POST", "/containers/create", ""),
    ],
)
def test_request_when_the_executor_never_makes_it_then_it_is_refused(method: str, path: str, query: str) -> None:
    with pytest.raises(Refused):
        _judge(method, path, query, b"")
