"""A run is named by its id, by the end of it, or as the last one."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest

from fastflow.cli.client import Api
from fastflow.cli.run_refs import find_run
from fastflow.kit.errors import Conflict, InvalidInput, NotFound

ID = "019a6c1e-7d4b-7cc0-8000-3f2a1b0c9d8e"


def run(run_id: str) -> dict[str, Any]:
    return {"id": run_id, "pipeline_name": "rfm", "status": "SUCCESS", "queued_at": "2026-11-21T04:35:18Z"}


class Server:
    """Answers `GET /runs` with given runs, and keeps the queries."""

    def __init__(self, found: Sequence[str] = ()) -> None:
        self.found = found
        self.asked: list[dict[str, str]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(dict(request.url.params))
        return httpx.Response(200, json={"items": [run(one) for one in self.found], "next_cursor": None})


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def api(server: Server) -> Iterator[Api]:
    client = httpx.AsyncClient(transport=httpx.MockTransport(server.answer), base_url="http://server:8000")
    with Api(client, asyncio.Runner()) as opened:
        yield opened


@pytest.mark.parametrize("text", [ID, ID.upper(), ID.replace("-", "")])
def test_find_run_when_given_an_id_then_nobody_is_asked(api: Api, server: Server, text: str) -> None:
    assert find_run(api, text) == text
    assert server.asked == []


def test_find_run_when_given_the_end_of_one_id_then_that_run(api: Api, server: Server) -> None:
    server.found = [ID]
    assert find_run(api, "0c9d8e") == ID
    assert server.asked == [{"id_tail": "0c9d8e", "limit": "11"}]


def test_find_run_when_several_ids_end_alike_then_each_is_named(api: Api, server: Server) -> None:
    other = ID.replace("019a6c1e", "019a6c1f")
    server.found = [ID, other]
    with pytest.raises(Conflict) as caught:
        find_run(api, "0c9d8e")
    assert caught.value.code == "ambiguous_id"
    assert ID in caught.value.message and other in caught.value.message
    assert caught.value.message.count("\n") == 2


def test_find_run_when_no_id_ends_like_that_then_it_says_where_it_looked(api: Api) -> None:
    with pytest.raises(NotFound, match=r"No run of the server http://server:8000 has an id that ends with '0c9d8e'\."):
        find_run(api, "0c9d8e")


@pytest.mark.parametrize(("text", "pipeline"), [("last", None), ("last:rfm", "rfm")])
def test_find_run_when_asked_for_the_last_then_the_newest(
    api: Api, server: Server, text: str, pipeline: str | None
) -> None:
    server.found = [ID]
    assert find_run(api, text) == ID
    assert server.asked == [{"limit": "1"} | ({"pipeline_name": pipeline} if pipeline else {})]


def test_find_run_when_there_is_no_last_one_then_it_says_how_to_make_one(api: Api) -> None:
    with pytest.raises(NotFound) as caught:
        find_run(api, "last:rfm")
    assert "has no run of pipeline 'rfm' yet" in caught.value.message
    assert "`POST /pipelines/rfm/run`" in caught.value.hint


@pytest.mark.parametrize("text", ["abc", "last:", "../../etc/passwd", "newest", "0c9d8g", ""])
def test_find_run_when_the_text_names_no_run_then_it_says_what_does(api: Api, server: Server, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        find_run(api, text)
    assert "`last`" in caught.value.hint
    assert server.asked == []
