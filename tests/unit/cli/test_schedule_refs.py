"""A schedule is named by pipeline and name, by its name, or by its id; instants and durations as people write them."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from fastflow.cli.client import Api
from fastflow.cli.errors import ServerProblem, WrongUsage
from fastflow.cli.schedule_refs import find_schedule, load_schedules, naming_options, read_instant, read_seconds
from fastflow.kit.errors import Conflict, InvalidInput, NotFound

JOBS = [
    {"id": "019a6c1e-7d4b-7cc0-8000-000000000001", "pipeline_name": "rfm", "name": "nightly", "origin": "user"},
    {"id": "019a6c1e-7d4b-7cc0-8000-0000000000a2", "pipeline_name": "rfm", "name": "often", "origin": "code"},
    {"id": "019a6c1e-7d4b-7cc0-8000-000000000003", "pipeline_name": "report", "name": "often", "origin": "user"},
]


def answer(request: httpx.Request) -> httpx.Response:
    """The list, one on a page."""
    wanted = dict(request.url.params)
    if request.url.path != "/scheduler/jobs":
        one = next(job for job in JOBS if request.url.path == f"/scheduler/jobs/{job['id']}")
        return httpx.Response(200, json=one)
    found = [job for job in JOBS if all(job[key] == wanted[key] for key in ("pipeline_name", "name") if key in wanted)]
    start = int(wanted.get("cursor", "0"))
    following = str(start + 1) if start + 1 < len(found) else None
    return httpx.Response(200, json={"items": found[start : start + 1], "next_cursor": following})


@pytest.fixture
def api() -> Iterator[Api]:
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://server:8000")
    with Api(client, asyncio.Runner()) as opened:
        yield opened


@pytest.mark.parametrize(
    ("reference", "place"),
    [("rfm/often", 1), ("report/often", 2), ("nightly", 0), ("0000000000A2", 1), (JOBS[2]["id"], 2)],
)
def test_schedule_when_named_then_found(api: Api, reference: str, place: int) -> None:
    assert find_schedule(api, reference) == JOBS[place]


def test_schedule_when_several_have_the_name_then_each_is_told(api: Api) -> None:
    with pytest.raises(Conflict) as caught:
        find_schedule(api, "often")
    assert "rfm/often (code)" in caught.value.message and "report/often (user)" in caught.value.message


@pytest.mark.parametrize("reference", ["daily", "rfm/daily", "abcdef"])
def test_schedule_when_there_is_none_then_says_how_to_name_one(api: Api, reference: str) -> None:
    with pytest.raises(NotFound, match="PIPELINE/NAME"):
        find_schedule(api, reference)


def test_schedules_when_loaded_then_all_pages_come(api: Api) -> None:
    assert load_schedules(api) == JOBS


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-11-21", "Europe/Berlin", "2026-11-21T00:00:00+01:00"),
        ("2026-07-01T04:35", "Europe/Berlin", "2026-07-01T04:35:00+02:00"),
        ("2026-07-01T04:35Z", "Europe/Berlin", "2026-07-01T04:35:00+00:00"),
        ("2026-07-01", "Nowhere/Land", "2026-07-01T00:00:00+00:00"),
    ],
)
def test_instant_when_without_offset_then_of_the_zone(text: str, zone: str, expected: str) -> None:
    assert read_instant(text, "--start", zone) == expected


def test_instant_when_it_is_none_or_missing_then_says_so_or_is_left_out() -> None:
    assert read_instant(None, "--start") is None
    with pytest.raises(WrongUsage, match="--start 'soon' is no instant"):
        read_instant("soon", "--start")


def test_seconds_when_written_as_people_do_then_read() -> None:
    values: list[Any] = [read_seconds(text, "--jitter") for text in ("0", "30s", "1h30m", None)]
    assert values == [0.0, 30.0, 5400.0, None]
    with pytest.raises(InvalidInput, match="--jitter"):
        read_seconds("long", "--jitter")


def test_naming_options_when_a_field_is_wrong_then_it_is_told_as_the_option_that_was_typed() -> None:
    problem = 'the minute field "61": 61 is out of range, 0 to 59'
    told = {
        "detail": f"The schedule is not valid: expression: {problem}; jitter: it is long.",
        "fields": {"expression": problem, "jitter": "it is long"},
    }
    with pytest.raises(ServerProblem) as caught, naming_options(expression="--cron"):
        raise ServerProblem(told, 422)
    assert caught.value.message == f"The schedule is not valid: --cron: {problem}; jitter: it is long."
    assert caught.value.fields == {"--cron": problem, "jitter": "it is long"}
