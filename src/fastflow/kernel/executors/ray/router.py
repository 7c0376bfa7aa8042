"""HTTP for the agents on a cluster's nodes, below `/agent`: not for people, so not in the OpenAPI document.

No user's token or session opens it. An agent shows the token of its one attempt; see `ingest.py`.
"""

import asyncio
import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import FileResponse
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from fastflow.kernel.executors.port import RunKey
from fastflow.kernel.executors.ray.errors import AttemptTokenInvalid
from fastflow.kernel.executors.ray.ingest import Ingest
from fastflow.kernel.executors.ray.streams import Piece
from fastflow.kernel.http.problems import PROBLEM_RESPONSES

PREFIX = "/agent"
_MAX = 2**62
_ISOLATION_CHARS = 20_000
_bearer = HTTPBearer(auto_error=False, scheme_name="agent")


class _In(BaseModel):
    model_config = ConfigDict(extra="ignore")  # a newer agent may say more


def _short(told: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(told)) > _ISOLATION_CHARS:
        raise ValueError(f"must be at most {_ISOLATION_CHARS} characters long")
    return told


Isolation = Annotated[dict[str, Any], AfterValidator(_short)]
"""What isolation is in force: it is kept with the run for good."""


class ClaimIn(_In):
    """Who wants the order."""

    nonce: str = Field(min_length=16, max_length=100)
    submission: str = Field(max_length=200)
    node: str = Field(max_length=255)


class StartedIn(_In):
    """The script's process exists."""

    at: float = Field(ge=0, le=4_102_444_800)
    isolation: Isolation


class FailedIn(_In):
    """The script will not begin."""

    reason: Literal["setup", "cancelled", "lost", "timeout"]
    text: str = Field(max_length=20_000)
    is_logged: bool = False


class RecordIn(_In):
    """How the run ended, as its supervisor wrote it down."""

    reason: Literal["exit", "timeout", "cancelled", "oom", "setup", "lost"] | None
    reason_text: str | None = Field(max_length=20_000)
    exit_code: int | None = Field(ge=-1000, le=100_000)
    started_at: float | None = Field(None, ge=0, le=4_102_444_800)
    finished_at: float = Field(ge=0, le=4_102_444_800)
    peak_memory_bytes: int | None = Field(None, ge=0, le=_MAX)
    cpu_seconds: float | None = Field(None, ge=0, le=1e12)
    isolation: Isolation = Field(default_factory=dict)


class ExitIn(_In):
    """The end, and how much there is of log and events."""

    record: RecordIn
    log: int = Field(ge=0, le=_MAX)
    events: int = Field(ge=0, le=_MAX)


def _key(
    run_id: Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")], attempt: Annotated[int, Path(ge=0, le=_MAX)]
) -> RunKey:
    return RunKey(run_id=run_id, token=attempt)


def _token(given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None) -> str:
    if given is None:
        raise AttemptTokenInvalid("An agent shows the token of its attempt.")
    return given.credentials


Key = Annotated[RunKey, Depends(_key)]
Token = Annotated[str, Depends(_token)]
Offset = Annotated[int, Query(ge=0, le=_MAX)]


def build_router(ingest: Ingest) -> APIRouter:
    """The routes, over what takes everything in."""
    router = APIRouter(prefix=f"{PREFIX}/{{run_id}}/{{attempt}}", include_in_schema=False, responses=PROBLEM_RESPONSES)
    _add_life(router, ingest)
    _add_streams(router, ingest)
    return router


def _add_life(router: APIRouter, ingest: Ingest) -> None:
    @router.post("/claim")
    def claim(key: Key, token: Token, body: ClaimIn) -> dict[str, Any]:
        """The order, for the token of the launch."""
        return dict(ingest.claim(key, token, nonce=body.nonce, submission=body.submission, node=body.node))

    @router.post("/begin")
    def begin(key: Key, token: Token) -> dict[str, Any]:
        """Leave to start the script."""
        ingest.begin(key, token)
        return {}

    @router.post("/started")
    def started(key: Key, token: Token, body: StartedIn) -> dict[str, Any]:
        """The script runs."""
        ingest.started(key, token, body.model_dump())
        return {}

    @router.post("/failed")
    def failed(key: Key, token: Token, body: FailedIn) -> dict[str, Any]:
        """The script will not run."""
        ingest.failed(key, token, body.model_dump())
        return {}

    @router.post("/exit")
    def finish(key: Key, token: Token, body: ExitIn) -> dict[str, Any]:
        """The script is over."""
        ingest.finish(key, token, body.record.model_dump(), log=body.log, events=body.events)
        return {}

    @router.post("/orders")
    async def next_order(
        key: Key,
        token: Token,
        seen: Annotated[int, Query(ge=0, le=_MAX)] = 0,
        wait: Annotated[float, Query(ge=0, le=60)] = 0,
    ) -> dict[str, Any]:
        """What is wanted of the run; held until there is something, or for `wait` seconds."""
        return dict(await ingest.next_order(key, token, seen=seen, wait=wait))


def _add_streams(router: APIRouter, ingest: Ingest) -> None:
    @router.post("/log")
    async def append_log(request: Request, key: Key, token: Token, offset: Offset) -> dict[str, int]:
        """Log lines from `offset` on."""
        data = await request.body()
        return {"size": await asyncio.to_thread(ingest.append_log, key, token, offset, data)}

    @router.post("/events")
    async def append_events(request: Request, key: Key, token: Token, offset: Offset) -> dict[str, int]:
        """What the run tells, from `offset` on."""
        data = await request.body()
        return {"size": await asyncio.to_thread(ingest.append_events, key, token, offset, data)}

    @router.post("/artifacts")
    async def put_artifact(
        request: Request,
        key: Key,
        token: Token,
        offset: Offset,
        path: Annotated[str, Query(min_length=1, max_length=4000)],
        total: Annotated[int, Query(ge=0, le=_MAX)],
        sha256: Annotated[str, Query(pattern=r"^[0-9a-f]{64}$")],
    ) -> dict[str, int]:
        """A part of an artifact."""
        piece = Piece(path=path, offset=offset, total=total, sha256=sha256, data=await request.body())
        return {"size": await asyncio.to_thread(ingest.put_artifact, key, token, piece)}

    @router.get("/uv")
    def uv(key: Key, token: Token) -> FileResponse:
        """The server's uv."""
        return FileResponse(ingest.uv(key, token), media_type="application/octet-stream")
