import asyncio
import json
import subprocess
import sys
import types
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request

from fastflow.kit.errors import Unavailable
from fastflow.kit.identity import Actor, Role
from fastflow.ui.hints import as_told, plain
from fastflow.ui.interface import Interface
from fastflow.ui.sentences import Sentences
from fastflow.ui.texts import Catalogue

ROOMS = sorted(
    path.parent.name for path in (Path(__file__).parents[3] / "src" / "fastflow" / "ui" / "rooms").glob("*/manifest.py")
)
ANNA = Actor(name="user:anna", role=Role.VIEWER)
GERMAN = {"The name or the password is wrong.": "Name oder Passwort ist falsch."}
HEAVY = ("nicegui", "socketio", "jinja2", "websockets")


async def test_interface_when_the_server_ends_before_the_pages_are_there_then_it_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def ended(*_: object, **__: object) -> None:
        raise asyncio.CancelledError

    host = types.ModuleType("fastflow.ui.shell.host")
    host.open_pages = ended  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fastflow.ui.shell.host", host)
    interface = Interface([], authenticate=lambda _request: ANNA, listen=_silence, has_provider=False)
    transport = httpx.ASGITransport(interface)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        with pytest.raises(Unavailable, match="ending"):
            await client.get("/ui/runs")


@pytest.mark.parametrize(
    ("language", "detail", "hint"),
    [
        ("de", "Name oder Passwort ist falsch.", "Prüfen Sie <b> & Name."),
        ("en", "The name or the password is wrong.", "Check <b> & name."),
    ],
)
def test_interface_when_its_own_script_is_refused_then_it_gets_the_problem_in_the_readers_language(
    language: str, detail: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    german = Sentences({**GERMAN, "Check <b> & name.": "Prüfen Sie <b> & Name."}, {})
    monkeypatch.setattr("fastflow.ui.hints.sentences_in", lambda given: german if given == "de" else None)
    interface = Interface([], authenticate=lambda _request: ANNA, listen=_silence, has_provider=False)
    headers = [(b"x-fastflow-told", b"1"), (b"accept-language", language.encode())]
    request = Request({"type": "http", "method": "POST", "path": "/auth/login", "headers": headers})
    problem = {
        "status": 401,
        "detail": "The name or the password is wrong.",
        "code": "refused",
        "hint": "Check <b> & name.",
    }

    answer = interface.refusal(request, problem)

    assert json.loads(bytes(answer.body)) == {**problem, "detail": detail, "hint": hint}
    assert answer.media_type == "application/problem+json"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Name <oder> & mehr. Unknown <b> & so.", "Name <oder> & mehr. Unknown <b> & so."),
        ("The name or the password is wrong. Nobody knows this.", "Name oder Passwort ist falsch. Nobody knows this."),
    ],
)
def test_plain_when_some_of_it_stayed_english_then_it_is_text_without_marks(text: str, told: str) -> None:
    t = Catalogue([]).texts("de")
    assert plain(as_told(t, text)) == told


async def _silence() -> AsyncGenerator[bytes, None]:
    yield b""


def test_interface_when_nobody_looks_then_the_framework_is_not_imported() -> None:
    code = (
        "import sys, fastflow.pages, fastflow.web, fastflow.ui.interface, fastflow.kernel.http.server\n"
        + "".join(f"import fastflow.ui.rooms.{room}.manifest\n" for room in ROOMS)
        + f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
