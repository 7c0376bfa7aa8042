"""`/health` and `/ready`: the two paths that answer without credentials. What the parts are, the ways in decide."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from fastflow.kernel.http.access import Authenticate
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kit.errors import FastFlowError, Forbidden, Unauthenticated, Unavailable

Probe = Callable[[], Mapping[str, Any]]
"""Looks at one part and tells what it finds; `ok` says whether it works. A FastFlowError means it does not."""


class PartOut(BaseModel):
    """One part of the server; further members depend on the part."""

    model_config = ConfigDict(extra="allow")

    ok: bool


class HealthOut(BaseModel):
    """How the server is. Callers without credentials get `status` alone."""

    status: str = Field(description="`ok`, or `degraded` when a part does not work.")
    version: str | None = None
    parts: dict[str, PartOut] | None = None


class ReadyOut(BaseModel):
    """Whether requests can be served."""

    ready: bool
    missing: list[str] = Field(description="The parts that do not work and without which nothing can be served.")


def build_router(version: str, probes: Mapping[str, Probe], needed: Sequence[str]) -> APIRouter:
    """The two operations.

    Args:
        version: of the product.
        probes: name of a part -> how to look at it; called in a thread.
        needed: the parts without which no request can be served.
    """
    router = APIRouter(tags=["server"])

    @router.get("/health", response_model_exclude_none=True)
    async def get_health(request: Request) -> HealthOut:
        """How the server is: always 200 while it can answer at all. Details only for callers with credentials."""
        parts = await asyncio.to_thread(_look_at, probes)
        status = "ok" if all(part["ok"] for part in parts.values()) else "degraded"
        if not await _is_known(request):
            return HealthOut(status=status)
        shown = {name: PartOut.model_validate(part) for name, part in parts.items()}
        return HealthOut(status=status, version=version, parts=shown)

    @router.get("/ready", responses={503: {**PROBLEM_RESPONSES[503], "model": ReadyOut, "content": {}}})
    async def get_ready(response: Response) -> ReadyOut:
        """200 when requests can be served, 503 when not."""
        parts = await asyncio.to_thread(_look_at, {name: probes[name] for name in needed})
        missing = [name for name, part in parts.items() if not part["ok"]]
        if missing:
            response.status_code = 503
            response.headers["Retry-After"] = "2"
        return ReadyOut(ready=not missing, missing=missing)

    return router


def _look_at(probes: Mapping[str, Probe]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, probe in probes.items():
        try:
            found[name] = dict(probe())
        except FastFlowError as error:
            found[name] = {"ok": False, "problem": error.message, "hint": error.hint}
    return found


async def _is_known(request: Request) -> bool:
    authenticate: Authenticate = request.app.state.authenticate
    try:
        answer = authenticate(request)
        if isinstance(answer, Awaitable):
            await answer
    except (Unauthenticated, Forbidden, Unavailable):  # with the database away nobody can be known
        return False
    return True
