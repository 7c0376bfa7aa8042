import asyncio
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from fastflow.kernel.users.domain.errors import PasswordChangeRequired
from fastflow.kit.errors import Unauthenticated
from fastflow.kit.identity import Actor, Role
from fastflow.ui.gate import ACTOR, Gate, is_own_path

ANNA = Actor(name="user:anna", role=Role.VIEWER)


def authenticate(request: Request) -> Actor:
    match request.headers.get("cookie"):
        case "anna":
            return ANNA
        case "new":
            raise PasswordChangeRequired("The password has to be changed before anything else.")
        case _:
            raise Unauthenticated("This needs credentials.")


async def pages(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await PlainTextResponse(scope[ACTOR].name if ACTOR in scope else "anybody")(scope, receive, send)


GATE = Gate(pages, authenticate=authenticate, base="/ui", is_public=lambda path: path == "/login")


async def ask(method: str, path: str, cookie: str = "") -> httpx.Response:
    transport = httpx.ASGITransport(GATE)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        return await client.request(method, path, headers={"cookie": cookie})


async def test_gate_when_logged_in_then_the_page_knows_who_and_may_load_from_us_alone() -> None:
    answer = await ask("GET", "/ui/runs", "anna")
    assert answer.text == "user:anna"
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_gate_when_not_logged_in_then_to_the_login_and_back() -> None:
    answer = await ask("GET", "/ui/runs?state=FAILED&x=%2F")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/ui/login?to=/ui/runs%3Fstate%3DFAILED%26x%3D%252F"


async def test_gate_when_the_session_has_ended_then_the_login_page_is_told() -> None:
    assert (await ask("GET", "/ui/runs", "__Host-fastflow_session=old")).headers["location"].endswith("runs&ended=1")


async def test_gate_when_the_password_has_to_be_changed_then_there_first() -> None:
    assert (await ask("GET", "/ui/", "new")).headers["location"] == "/ui/password?to=/ui/"


async def test_gate_when_the_page_is_public_then_nobody_is_asked() -> None:
    assert (await ask("GET", "/ui/login")).text == "anybody"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_gate_when_something_is_sent_then_it_is_refused(method: str) -> None:
    assert (await ask(method, "/ui/runs", "anna")).status_code == 405


async def connect(**headers: str) -> Message:
    sent: asyncio.Queue[Message] = asyncio.Queue()

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    scope: dict[str, Any] = {
        "type": "websocket",
        "path": "/ui/_nicegui_ws/socket.io/",
        "headers": [(name.encode(), value.encode()) for name, value in {"host": "here:8000", **headers}.items()],
        "query_string": b"",
    }
    await GATE(scope, receive, sent.put)
    return sent.get_nowait()


async def test_connection_when_ours_and_logged_in_then_it_is_accepted() -> None:
    assert (await connect(origin="http://here:8000", cookie="anna"))["type"] == "websocket.accept"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example", "cookie": "anna"},
        {"origin": "http://here:9000", "cookie": "anna"},
        {"origin": "null", "cookie": "anna"},
        {"origin": "http://here:8000"},
        {"origin": "http://here:8000", "cookie": "new"},
    ],
)
async def test_connection_when_of_another_origin_or_of_nobody_then_it_is_refused(headers: dict[str, str]) -> None:
    assert (await connect(**headers))["type"] == "websocket.close"


@pytest.mark.parametrize(
    ("path", "is_ours"),
    [
        ("/ui/", True),
        ("/ui/runs/x?y=1", True),
        ("//evil.example/ui/", False),
        ("https://evil.example/ui/", False),
        ("/ui/../auth/logout", False),
        ("/ui/\\evil.example", False),
        ("javascript:alert(1)", False),
        ("", False),
    ],
)
def test_path_when_it_leads_away_then_it_is_not_followed(path: str, is_ours: bool) -> None:
    assert is_own_path(path, "/ui") is is_ours
