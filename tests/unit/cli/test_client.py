"""What the command line sends."""

import asyncio

import httpx

from fastflow.cli.client import Api


def test_call_when_the_path_asks_something_then_it_is_sent() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(204)

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://server")
    with Api(client, asyncio.Runner()) as api:
        api.delete("/channels/mail?force=true")
        api.post("/experiments/1/reset?dry_run=true")
        api.get("/runs", limit=5, cursor=None)
    assert seen == [
        "http://server/channels/mail?force=true",
        "http://server/experiments/1/reset?dry_run=true",
        "http://server/runs?limit=5",
    ]
