import asyncio
import subprocess
import sys
import types
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

from fastflow.kit.errors import Unavailable
from fastflow.kit.identity import Actor, Role
from fastflow.ui.interface import Interface

ROOMS = sorted(
    path.parent.name for path in (Path(__file__).parents[3] / "src" / "fastflow" / "ui" / "rooms").glob("*/manifest.py")
)
HEAVY = ("nicegui", "socketio", "jinja2", "websockets")


async def test_interface_when_the_server_ends_before_the_pages_are_there_then_it_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def ended(*_: object, **__: object) -> None:
        raise asyncio.CancelledError

    host = types.ModuleType("fastflow.ui.shell.host")
    host.open_pages = ended  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fastflow.ui.shell.host", host)
    anna = Actor(name="user:anna", role=Role.VIEWER)
    interface = Interface([], authenticate=lambda _request: anna, listen=_silence, has_provider=False)
    transport = httpx.ASGITransport(interface)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        with pytest.raises(Unavailable, match="ending"):
            await client.get("/ui/runs")


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
