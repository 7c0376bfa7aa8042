"""Many runs at once, straight into the database: copies of one, spread evenly over the last days."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, text

from fastflow.kernel.db.engine import Database
from fastflow.kernel.runs.infra.rows import RUN

DAYS = 7
_NUMBERS = {
    "sqlite": "(WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n + 1 < {count}) SELECT n FROM c)",
    "postgresql": "(SELECT generate_series(0, {count} - 1) AS n)",
}
_IDS = {
    "sqlite": "printf('%08x-%04x-7000-8000-%012x', {ms} / 65536, {ms} % 65536, {first} + n)",
    "postgresql": "lpad(to_hex({ms} / 65536), 8, '0') || '-' || lpad(to_hex({ms} % 65536), 4, '0') || '-7000-8000-' "
    "|| lpad(to_hex({first} + n), 12, '0')",
}
_TIMES = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', {ms} / 1000.0, 'unixepoch') || '000'",
    "postgresql": "to_timestamp({ms} / 1000.0)",
}


def make_one(connection: Connection) -> None:
    """A run that went well, with a capsule as large as they are."""
    now = datetime.now(UTC)
    connection.execute(
        insert(RUN).values(
            id="00000000-0000-7000-8000-000000000000", pipeline_name="trivial", status="SUCCESS", trigger="api",
            submitted_by="user:bench", params={}, executor="process", capsule={"all of it": "x" * 1500}, queued_at=now,
            claimed_at=now, started_at=now, finished_at=now, exit_code=0, attempt=1, priority=0, queue_rank=0, lease_token=1,
            attempt_token=1,
        )
    )  # fmt: skip


def spread_runs(connection: Connection, count: int, *, first: int = 0) -> None:
    """So many copies of a run there is: of twenty pipelines, one in nineteen failed, every thousandth of a pipeline `rare`.

    Args:
        connection: in a transaction.
        count: how many.
        first: how many such copies there are.
    """
    kind = connection.dialect.name
    begin = int((datetime.now(UTC) - timedelta(days=DAYS)).timestamp() * 1000) + first
    step = DAYS * 86_400_000 // count
    ms = f"({begin} + n * CAST({step} AS BIGINT))"
    is_failed = "n % 19 = 7"
    given = {
        "id": _IDS[kind].format(ms=ms, first=first),
        "idempotency_key": "NULL",
        "pipeline_name": "CASE WHEN n % 1000 = 0 THEN 'rare' ELSE pipeline_name || CAST(n % 20 AS TEXT) END",
        "status": f"CASE WHEN {is_failed} THEN 'FAILED' ELSE 'SUCCESS' END",
        "reason": f"CASE WHEN {is_failed} THEN 'exit' END",
        **dict.fromkeys(("queued_at", "claimed_at", "started_at", "finished_at"), _TIMES[kind].format(ms=ms)),
    }
    columns = [column.name for column in RUN.columns]
    names = ", ".join(f'"{name}"' for name in columns)
    chosen = ", ".join(given.get(name, f'"{name}"') for name in columns)
    one = (
        "(SELECT * FROM run ORDER BY id LIMIT 1) AS one"
        if first == 0
        else "(SELECT * FROM run ORDER BY id DESC LIMIT 1) AS one"
    )
    numbers = _NUMBERS[kind].format(count=count)
    statement = f"INSERT INTO run ({names}) SELECT {chosen} FROM {numbers} AS numbers, {one}"
    connection.execute(text(statement.replace(":", r"\:")))


def settle(database: Database) -> None:
    """What PostgreSQL does by itself a minute after such a change."""
    if not database.is_sqlite:
        with closing(database.engine.raw_connection()) as connection:
            driver: Any = connection.driver_connection
            driver.rollback()  # no vacuum in a transaction
            driver.autocommit = True
            connection.cursor().execute("VACUUM ANALYZE run")
            driver.autocommit = False
