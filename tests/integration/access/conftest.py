"""The access rooms on a real database, behind the real app."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from fastflow.kernel.db.engine import Database
from fastflow.testing.access import AccessRooms, build_access_rooms
from fastflow.testing.clock import FakeClock
from fastflow.testing.http import client_of


@pytest.fixture
def rooms(database: Database, clock: FakeClock, data_dir: Path) -> AccessRooms:
    """The rooms on this test's database, with a clock that stands still."""
    return build_access_rooms(database, data_dir, clock)


@pytest.fixture
async def anonymous(rooms: AccessRooms) -> AsyncIterator[httpx.AsyncClient]:
    """A client without credentials; it keeps cookies."""
    async with client_of(rooms.app) as client:
        yield client


@pytest.fixture
async def admin(rooms: AccessRooms) -> AsyncIterator[httpx.AsyncClient]:
    """A client with an admin token."""
    async with client_of(rooms.app, token=rooms.token()) as client:
        yield client
