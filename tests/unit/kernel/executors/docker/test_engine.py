import asyncio
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from docker import errors  # type: ignore[import-untyped]
from requests import Response, exceptions

from fastflow.kernel.executors.docker import engine as engine_module
from fastflow.kernel.executors.docker.engine import (
    Conflicting,
    Engine,
    EngineAway,
    EngineError,
    NotThere,
    as_launch_failed,
    split_reference,
)


class Client:
    """Answers each call with the next of what it was given; exceptions are raised."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def call(*_arguments: Any, **_values: Any) -> Any:
            self.calls.append(name)
            answer = self._answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    def close(self) -> None:
        pass


def refusal(status: int, text: str) -> errors.APIError:
    response = Response()
    response.status_code = status
    return errors.APIError(text, response=response, explanation=text)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    def make(*answers: Any) -> tuple[Engine, Client]:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(tmp_path / "engine.sock"))
        listener.listen(16)
        made.append(listener)
        opened = Engine(f"unix://{tmp_path}/engine.sock")
        opened._client = client = Client(*answers)
        made.append(opened)
        return opened, client

    made: list[Any] = []
    monkeypatch.setattr(engine_module, "_LOOK_SECONDS", 0.001)
    monkeypatch.setattr(engine_module, "PATIENCE_SECONDS", 0.05)
    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refusal(404, "no such container"), NotThere),
        (refusal(409, "the name is taken"), Conflicting),
        (refusal(500, "no space left on device"), EngineError),
        (exceptions.ConnectionError("gone"), EngineAway),
        (exceptions.ReadTimeout("slow"), EngineAway),
        (errors.DockerException("odd"), EngineAway),
    ],
)
async def test_call_when_the_sdk_raises_then_one_of_our_kinds_with_the_reason(
    engine: Any, error: Exception, kind: type[EngineError]
) -> None:
    opened, _client = engine(error, error, error)
    with pytest.raises(EngineError) as caught:
        await opened.inspect("x")
    assert type(caught.value) is kind
    assert str(caught.value)


async def test_remove_when_it_ends_in_this_moment_then_asked_again_until_gone(engine: Any) -> None:
    opened, client = engine(refusal(409, "is not running"), refusal(409, "in progress"), refusal(404, "gone"))
    await opened.remove("x")
    assert client.calls == ["remove_container"] * 3


async def test_create_when_the_first_answer_got_lost_then_the_container_is_taken_over(engine: Any) -> None:
    opened, client = engine(
        {"Version": "1"}, exceptions.ConnectionError("restart"), {"Version": "1"}, refusal(409, "taken"), {"Id": "c1"}
    )
    await opened.ping()
    assert await opened.create("name", {}) == "c1"
    assert client.calls[-2:] == ["create_container_from_config", "inspect_container"]


async def test_call_when_the_engine_never_answered_then_it_is_not_waited_for(tmp_path: Path) -> None:
    with closing(Engine(f"unix://{tmp_path}/nothing.sock")) as opened:
        with pytest.raises(EngineAway, match="there is no socket"):
            await asyncio.wait_for(opened.start("x"), 1)
        assert opened.away_because is not None and not opened.has_answered


async def test_socket_when_nobody_listens_then_away_in_the_systems_words(tmp_path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    with (
        closing(Engine(f"unix://{tmp_path}/dead.sock")) as opened,
        pytest.raises(EngineAway, match="Connection refused"),
    ):
        await opened.ping()


def test_reason_when_the_engine_refuses_then_its_own_words_stand_in_the_message() -> None:
    failed = as_launch_failed(EngineError("no space left on device"), "The container could not be started")
    assert failed.message == "The container could not be started: no space left on device."
    assert failed.code == "engine_refused"
    assert as_launch_failed(EngineAway("The engine is away."), "x").message == "The engine is away."


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("debian", ("debian", "latest")),
        ("debian:12", ("debian", "12")),
        ("host:5000/a/b", ("host:5000/a/b", "latest")),
        ("host:5000/a/b:1", ("host:5000/a/b", "1")),
        ("a/b@sha256:ff", ("a/b", "sha256:ff")),
    ],
)
def test_reference_when_split_then_port_tag_and_digest_are_told_apart(reference: str, parts: tuple[str, str]) -> None:
    assert split_reference(reference) == parts
