"""What a PostgreSQL URL says about TLS is taken as PostgreSQL's own clients take it, or refused in words."""

import ssl
from pathlib import Path

import pytest

from fastflow.kernel.db.engine import Database
from fastflow.kernel.db.tls import Connector, NotOffered, Tls
from fastflow.kit.errors import InvalidInput


@pytest.mark.parametrize(
    ("mode", "verifies", "checks_name", "asyncpg"),
    [
        ("prefer", ssl.CERT_NONE, False, "prefer"),
        ("allow", ssl.CERT_NONE, False, "prefer"),
        ("require", ssl.CERT_NONE, False, None),
        ("verify-ca", ssl.CERT_REQUIRED, False, None),
        ("verify-full", ssl.CERT_REQUIRED, True, None),
    ],
)
def test_context_when_made_then_it_trusts_as_the_mode_says(
    mode: str, verifies: ssl.VerifyMode, checks_name: bool, asyncpg: str | None
) -> None:
    tls = Tls.of({"sslmode": mode})
    assert (tls.context.verify_mode, tls.context.check_hostname) == (verifies, checks_name)
    assert tls.for_asyncpg() == (asyncpg or tls.context)


def test_tls_when_switched_off_or_on_a_socket_of_this_machine_then_none() -> None:
    assert Tls.of({"sslmode": "disable"}).for_asyncpg() is False
    assert Tls.of({"sslmode": "require"}, has_network=False).mode == "disable"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("sslmode=on", "sslmode is 'on', and none of disable, allow, prefer, require, verify-ca, verify-full"),
        ("sslmode=verify-ca&sslrootcert=/nowhere.pem", "sslrootcert names a file that is not there: /nowhere.pem"),
        ("sslrootcert={file}", "sslrootcert, sslcert or sslkey cannot be read"),
        ("sslmod=require", "sslmod is none of the options known here"),
        ("channel_binding=require", "channel_binding is none of the options known here"),
    ],
)
def test_url_when_its_options_cannot_be_used_then_refused_at_once_naming_the_setting(
    tmp_path: Path, query: str, said: str
) -> None:
    (tmp_path / "empty.pem").touch()
    query = query.format(file=f"{tmp_path / 'empty.pem'}&sslmode=verify-ca")
    with pytest.raises(InvalidInput) as raised:
        Database(f"postgresql://me:secret@db.example/x?{query}")
    assert said in raised.value.fields["DATABASE_URL"]
    assert "secret" not in raised.value.message


def test_connector_when_the_server_has_no_tls_then_plain_from_then_on_or_refused() -> None:
    asked = []

    def connect(*, ssl_context: object) -> str:
        asked.append(ssl_context)
        if ssl_context is not False:
            raise ConnectionError("Server refuses SSL")
        return "connection"

    prefer = Tls()
    connector = Connector(prefer)
    assert [connector(connect, {}), connector(connect, {})] == ["connection", "connection"]
    assert asked == [prefer.context, False, False]
    with pytest.raises(NotOffered):
        Connector(Tls(mode="require"))(connect, {})
