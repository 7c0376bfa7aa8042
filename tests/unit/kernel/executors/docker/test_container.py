from pathlib import Path

from fastflow.kernel.executors.docker.container import Bind, ContainerSpec
from fastflow.kernel.executors.port import Limits
from fastflow.kernel.executors.process.zygotes import RunUser


def spec(**changes: object) -> ContainerSpec:
    given: dict[str, object] = {
        "image": "sha256:ab",
        "command": ("python3", "-I"),
        "binds": (Bind(source=Path("/data/x"), target=Path("/fastflow/x")),),
        "user": RunUser(uid=64900, gid=64901),
        "network": "bridge",
    }
    return ContainerSpec(**{**given, **changes})  # type: ignore[arg-type]


def test_container_when_nothing_is_limited_then_the_engine_is_told_of_no_limit() -> None:
    host = spec().as_api()["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"], host["PidsLimit"]) == (0, 0, 0, None)
    assert host["ShmSize"] == 1 << 30


def test_container_when_limited_then_swap_is_no_way_round_and_shared_memory_counts() -> None:
    host = spec(limits=Limits(cpus=1.5, memory_bytes=100 << 20, pids=7)).as_api()["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == host["ShmSize"] == 100 << 20
    assert (host["NanoCpus"], host["PidsLimit"]) == (1_500_000_000, 7)


def test_container_when_made_then_image_entry_point_health_check_and_log_driver_are_replaced() -> None:
    body = spec().as_api()
    assert body["Entrypoint"] == ["python3", "-I"] and body["Cmd"] == []
    assert body["Healthcheck"] == {"Test": ["NONE"]}
    assert body["HostConfig"]["LogConfig"] == {"Type": "none"}
    assert body["User"] == "64900:64901"
    assert "Env" not in body


def test_container_when_the_engine_stops_it_then_the_runs_own_grace_comes_first() -> None:
    assert spec(stop_seconds=30.0).as_api()["StopTimeout"] == 35


def test_bind_when_not_said_otherwise_then_read_only_and_never_made_by_the_engine() -> None:
    (mount,) = spec().as_api()["HostConfig"]["Mounts"]
    assert mount == {"Type": "bind", "Source": "/data/x", "Target": "/fastflow/x", "ReadOnly": True}
