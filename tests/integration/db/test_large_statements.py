"""Statements of many packets go to PostgreSQL without waiting for its word on the first."""

import socket
from typing import Any

import pytest

from fastflow.kernel.db.engine import Database


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_connection_when_made_then_it_holds_no_packet_back(database: Database) -> None:
    with database.read() as connection:
        made: Any = connection.connection.driver_connection

        assert made._usock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
