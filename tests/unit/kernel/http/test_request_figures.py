"""Requests are counted by template, whatever callers send."""

from fastapi import APIRouter
from starlette.requests import Request

from fastflow.kernel.http.app import build_app
from fastflow.kernel.http.request_figures import BOUNDS
from fastflow.kit.identity import SYSTEM, Actor
from fastflow.testing.http import client_of


def anybody(_request: Request) -> Actor:
    return SYSTEM


async def test_requests_when_answered_then_they_are_counted_by_template_method_and_class_of_status() -> None:
    router = APIRouter()

    @router.get("/things/{name}")
    def thing(name: str) -> str:
        if name == "bad":
            raise RuntimeError("no")
        return name

    app = build_app([router], authenticate=anybody)
    async with client_of(app) as client:
        for path in ("/things/a", "/things/b", "/things/bad", "/nowhere/1", "/nowhere/2", "/things/a?x=1"):
            await client.get(path)
        await client.request("BREW", "/things/a")
    figures = app.state.request_figures
    assert figures.answers == {
        ("/things/{name}", "GET", "2xx"): 2,
        ("/things/{name}", "GET", "4xx"): 1,
        ("/things/{name}", "GET", "5xx"): 1,
        ("none", "GET", "4xx"): 2,
        ("/things/{name}", "other", "4xx"): 1,
    }
    times = figures.times["/things/{name}", "GET"]
    assert sum(times.counts) == 4 and 0 < times.sum < 60 and len(times.counts) == len(BOUNDS) + 1
