"""The one database: SQLite in WAL mode by default, PostgreSQL when `DATABASE_URL` says so.

Every feature reads with `Database.read()` and changes with `Database.write()`; both hand out a SQLAlchemy Core
connection inside one transaction. Nothing here knows a feature's tables.
"""

import socket
import sqlite3
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, Dialect, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from fastflow.kernel.db.tls import OPTIONS, Connector, NotOffered, Tls
from fastflow.kit.addresses import without_credentials
from fastflow.kit.errors import InvalidInput, Unavailable

SQLITE_BUSY_TIMEOUT_SECONDS = 15.0
SILENCE_SECONDS = 15.0
"""How long PostgreSQL may take to say anything: a machine that was cut off, or a server that hangs, closes nothing."""
_DAMAGED_MARKS = ("file is not a database", "database disk image is malformed")
_AWAY_STATES = ("08", "53", "57P", "58")
"""Classes of SQLSTATE: connections, means (disk, memory, connections), starting or stopping, the system underneath."""
_QUERY = {*OPTIONS, "application_name", "host", "port", "unix_sock"}
"""What the URL of a PostgreSQL may have behind its question mark."""
_LOCKED_MARK = "database is locked"
_TIMESTAMPTZ = 1184
"""What PostgreSQL calls the type of an instant in its answers."""
_READ_ONLY_MARK = "readonly database"
_DISK_FULL_MARKS = ("database or disk is full", "disk I/O error", "No space left", "DiskFull")


class Database:
    """Connections and transactions of the product's one database.

    Args:
        url: a SQLAlchemy URL; `postgresql://` is taken to mean the pg8000 driver. Of the options that PostgreSQL's own clients
            take there, those about TLS are understood.
        silence_seconds: how long PostgreSQL may take over one statement before it counts as away; None: as long as it likes,
            for changes of the schema and copies of everything.

    Raises:
        InvalidInput: the URL cannot be read or names a database we do not support.
    """

    def __init__(self, url: str, *, silence_seconds: float | None = SILENCE_SECONDS) -> None:
        self.url = _normalise(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.tls = Tls(mode="disable") if self.is_sqlite else _tls(self.url)
        self.engine: Engine = (
            _sqlite_engine(self.url) if self.is_sqlite else _postgres_engine(self.url, self.tls, silence_seconds)
        )
        # SQLite's own queue for the one write lock is sleep and retry: within a process, threads line up instead
        self._turn: AbstractContextManager[object] = threading.Lock() if self.is_sqlite else nullcontext()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection in a read transaction: one consistent snapshot; nothing written is kept.

        Raises:
            Unavailable: the database cannot be reached.
        """
        with _translated(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in a write transaction: committed on leaving, rolled back on any exception.

        On SQLite the write lock is taken at once (`BEGIN IMMEDIATE`), so a transaction that reads and then writes
        never fails half-way because another writer came between.

        Raises:
            Unavailable: the database cannot be reached, stays locked, or the disk is full.
        """
        with _translated(), self._turn, self.engine.connect() as plain:
            connection = plain.execution_options(fastflow_write=True)
            with connection.begin():
                yield connection

    def ping(self) -> None:
        """Return when the database answers.

        Raises:
            Unavailable: it does not.
        """
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def lock(self, connection: Connection, name: str) -> None:
        """Hold the named lock until the transaction ends (SQLite's write transaction is that lock already)."""
        if not self.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"fastflow:{name}"})

    def unhurried(self) -> "Database":
        """The same database for what takes its time; to be closed like any."""
        return Database(self.url.render_as_string(hide_password=False), silence_seconds=None)

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    """Turn "the database is away" in its many forms into our Unavailable; leave every other error alone."""
    try:
        yield
    except PoolTimeoutError as error:
        raise _unavailable("every database connection is in use", error) from error
    except (OperationalError, InterfaceError) as error:
        raise _unavailable(_words(error.orig), error) from error
    except NotOffered as error:
        raise Unavailable(
            "The database offers no TLS, and DATABASE_URL asks for it (sslmode).",
            code="database_unavailable",
            hint="Switch TLS on at the database, or take sslmode out of DATABASE_URL.",
            fields={"DATABASE_URL": "the database offers no TLS"},
            retry_after_seconds=2,
        ) from error
    except ssl.SSLError as error:
        raise Unavailable(
            f"The database is not trusted: {_tls_words(error)}.",
            code="database_unavailable",
            hint="Check host, sslmode and sslrootcert in DATABASE_URL, and the database's certificate.",
            fields={"DATABASE_URL": "no trusted connection by TLS"},
            retry_after_seconds=2,
        ) from error
    except TimeoutError as error:  # pg8000 lets this and the next ones of its socket through as they are
        raise _unavailable("it takes connections and says nothing", error) from error
    except ConnectionError as error:
        raise _unavailable(error.strerror or str(error), error) from error
    except DBAPIError as error:
        told = _told_by_postgresql(error.orig)
        if told.get("C", "").startswith(_AWAY_STATES):
            raise _unavailable(told.get("M", ""), error) from error
        if error.connection_invalidated or any(mark in str(error.orig) for mark in _DAMAGED_MARKS):
            raise _unavailable(str(error.orig), error) from error
        raise


def _told_by_postgresql(error: BaseException | None) -> Mapping[str, str]:
    """The fields of PostgreSQL's own error message: `C` its SQLSTATE, `M` its words; nothing of other errors."""
    told = error.args[0] if error is not None and error.args else None
    return told if isinstance(told, Mapping) else {}


def _words(error: BaseException | None) -> str:
    """What the driver says; of a connection that was not made, what the machine says, without host and port."""
    cause = error.__cause__ if error is not None else None
    return cause.strerror if isinstance(cause, OSError) and cause.strerror else str(error)


def _tls_words(error: ssl.SSLError) -> str:
    told: str = getattr(error, "verify_message", "") or error.reason or str(error)
    return told.rstrip(".")


def _unavailable(why: str, _error: Exception) -> Unavailable:
    first_line = without_credentials(why.strip().splitlines()[0].rstrip(".")) if why.strip() else "no reason given"
    if any(mark in first_line for mark in _DISK_FULL_MARKS):
        return Unavailable(
            f"The database cannot write: {first_line}.",
            code="disk_full",
            hint="Free space on the disk that holds the database; nothing was half-written.",
            retry_after_seconds=30,
        )
    if any(mark in first_line for mark in _DAMAGED_MARKS):
        return Unavailable(
            f"The database is damaged: {first_line}.",
            code="database_damaged",
            hint="Stop the server and put the database file (fastflow.db in DATA_DIR) back from a backup.",
        )
    if _READ_ONLY_MARK in first_line:
        return Unavailable(
            "The database cannot be written: its file or its file system is read-only.",
            code="database_read_only",
            hint="Let the server's user write fastflow.db and its folder, DATA_DIR; what runs goes on meanwhile.",
            retry_after_seconds=30,
        )
    if _LOCKED_MARK in first_line:
        return Unavailable(
            f"The database does not answer: {first_line} by another program.",
            code="database_unavailable",
            hint="End the program that holds fastflow.db, such as an open sqlite3 shell; the request can be repeated.",
            retry_after_seconds=2,
        )
    return Unavailable(
        f"The database does not answer: {first_line}.",
        code="database_unavailable",
        hint="Check DATABASE_URL and that the database runs; the request can be repeated.",
        retry_after_seconds=2,
    )


def _normalise(url: str) -> URL:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError) as error:
        raise _bad_url("it is not a database URL") from error
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise _bad_url("an in-memory SQLite is not shared by the server's processes")
        return parsed.set(drivername="sqlite+pysqlite")
    if backend in ("postgresql", "postgres"):
        unknown = sorted(set(parsed.query) - _QUERY)
        if unknown:
            raise _bad_url(f"{unknown[0]} is none of the options known here ({', '.join(sorted(_QUERY))})")
        return parsed.set(drivername="postgresql+pg8000")
    raise _bad_url(f"{backend} is not supported")


def _bad_url(problem: str) -> InvalidInput:
    return InvalidInput(
        f"DATABASE_URL cannot be used: {problem}.",
        code="invalid_setting",
        hint="Use sqlite:////absolute/path.db or postgresql://user:password@host:5432/dbname, or leave it unset.",
        fields={"DATABASE_URL": problem},
    )


def _sqlite_engine(url: URL) -> Engine:
    path = Path(cast("str", url.database))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)  # for the server alone; SQLite gives its side files the same rights
    engine = create_engine(
        url,
        pool_size=8,
        max_overflow=40,
        pool_timeout=30,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not open transactions of its own: we say BEGIN ourselves
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA cache_size=-16000")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        is_write = connection.get_execution_options().get("fastflow_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")

    return engine


def _tls(url: URL) -> Tls:
    try:
        return Tls.of({name: str(value) for name, value in url.query.items()}, has_network="unix_sock" not in url.query)
    except ValueError as error:
        raise _bad_url(str(error)) from error


def _postgres_engine(url: URL, tls: Tls, silence_seconds: float | None) -> Engine:
    try:
        engine = create_engine(
            url.difference_update_query(OPTIONS),
            pool_size=8,
            max_overflow=40,
            pool_timeout=30,
            pool_pre_ping=True,
            connect_args={"timeout": silence_seconds},
        )
    except ModuleNotFoundError as error:
        raise InvalidInput(
            "DATABASE_URL names PostgreSQL, but its driver is not installed.",
            code="invalid_setting",
            hint="`make install` in the clone brings the extra `postgres`.",
            fields={"DATABASE_URL": "driver pg8000 is missing"},
        ) from error

    connector = Connector(tls)

    @event.listens_for(engine, "do_connect")
    def _connect(dialect: Dialect, _record: Any, _arguments: Any, options: dict[str, Any]) -> Any:
        return connector(dialect.connect, options)

    @event.listens_for(engine, "connect")
    def _hasten(connection: Any, _record: Any) -> None:
        # the driver's own reader of instants takes 30 to 300 times as long
        connection.register_in_adapter(_TIMESTAMPTZ, datetime.fromisoformat)
        line: socket.socket = connection._usock  # it has no other name
        if line.family != socket.AF_UNIX:  # else the rest of what does not fit into one packet waits 40 ms, twice
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @event.listens_for(engine, "handle_error")
    def _give_up(context: ExceptionContext) -> None:
        if isinstance(
            context.original_exception, TimeoutError
        ):  # no error of the driver's: it is not known to be the end
            context.is_disconnect = True

    return engine
