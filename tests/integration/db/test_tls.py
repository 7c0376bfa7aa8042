"""Connections to a PostgreSQL behind TLS: encrypted when asked for, refused when who answers is not trusted."""

import asyncio
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.wakeups import PostgresWakeupReceiver, PostgresWakeupSender
from fastflow.kit.errors import Unavailable
from fastflow.testing.postgres import PostgresServer

SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"


def make_certificate(folder: Path) -> Path:
    """A self-signed one for 127.0.0.1, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "db")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "db.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


class Front:
    """Takes PostgreSQL's request for TLS and hands what is inside on to a real server that has none."""

    def __init__(self, certificate: Path, port: int) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._behind = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.encrypted = 0
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def _take(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        assert client.recv(8) == SSL_REQUEST
        client.sendall(b"S")
        try:
            inside = self._context.wrap_socket(client, server_side=True)
        except (ssl.SSLError, OSError):  # we are not trusted
            client.close()
            return
        self.encrypted += 1
        with socket.create_connection(("127.0.0.1", self._behind)) as server:
            back = threading.Thread(target=pump, args=(server, inside), daemon=True)
            back.start()
            pump(inside, server)
            back.join()
        inside.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


def pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return make_certificate(tmp_path)


@pytest.fixture
def front(certificate: Path, postgres_server: PostgresServer) -> Iterator[Front]:
    with closing(Front(certificate, postgres_server.port)) as opened:
        yield opened


def behind(front: Front, server: PostgresServer, query: str) -> str:
    return server.url().replace(f":{server.port}/", f":{front.port}/") + query


@pytest.mark.parametrize("query", ["", "?sslmode=require", "?sslmode=verify-full&sslrootcert={root}"])
def test_database_when_it_offers_tls_then_the_connection_is_encrypted(
    front: Front, postgres_server: PostgresServer, certificate: Path, query: str
) -> None:
    with closing(Database(behind(front, postgres_server, query.format(root=certificate)))) as database:
        database.ping()
        with closing(database.unhurried()) as other:
            other.ping()
    assert front.encrypted == 2


def test_database_when_it_is_not_whom_we_trust_then_refused_in_words(
    front: Front, postgres_server: PostgresServer
) -> None:
    database = Database(behind(front, postgres_server, "?sslmode=verify-full"))
    with closing(database), pytest.raises(Unavailable, match="not trusted: self-signed certificate") as raised:
        database.ping()
    assert set(raised.value.fields) == {"DATABASE_URL"}
    assert front.encrypted == 0


def test_database_when_it_has_no_tls_but_is_asked_for_it_then_refused_in_words(postgres_server: PostgresServer) -> None:
    with (
        closing(Database(postgres_server.url() + "?sslmode=require")) as database,
        pytest.raises(Unavailable, match="offers no TLS"),
    ):
        database.ping()


async def test_wake_ups_when_the_database_is_behind_tls_then_they_come_through_it(
    front: Front, postgres_server: PostgresServer, certificate: Path, tmp_path: Path
) -> None:
    url = behind(front, postgres_server, f"?sslmode=verify-full&sslrootcert={certificate}")
    heard: asyncio.Queue[str] = asyncio.Queue()
    with closing(Database(url)) as database:
        receiver = PostgresWakeupReceiver(tmp_path / "here", "web-1.sock", database, heard.put_nowait)
        sender = PostgresWakeupSender(tmp_path / "elsewhere", database)
        await receiver.open()
        try:
            async with asyncio.timeout(60):
                while heard.empty():
                    await asyncio.to_thread(sender.tell_web, "hello")
                    await asyncio.sleep(0.05)
        finally:
            await receiver.close()
            sender.close()
    assert heard.get_nowait() == "hello"
