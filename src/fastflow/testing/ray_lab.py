"""An executor lab on a Ray cluster: the executor, and a server for its agents in a thread of its own."""

import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uv import find_uv_bin

from fastflow.kernel.executors.port import Executor
from fastflow.kernel.executors.ray.executor import RayExecutor
from fastflow.kernel.executors.ray.folders import AttemptFolders
from fastflow.kernel.executors.ray.ingest import Ingest
from fastflow.kernel.executors.ray.router import build_router
from fastflow.kernel.executors.registry import RaySettings
from fastflow.kernel.http.app import build_app
from fastflow.kit.errors import Unauthenticated
from fastflow.testing.executor_contract import ExecutorLab
from fastflow.testing.ray_cluster import RayCluster

PATIENCE_SECONDS = 60.0


class AgentDoor:
    """What agents talk to: the routes of the product over one data folder, on a port of its own; it can be shut and
    opened again on the same port.

    Args:
        data_dir: whose attempts it serves.
        is_current: the fence.
    """

    def __init__(self, data_dir: Path, is_current: Callable[[str, int], bool] = lambda _run, _token: True) -> None:
        self._data_dir = data_dir
        self._is_current = is_current
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Serve."""
        ingest = Ingest(AttemptFolders(self._data_dir), is_current=self._is_current, find_uv=find_uv_bin)
        app = build_app([build_router(ingest)], authenticate=_nobody)
        config = uvicorn.Config(
            self._counted(app), port=self.port, log_config=None, access_log=False, ws="none", lifespan="off",
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the agents' door does not open")
            time.sleep(0.01)

    def shut(self) -> None:
        """Answer nobody any more."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(PATIENCE_SECONDS)
            self._server = self._thread = None

    def _counted(self, app: ASGIApp) -> ASGIApp:
        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    self.requests.append(f"{scope['path'].rsplit('/', 1)[-1]} {message['status']}")
                await send(message)

            await app(scope, receive, noted)

        return counted


def _nobody(_request: Any) -> Any:
    raise Unauthenticated("No user has any business here.")


class RayLab(ExecutorLab):
    """With a look behind the port."""

    door: AgentDoor
    cluster: RayCluster

    @property
    def ray(self) -> RayExecutor:
        """The executor as what it is."""
        assert isinstance(self.executor, RayExecutor)
        return self.executor


@asynccontextmanager
async def opened_lab(data_dir: Path, cluster: RayCluster, python: Path, **changes: Any) -> AsyncIterator[RayLab]:
    """A lab on the cluster; what it leaves is ended at the end.

    Args:
        data_dir: of the executor.
        cluster: which.
        python: an interpreter of the nodes'.
        changes: of the settings.
    """
    door = AgentDoor(data_dir)
    door.open()
    node_dir = data_dir / "node"
    given: dict[str, Any] = {
        "address": cluster.address,
        "token": cluster.token,
        "server_url": door.url,
        "uv": Path(find_uv_bin()),
        "cpus": 0.1,
        "node_dir": node_dir,
    }
    settings = RaySettings(**{**given, **changes})

    async def opened() -> Executor:
        executor = RayExecutor(data_dir=data_dir, settings=settings)
        await executor.open()
        return executor

    made = [await opened()]

    async def reopen() -> Executor:
        await made[-1].close()
        made.append(await opened())
        return made[-1]

    lab = RayLab(executor=made[0], reopen=reopen, folder=data_dir, python=python)
    lab.door, lab.cluster = door, cluster
    try:
        yield lab
    finally:
        for key in await lab.executor.find_all():
            if not await lab.executor.seal(key):
                await lab.executor.stop(key, reason="cancelled", reason_text="the test is over", grace=0)
                await lab.executor.wait(key)
            await lab.executor.discard(key)
        await lab.executor.close()
        door.shut()
