"""The gate before a real engine: runs work through it, and nothing else does."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import uvicorn

from fastflow.kernel.executors.docker.container import LABEL_OWNER
from fastflow.kernel.executors.docker.examining import examine
from fastflow.kernel.executors.docker.gate import Gate
from fastflow.kernel.executors.docker.gate_rules import Allowed
from fastflow.kernel.executors.registry import DockerSettings, ExecutorSettings
from fastflow.testing.docker_engine import WORKER_IMAGE
from fastflow.testing.docker_lab import docker_lab


@asynccontextmanager
async def _gate(data_dir: Path, engine: str, *, images: tuple[str, ...] = (WORKER_IMAGE,)) -> AsyncIterator[Path]:
    listen = data_dir / "gate.sock"
    gate = Gate(Path(engine.removeprefix("unix://")), Allowed(images=images, folders=[data_dir]))
    server = uvicorn.Server(uvicorn.Config(gate, uds=str(listen), lifespan="off", ws="none", log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  uvicorn tells nobody
        await asyncio.sleep(0.01)
    try:
        yield listen
    finally:
        server.should_exit = True
        await serving
        await gate.close()


@pytest.fixture
async def listen(data_dir: Path, docker_host: str) -> AsyncIterator[Path]:
    async with _gate(data_dir, docker_host) as socket:
        yield socket


def _client(socket: Path) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(uds=str(socket)), base_url="http://engine", timeout=60.0
    )


async def test_run_when_its_runner_has_the_gate_alone_then_it_runs_stops_and_is_removed(
    data_dir: Path, listen: Path
) -> None:
    async with docker_lab(data_dir, f"unix://{listen}") as lab:
        outcome = await lab.run("import os\nprint(os.getuid() > 0)")
        assert outcome.text("stdout") == b"True\n" and outcome.exit.reason is None
        spec = lab.spec("import time\nprint('up', flush=True)\ntime.sleep(600)")
        await lab.launch(spec)
        await lab.executor.stop(spec.key, reason="cancelled", reason_text="by hand", grace=1)
        assert (await lab.finish(spec)).exit.reason == "cancelled"
        for key in (outcome.spec.key, spec.key):
            await lab.executor.discard(key)
        assert not [one for one in await lab.containers() if one["Labels"].get("fastflow-run-id")]


async def test_doctor_when_the_gate_refuses_what_runs_need_then_it_says_what_and_nothing_is_made(
    data_dir: Path, listen: Path
) -> None:
    engine = DockerSettings(host=f"unix://{listen}", image=WORKER_IMAGE)
    allowed = ExecutorSettings(data_dir=data_dir, docker=engine)
    elsewhere = ExecutorSettings(data_dir=data_dir, docker=replace(engine, engine_data_dir=Path("/srv/elsewhere")))
    good, bad = [await asyncio.to_thread(examine, settings) for settings in (allowed, elsewhere)]
    assert (good.why, good.has_image, good.refusal) == (None, True, None)
    assert bad.refusal is not None and "the gate refused this: the mount of /srv/elsewhere" in bad.refusal
    filters = json.dumps({"label": [f"{LABEL_OWNER}=doctor"]})
    async with _client(listen) as client:
        assert (await client.get("/containers/json", params={"all": "true", "filters": filters})).json() == []


async def test_container_when_asked_for_with_the_machines_root_then_nothing_is_made(listen: Path) -> None:
    body = {
        "Image": WORKER_IMAGE,
        "Cmd": ["cat", "/host/etc/shadow"],
        "User": "1:1",
        "Labels": {LABEL_OWNER: "x"},
        "HostConfig": {"Binds": ["/:/host"], "Privileged": True},
    }
    async with _client(listen) as client:
        answer = await client.post("/v1.41/containers/create", params={"name": "gate-evil"}, json=body)
        assert answer.status_code == 403 and "the gate refused this" in answer.json()["message"]
        assert (await client.get("/v1.41/containers/gate-evil/json")).status_code == 404


async def test_container_of_somebody_else_when_asked_for_then_refused(
    listen: Path, docker_host: str, data_dir: Path
) -> None:
    async with _client(Path(docker_host.removeprefix("unix://"))) as engine, _client(listen) as client:
        made = await engine.post("/containers/create", json={"Image": WORKER_IMAGE, "Cmd": ["true"]})
        container = made.json()["Id"]
        try:
            for method, path in (("GET", "/json"), ("POST", "/start"), ("POST", "/kill"), ("DELETE", "")):
                answer = await client.request(method, f"/containers/{container}{path}")
                assert answer.status_code == 403, (method, path)
                assert "was not made by Fast-Flow" in answer.json()["message"]
            assert (await engine.get(f"/containers/{container}/json")).json()["State"]["Status"] == "created"
        finally:
            await engine.delete(f"/containers/{container}")


async def test_image_when_it_is_not_an_allowed_one_then_no_run_starts_from_it(data_dir: Path, docker_host: str) -> None:
    async with _gate(data_dir, docker_host, images=("another:1",)) as socket, _client(socket) as client:
        answer = await client.post("/images/create", params={"fromImage": WORKER_IMAGE})
        assert answer.status_code == 403
        async with _client(Path(docker_host.removeprefix("unix://"))) as engine:
            image = (await engine.get(f"/images/{WORKER_IMAGE}/json")).json()["Id"]
        async with docker_lab(data_dir, docker_host) as lab:
            spec = lab.spec("print(1)")
            _known, shape = await lab.docker._shape(spec)
        assert shape.image == image, "what the executor asks for is the id"
        body = {
            "Image": image,
            "User": "64900:64900",
            "Labels": {LABEL_OWNER: "x"},
            "HostConfig": {
                "ReadonlyRootfs": True,
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges"],
                "Privileged": False,
                "IpcMode": "private",
                "NetworkMode": "none",
                "LogConfig": {"Type": "none"},
                "RestartPolicy": {"Name": "no"},
                "AutoRemove": False,
                "Init": False,
            },
        }
        answer = await client.post("/containers/create", json=body)
        assert answer.status_code == 403 and "is not among another:1" in answer.json()["message"]


async def test_gate_when_the_engine_is_away_then_it_says_so(data_dir: Path) -> None:
    async with _gate(data_dir, f"unix://{data_dir}/nobody.sock") as socket, _client(socket) as client:
        answer = await client.get("/_ping")
    assert answer.status_code == 503 and "does not answer the gate" in answer.json()["message"]
