"""Whatever form "the database is away" takes, it is our Unavailable; every other error stays what it is."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError

from fastflow.kernel.db.engine import Database
from fastflow.kit.errors import Unavailable


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(f"sqlite:///{tmp_path / 'x.db'}")) as opened:
        yield opened


def told_by_postgresql(state: str, words: str) -> ProgrammingError:
    """As pg8000 hands on a message of the server."""
    return ProgrammingError("SELECT 1", {}, Exception({"S": "FATAL", "C": state, "M": words}))


def not_connected() -> InterfaceError:
    """As pg8000 tells that nobody listens."""
    told = Exception("Can't create a connection to host 10.0.0.1 and port 5432 (timeout is None).")
    told.__cause__ = ConnectionRefusedError(111, "Connection refused")
    return InterfaceError("", {}, told)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (told_by_postgresql("57P03", "the database system is starting up"), "the database system is starting up"),
        (told_by_postgresql("57P01", "terminating connection"), "terminating connection"),
        (told_by_postgresql("53300", "sorry, too many clients already"), "too many clients"),
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
        (BrokenPipeError(32, "Broken pipe"), "Broken pipe"),
        (TimeoutError("timed out"), "takes connections and says nothing"),
        (not_connected(), "does not answer: Connection refused."),
        (OperationalError("", {}, Exception("database is locked")), "database is locked"),
    ],
)
def test_transaction_when_the_database_goes_away_then_unavailable_in_words(
    database: Database, error: Exception, words: str
) -> None:
    for transaction in (database.read, database.write):
        with pytest.raises(Unavailable, match=words) as raised, transaction():
            raise error
        assert raised.value.code == "database_unavailable"
        assert raised.value.retry_after_seconds
        assert "10.0.0.1" not in raised.value.message


@pytest.mark.parametrize(
    "error", [told_by_postgresql("42601", "syntax error"), ValueError("ours"), FileNotFoundError(2, "no such file")]
)
def test_transaction_when_another_error_is_raised_then_it_stays_that_error(
    database: Database, error: Exception
) -> None:
    with pytest.raises(type(error)) as raised, database.write():
        raise error
    assert raised.value is error
