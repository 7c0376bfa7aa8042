"""The cluster, through the HTTP interface of its dashboard: the few calls we need, with errors of two kinds."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Literal

import httpx

from fastflow.kernel.executors.errors import LaunchFailed

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
CALL_SECONDS = 30.0
UPLOAD_SECONDS = 300.0
RUN_KEY, ATTEMPT_KEY, PIPELINE_KEY, OWNER_KEY = (
    "fastflow-run-id",
    "fastflow-attempt",
    "fastflow-pipeline",
    "fastflow-server",
)
"""What a job's metadata say of it."""
_BLOCK_BYTES = 1 << 20

Status = Literal["PENDING", "RUNNING", "STOPPED", "SUCCEEDED", "FAILED"]
TERMINAL: frozenset[str] = frozenset({"STOPPED", "SUCCEEDED", "FAILED"})


class ClusterError(Exception):
    """The cluster did not do what was asked; `str()` is its reason."""


class ClusterAway(ClusterError):
    """The cluster cannot be reached."""


class NoSuchJob(ClusterError):
    """The cluster does not know the job."""


def as_launch_failed(error: ClusterError) -> LaunchFailed:
    """The error as the reason of a run that could not be started."""
    if isinstance(error, ClusterAway):
        return LaunchFailed(
            str(error), code="cluster_away", hint="Start the cluster; `fastflow doctor` tells whether it answers."
        )
    return LaunchFailed(
        f"The cluster did not take the run: {error}.",
        code="cluster_refused",
        hint="The cluster's own words say what it lacks.",
    )


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as the cluster tells of it.

    Attributes:
        message: the cluster's words on its state.
        error_type: its word for what went wrong.
        node_id: the machine it was given to; None: none yet.
    """

    id: str
    status: Status
    message: str = ""
    error_type: str | None = None
    node_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.status in TERMINAL


@dataclass(frozen=True, kw_only=True)
class Node:
    """A machine of the cluster.

    Attributes:
        why: what the cluster says of its state.
    """

    id: str
    ip: str
    is_alive: bool
    is_head: bool
    cpus: float
    memory_bytes: float
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """A job to be.

    Attributes:
        package: name of the package it takes along.
    """

    id: str
    entrypoint: str
    package: str
    cpus: float
    memory_bytes: int | None
    metadata: Mapping[str, str]


class Cluster:
    """One cluster.

    Args:
        address: of its dashboard, such as `http://head:8265`.
        token: of a cluster that wants one.
    """

    def __init__(self, address: str, token: str | None = None) -> None:
        self.address = address.rstrip("/")
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        timeout = httpx.Timeout(CALL_SECONDS, connect=CONNECT_SECONDS)
        self._client = httpx.AsyncClient(base_url=self.address, headers=headers, timeout=timeout, trust_env=False)

    async def version(self) -> str:
        """The release it runs."""
        told = await self._json("GET", "/api/version")
        if not isinstance(told, dict) or "ray_version" not in told:
            raise self._no_dashboard("its version is not Ray's")
        return str(told["ray_version"])

    async def nodes(self) -> Sequence[Node]:
        """Its machines, dead ones included."""
        told = await self._json("GET", "/api/v0/nodes?limit=1000")
        try:
            return [_node(found) for found in told["data"]["result"]["result"]]
        except (KeyError, TypeError, AttributeError) as error:
            raise self._no_dashboard("it does not list its nodes as Ray does") from error

    async def has_package(self, name: str) -> bool:
        """Whether the cluster has the package; if so, it keeps it for the next ten minutes at least."""
        answer = await self._call("GET", f"/api/packages/gcs/{name}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return False
        _require_success(answer)
        return True

    async def upload(self, name: str, file: IO[bytes]) -> None:
        """Give it a package."""
        size = file.seek(0, 2)
        file.seek(0)

        async def blocks() -> Any:
            while block := file.read(_BLOCK_BYTES):
                yield block

        timeout = httpx.Timeout(UPLOAD_SECONDS, connect=CONNECT_SECONDS)
        headers = {"Content-Length": str(size)}
        path = f"/api/packages/gcs/{name}"
        answer = await self._call("PUT", path, content=blocks(), headers=headers, timeout=timeout)
        if answer.status_code in (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED):
            raise self._no_dashboard("it takes no packages")
        _require_success(answer)

    async def submit(self, job: NewJob) -> None:
        """Submit it."""
        asked: dict[str, Any] = {
            "submission_id": job.id,
            "entrypoint": job.entrypoint,
            "metadata": dict(job.metadata),
            "runtime_env": {"working_dir": f"gcs://{job.package}"},
            "entrypoint_num_cpus": job.cpus,
        }
        if job.memory_bytes is not None:
            asked["entrypoint_memory"] = job.memory_bytes
        await self._json("POST", "/api/jobs/", json=asked)

    async def job(self, job_id: str) -> Job:
        """How it is.

        Raises:
            NoSuchJob: the cluster does not know it.
        """
        return _job(await self._json("GET", f"/api/jobs/{job_id}", of_job=True))

    async def jobs(self) -> Sequence[Job]:
        """All jobs that were submitted."""
        told = await self._json("GET", "/api/jobs/")
        try:
            return [_job(found) for found in told if found.get("submission_id")]
        except (KeyError, TypeError, AttributeError) as error:
            raise self._no_dashboard("it does not list its jobs as Ray does") from error

    async def stop(self, job_id: str) -> None:
        """Have it ended: SIGTERM to all of it, SIGKILL three seconds later. Idempotent."""
        await self._json("POST", f"/api/jobs/{job_id}/stop", of_job=True)

    async def delete(self, job_id: str) -> None:
        """Forget a job that has ended."""
        await self._json("DELETE", f"/api/jobs/{job_id}", of_job=True)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def _json(self, method: str, path: str, *, of_job: bool = False, **more: Any) -> Any:
        answer = await self._call(method, path, **more)
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NoSuchJob(_last_line(answer.text)) if of_job else self._no_dashboard(f"it knows no {path}")
        _require_success(answer)
        try:
            return answer.json()
        except ValueError as error:
            raise self._no_dashboard("it answered without JSON") from error

    def _no_dashboard(self, why: str) -> ClusterError:
        return ClusterError(f"{self.address} is no dashboard of Ray: {why} (correct RAY_ADDRESS)")

    async def _call(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            return await self._client.request(method, path, **more)
        except httpx.HTTPError as error:
            words = str(error) or type(error).__name__
            raise ClusterAway(f"The Ray cluster at {self.address} does not answer: {words}.") from error


def _require_success(answer: httpx.Response) -> None:
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise ClusterError(f"{_last_line(answer.text)} (set RAY_AUTH_TOKEN to the cluster's token)")
    if answer.is_error:
        raise ClusterError(_last_line(answer.text) or f"it answered {answer.status_code}")


def _last_line(text: str) -> str:
    """Of the traceback that the dashboard answers: what it comes to."""
    lines = [line.strip().rstrip(".") for line in text.splitlines()]
    return next((line[:500] for line in reversed(lines) if line), "")


def _job(told: Mapping[str, Any]) -> Job:
    return Job(
        id=str(told["submission_id"]),
        status=told["status"],
        message=str(told.get("message") or ""),
        error_type=told.get("error_type"),
        node_id=told.get("driver_node_id"),
        metadata=told.get("metadata") or {},
    )


def _node(told: Mapping[str, Any]) -> Node:
    resources = told.get("resources_total") or {}
    return Node(
        id=str(told["node_id"]),
        ip=str(told.get("node_ip")),
        is_alive=told.get("state") == "ALIVE",
        is_head=bool(told.get("is_head_node")),
        cpus=float(resources.get("CPU", 0.0)),
        memory_bytes=float(resources.get("memory", 0.0)),
        why=str(told.get("state_message") or ""),
    )
