"""A `not found` says which of several servers and folders was asked."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from fastflow.cli.client import Api
from fastflow.cli.errors import ServerProblem
from fastflow.cli.places import find_local_pipeline, hint_at_local_pipeline

NOT_FOUND = {
    "code": "pipeline_not_found",
    "detail": "There is no pipeline 'rfm'.",
    "hint": "`GET /pipelines` lists.",
    "fields": {},
    "pipeline": "rfm",
}


def refused(answer: Callable[[httpx.Request], httpx.Response], path: str) -> ServerProblem:
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://server:8000")
    with Api(client, asyncio.Runner()) as api, pytest.raises(ServerProblem) as caught:
        api.get(path)
    return caught.value


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipelines").mkdir()
    return tmp_path / "pipelines"


def test_find_local_pipeline_when_there_is_a_file_or_a_folder_then_its_script(here: Path) -> None:
    (here / "one.py").write_text("")
    (here / "two").mkdir()
    (here / "two" / "main.py").write_text("")
    assert find_local_pipeline("one", here) == here / "one.py"
    assert find_local_pipeline("two", here) == here / "two" / "main.py"
    assert find_local_pipeline("three", here) is None


def test_pipeline_when_the_server_has_it_not_but_this_machine_has_then_the_way_back_is_told(here: Path) -> None:
    (here / "rfm.py").write_text("")
    error = refused(lambda _: httpx.Response(404, json=NOT_FOUND), "/pipelines/rfm")
    assert error.place == "the server http://server:8000"
    assert error.hint == (
        f"`GET /pipelines` lists. {here} on this machine has 'rfm': `unset FASTFLOW_URL` (or leave --url away) to work there."
    )


def test_pipeline_when_named_in_the_body_of_a_request_then_the_error_is_told_all_the_same(here: Path) -> None:
    (here / "main.py").write_text("")
    (here / "rfm.py").write_text("")
    assert "has 'rfm'" in str(refused(lambda _: httpx.Response(404, json=NOT_FOUND), "/flows").hint)
    nameless = {key: value for key, value in NOT_FOUND.items() if key != "pipeline"}
    assert refused(lambda _: httpx.Response(404, json=nameless), "/flows").hint == "`GET /pipelines` lists."


def test_pipeline_when_nobody_has_it_then_nothing_is_said_of_this_machine(here: Path) -> None:
    error = refused(lambda _: httpx.Response(404, json=NOT_FOUND), "/pipelines/rfm/run")
    assert error.hint == "`GET /pipelines` lists."


def test_hint_when_the_settings_of_this_machine_are_wrong_then_it_is_silent(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "rfm.py").write_text("")
    monkeypatch.setenv("PORT", "wrong")
    assert hint_at_local_pipeline("rfm") == ""


@pytest.mark.parametrize(("status", "told"), [(404, True), (409, True), (503, True), (422, False)])
def test_place_when_a_server_refuses_then_it_is_told_unless_the_input_is_at_fault(status: int, told: bool) -> None:
    problem = {"code": "x", "detail": "No.", "hint": ""}
    assert bool(refused(lambda _: httpx.Response(status, json=problem), "/runs").place) is told
