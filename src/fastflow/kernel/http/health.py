"""`/health` and `/ready`: the two paths that answer without credentials. What the parts are, the ways in decide."""

import logging
from collections.abc import Awaitable, Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from fastflow.kernel.http.access import Authenticate
from fastflow.kernel.http.probing import PROBE_SECONDS, Looks, Probe
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kit.errors import Forbidden, Unauthenticated, Unavailable

logger = logging.getLogger(__name__)


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
    """Whether the server is fit for its work."""

    ready: bool
    missing: list[str] = Field(description="The parts that are not fit.")
    reasons: dict[str, str] | None = Field(
        None, description="What is wrong with each of them; only for callers with credentials."
    )


def build_router(
    version: str,
    probes: Mapping[str, Probe],
    *,
    for_requests: Sequence[str],
    for_runs: Sequence[str],
    seconds: float = PROBE_SECONDS,
) -> APIRouter:
    """The two operations.

    Args:
        version: of the product.
        probes: name of a part -> how to look at it.
        for_requests: the parts without which no request can be served.
        for_runs: the parts without which no run can be started; beside those.
        seconds: how long a look at a part may take.
    """
    router = APIRouter(tags=["server"])
    looks = Looks(probes, seconds)
    told: dict[str, list[str]] = {}

    @router.get("/health", response_model_exclude_none=True)
    async def get_health(request: Request) -> HealthOut:
        """How the server is: always 200 while it can answer at all. Details only for callers with credentials."""
        parts = await looks.look()
        status = "ok" if all(part["ok"] for part in parts.values()) else "degraded"
        if not await _is_known(request):
            return HealthOut(status=status)
        shown = {name: PartOut.model_validate(part) for name, part in parts.items()}
        return HealthOut(status=status, version=version, parts=shown)

    @router.get(
        "/ready",
        response_model_exclude_none=True,
        responses={503: {**PROBLEM_RESPONSES[503], "model": ReadyOut, "content": {}}},
    )
    async def get_ready(
        request: Request,
        response: Response,
        purpose: Annotated[
            Literal["runs", "requests"],
            Query(
                alias="for",
                description="`requests`: what starting runs needs beside (disk, clock, runner, engine, cluster) is not looked at.",
            ),
        ] = "runs",
    ) -> ReadyOut:
        """200 when the server is fit to take requests and to start runs, 503 when not."""
        names = [*for_requests, *(for_runs if purpose == "runs" else ())]
        parts = await looks.look(names)
        missing = [name for name, part in parts.items() if not part["ok"]]
        reasons = {name: _reason(parts[name]) for name in missing}
        if missing != told.get(purpose, []):
            told[purpose] = missing
            fields = {"for": purpose, "missing": ",".join(missing), **reasons}
            logger.log(logging.WARNING if missing else logging.INFO, "server.readiness", extra={"fields": fields})
        if missing:
            response.status_code = 503
            response.headers["Retry-After"] = "2"
        shown = reasons if missing and await _is_known(request) else None
        return ReadyOut(ready=not missing, missing=missing, reasons=shown)

    return router


def _reason(part: Mapping[str, Any]) -> str:
    return str(part.get("problem") or "It says that it does not work.")


async def _is_known(request: Request) -> bool:
    authenticate: Authenticate = request.app.state.authenticate
    try:
        answer = authenticate(request)
        if isinstance(answer, Awaitable):
            await answer
    except (Unauthenticated, Forbidden, Unavailable):  # with the database away nobody can be known
        return False
    return True
