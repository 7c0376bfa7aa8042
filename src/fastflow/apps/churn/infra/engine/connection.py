"""Locked connections to DuckDB: no network, no extensions, no files but the named ones, and no way to change that."""

import os
from collections.abc import Sequence
from pathlib import Path

import duckdb

MEMORY_LIMIT = "1GB"
_MOST_THREADS = 4


def quoted(name: str) -> str:
    """An identifier in SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: object) -> str:
    """A text in SQL."""
    return "'" + str(text).replace("'", "''") + "'"


def open_locked(folder: Path, readable: Sequence[Path] = ()) -> duckdb.DuckDBPyConnection:
    """A database in memory that spills into `folder`, writes there alone and reads there and `readable` alone."""
    connection = duckdb.connect(
        config={
            "memory_limit": MEMORY_LIMIT,
            "threads": min(os.cpu_count() or 1, _MOST_THREADS),
            "temp_directory": str(folder / "spilled"),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,  # a table is never a variable of this process
        }
    )
    paths = ", ".join(literal(path) for path in readable)
    connection.execute(f"SET allowed_paths = [{paths}]")
    connection.execute(f"SET allowed_directories = [{literal(f'{folder}/')}]")
    lock(connection)
    return connection


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Take away what is not allowed, for good."""
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
